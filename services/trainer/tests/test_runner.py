"""The runner end to end: a separate process, real HTTP, real Parquet, real LightGBM."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import support

from signalbox import digest, rows
from signalbox.signature import Signature

SRC = str(Path(__file__).resolve().parents[1] / "src")


def start(job: Path, **env: str) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": SRC, "OMP_WAIT_POLICY": "PASSIVE", **env}
    command = [sys.executable, "-m", "signalbox.runner", str(job)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def run(job: Path, **env: str) -> tuple[int, str]:
    process = start(job, **env)
    out, _ = process.communicate(timeout=120)
    return process.returncode, out


def flight_parts(plane: support.Control) -> list[dict[str, Any]]:
    frame = support.flights()
    return [plane.put(f"p{i}", support.parquet(frame.iloc[i * 1500 : (i + 1) * 1500])) for i in range(2)]


def files_of(state: support.State, package: str) -> dict[str, bytes]:
    manifest = json.loads(state.packages[package])
    found = {}
    for layer in manifest["layers"]:
        key = "blobs/" + digest.text(bytes.fromhex(layer["digest"].removeprefix("sha256:")))
        found[layer["annotations"]["org.cncf.model.filepath"]] = state.objects[key]
    return found


def test_run_leaves_package_artifacts_and_report(tmp_path: Path) -> None:
    with support.control() as plane:
        job = support.write_job(tmp_path, plane, support.BOOSTER, flight_parts(plane), support.request())
        status, out = run(job)
        assert status == 0, out
        (done,) = plane.state.completed
        package = done["package"]
        files = files_of(plane.state, package)
        assert sorted(files) == ["golden.jsonl", "model.txt", "signature.json"]
        assert digest.of(plane.state.packages[package]) == package
        steps = [p["step"] for p in plane.state.progress if "seconds" in p]
        assert steps == ["fetch", "preprocess", "train", "serialize", "score", "publish"]
        scored = next(p for p in plane.state.progress if p["step"] == "score" and "seconds" in p)
        assert scored["metrics"]["holdout_auc"] > 0.8
        store = {name: plane.state.objects[key] for name, key in done["artifacts"].items()}
    names = ["environment.lock", "holdout.jsonl", "labels.tsv", "metrics.json", "scores.tsv"]
    assert sorted(store) == names
    assert b"lightgbm==4.6.0" in store["environment.lock"]
    metrics = json.loads(store["metrics.json"])
    check_profile(metrics)
    assert metrics["metrics"] == {"rounds": 20.0} and metrics["steps"]["preprocess"]["metrics"]["holdout_rows"] == 576
    check_scores(store, files)
    check_golden(files)
    assert support.TOKEN not in out and "signature=secret" not in out


def check_profile(metrics: dict[str, Any]) -> None:
    """Every step has what it cost, and the whole process no less than its costliest step."""
    for step in metrics["steps"].values():
        figures = step["metrics"]
        assert step["seconds"] == figures["profile.wall_seconds"] > 0 <= figures["profile.cpu_seconds"]
        peak, mean = figures["profile.peak_memory_bytes"], figures["profile.mean_memory_bytes"]
        assert 50 << 20 < mean <= peak <= metrics["process"]["peak_memory_bytes"] < 8 << 30


def check_scores(store: dict[str, bytes], files: dict[str, bytes]) -> None:
    """The stored rows, scored with the package alone, give the stored scores."""
    signature = Signature.decode(files["signature.json"])
    lines = [json.loads(line) for line in store["holdout.jsonl"].splitlines()]
    scores = [line.split("\t") for line in store["scores.tsv"].decode().splitlines()]
    labels = [line.split("\t") for line in store["labels.tsv"].decode().splitlines()]
    assert scores[0] == ["row", "score"] and labels[0] == ["row", "label"]
    assert len(lines) == len(scores) - 1 == len(labels) - 1 == 576
    # The features, and what a champion, a slice or a baseline may need beside them; never the label.
    assert set(lines[0]) >= set(support.FEATURES) and "late" not in lines[0] and isinstance(lines[0]["weekend"], bool)
    assert {type(line["distance"]) for line in lines} == {int}
    assert {label for _, label in labels[1:]} == {"0", "1"}
    values, _ = rows.to_matrix(rows.from_json(lines, signature.inputs), signature.inputs)
    booster = lightgbm.Booster(model_str=files["model.txt"].decode())
    assert [float(s) for _, s in scores[1:]] == np.asarray(booster.predict(values)).tolist()


def check_golden(files: dict[str, bytes]) -> None:
    signature = Signature.decode(files["signature.json"])
    golden = [json.loads(line) for line in files["golden.jsonl"].splitlines()]
    assert 32 < len(golden) <= 64
    inputs = [g["input"] for g in golden]
    assert any(r["wind_speed"] is None for r in inputs) and any(r["carrier"] == "__unknown__" for r in inputs)
    values, _ = rows.to_matrix(rows.from_json(inputs, signature.inputs), signature.inputs)
    booster = lightgbm.Booster(model_str=files["model.txt"].decode())
    assert [g["output"]["probability"] for g in golden] == np.asarray(booster.predict(values)).tolist()
    carrier = signature.inputs[0]
    assert carrier.categories == ("AA", "B6", "DL", "UA", "Zürich") and carrier.nullable


def test_same_inputs_give_the_same_package_whatever_the_threads(tmp_path: Path) -> None:
    ids = set()
    with support.control() as plane:
        parts = flight_parts(plane)
        for threads, attempt in ((1, 1), (2, 1), (3, 2)):
            job = support.write_job(
                tmp_path / str(threads),
                plane,
                support.BOOSTER,
                parts,
                support.request(),
                threads=threads,
                attempt=attempt,
            )
            status, out = run(job, PYTHONHASHSEED=str(threads))
            assert status == 0, out
            ids.add(plane.state.completed[-1]["package"])
        assert len(ids) == 1
        other = support.write_job(tmp_path / "x", plane, support.BOOSTER, parts, support.request(), seed=8)
        params = json.loads(other.read_text())
        params["request"]["train"]["custom_params"]["bagging_fraction"] = 0.5
        params["request"]["train"]["custom_params"]["bagging_freq"] = 1
        other.write_text(json.dumps(params))
        assert run(other)[0] == 0
        assert plane.state.completed[-1]["package"] not in ids


PICKLED = """
import numpy as np
from signalbox import Workflow

class Mean:
    def __init__(self, means, rest):
        self.means, self.rest = means, rest

class Flow(Workflow):
    output_names = ["late_share"]

    def preprocess(self, dataframe):
        return dataframe.assign(far=dataframe["distance"] > 1000)

    def train(self, training_dataframe, holdout_dataframe):
        assert "far" in training_dataframe and "far" in holdout_dataframe
        groups = training_dataframe.groupby(["carrier", "far"], observed=True)["late"].mean()
        return Mean(dict(groups), float(training_dataframe["late"].mean()))

    def score(self, model, dataframe):
        keys = zip(dataframe["carrier"], dataframe["far"])
        return np.array([model.means.get(k, model.rest) for k in keys])
"""


def test_any_other_model_becomes_a_python_package(tmp_path: Path) -> None:
    ids = set()
    with support.control() as plane:
        parts = flight_parts(plane)
        for name in ("a", "b"):
            job = support.write_job(tmp_path / name, plane, PICKLED, parts, support.request())
            status, out = run(job)
            assert status == 0, out
            ids.add(plane.state.completed[-1]["package"])
        files = files_of(plane.state, ids.pop())
    assert not ids
    assert sorted(files) == ["code/flow.py", "golden.jsonl", "model.pkl", "requirements.lock", "signature.json"]
    signature = Signature.decode(files["signature.json"])
    assert (signature.runtime, signature.format) == ("python", "python-pickle")
    assert [f.name for f in signature.outputs] == ["late_share"]
    assert b"owner" not in files["model.pkl"], "a package holds content only"


@pytest.mark.parametrize("source", [support.BOOSTER, PICKLED], ids=["trees", "python"])
def test_run_without_a_holdout(tmp_path: Path, source: str) -> None:
    asked = support.request()
    del asked["data"]["holdout_sampling"]
    with support.control() as plane:
        status, out = run(support.write_job(tmp_path, plane, source, flight_parts(plane), asked))
        assert status == 0, out
        (done,) = plane.state.completed
        scores = plane.state.objects[done["artifacts"]["scores.tsv"]]
    assert scores == b"row\tscore\n"


@pytest.mark.parametrize(
    ("source", "change", "step", "kind", "words"),
    [
        ("raise ValueError('boom')", {}, "train", "ValueError", "flow.py:5 in train"),
        ("return None", {}, "train", "TypeError", "return the fitted model"),
        ("return 1", {"label": "nope"}, "preprocess", "DatasetError", "'nope' is no column"),
        ("return 1", {"classifier_features": ["event_time"]}, "preprocess", "DatasetError", "derive a number"),
        ("return 1", {"classifier_features": ["x"]}, "preprocess", "DatasetError", "which the data lacks"),
    ],
)
def test_failures_are_reported(
    tmp_path: Path, source: str, change: dict[str, Any], step: str, kind: str, words: str
) -> None:
    flow = f"from signalbox import Workflow\n\nclass Flow(Workflow):\n    def train(self, a, b):\n        {source}\n"
    with support.control() as plane:
        job = support.write_job(tmp_path, plane, flow, flight_parts(plane), support.request(**change))
        status, out = run(job)
        assert status == 1
        (failed,) = plane.state.failed
        exception = failed["exception"]
        assert (exception["type"], exception["step"], exception["retryable"]) == (kind, step, False), out
        assert words in exception["message"] and str(tmp_path) not in exception["message"]
        assert sorted(failed["artifacts"]) == ["environment.lock", "metrics.json"]


def test_corrupt_part_is_refused(tmp_path: Path) -> None:
    with support.control() as plane:
        parts = flight_parts(plane)
        data = bytearray(plane.state.objects["p1"])
        data[1000] ^= 1
        plane.state.objects["p1"] = bytes(data)
        status, _ = run(support.write_job(tmp_path, plane, support.BOOSTER, parts, support.request()))
        assert status == 1
        (failed,) = plane.state.failed
        assert failed["exception"]["step"] == "fetch" and "nothing of it was used" in failed["exception"]["message"]
        left = list((tmp_path / "cache").iterdir())
        assert [digest.of_file(f) for f in left] == [f.name for f in left] and len(left) == 1


def test_fenced_attempt_stops_without_a_word(tmp_path: Path) -> None:
    with support.control() as plane:
        plane.state.fenced = True
        status, out = run(support.write_job(tmp_path, plane, support.BOOSTER, flight_parts(plane), support.request()))
        assert status == 3 and "no longer counts" in out
        assert not plane.state.failed and not plane.state.packages


def test_attempt_of_another_executor_is_left_alone(tmp_path: Path) -> None:
    with support.control() as plane:
        job = support.write_job(tmp_path, plane, support.BOOSTER, flight_parts(plane), support.request())
        plane.state.executors[json.loads(job.read_text())["run_id"], 1] = "pod-1"
        status, out = run(job, SIGNALBOX_EXECUTOR="pod-2")
        assert status == 3 and "no longer counts" in out
        assert not (tmp_path / "cache").exists() and not plane.state.progress and not plane.state.failed
        assert run(job, SIGNALBOX_EXECUTOR="pod-1")[0] == 0


def test_attempt_that_is_fenced_while_it_runs_publishes_nothing(tmp_path: Path) -> None:
    source = support.BOOSTER.replace("        params", GATE + "        params", 1)
    with support.control() as plane:
        process = start(support.write_job(tmp_path, plane, source, flight_parts(plane), support.request()))
        support.until(lambda: (tmp_path / "training").exists())
        plane.state.fenced = True
        (tmp_path / "go").touch()
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 3, out
        assert not plane.state.packages and not plane.state.failed and not plane.state.completed


# Inside train: tell the test that training has begun, and wait for it.
GATE = """
        import os, pathlib, time
        folder = pathlib.Path(__file__).parent.parent
        self.log_metric("begun", 1, 0)
        (folder / "training").touch()
        while not (folder / "go").exists():
            time.sleep(0.01)
"""


def test_metrics_can_be_watched_while_the_job_runs(tmp_path: Path) -> None:
    source = support.BOOSTER.replace("        params", GATE + "        params", 1)
    with support.control() as plane:
        process = start(support.write_job(tmp_path, plane, source, flight_parts(plane), support.request()))
        support.until(lambda: plane.state.chunks)
        (point,) = [json.loads(line) for line in plane.state.stream("series").splitlines()]
        assert (point["name"], point["value"], point["step"]) == ("begun", 1.0, 0)
        assert not plane.state.completed and process.poll() is None
        (tmp_path / "go").touch()
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
        names = [json.loads(line)["name"] for line in plane.state.stream("series").splitlines()]
        assert names == ["begun", "rounds"]


def test_control_plane_that_is_away_during_training_costs_nothing(tmp_path: Path) -> None:
    source = support.BOOSTER.replace("        params", GATE + "        params", 1)
    with support.control() as plane:
        process = start(support.write_job(tmp_path, plane, source, flight_parts(plane), support.request()))
        assert process.stdout is not None
        support.until(lambda: (tmp_path / "training").exists())
        plane.down()
        try:
            (tmp_path / "go").touch()
            for line in process.stdout:
                if "reports of progress wait" in line:
                    break
        finally:
            plane.up()
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0, out
        steps = [p["step"] for p in plane.state.progress if "seconds" in p]
        assert steps == ["fetch", "preprocess", "train", "serialize", "score", "publish"]
        assert [json.loads(line)["name"] for line in plane.state.stream("series").splitlines()] == ["begun", "rounds"]


def test_lost_answers_change_nothing(tmp_path: Path) -> None:
    with support.control() as plane:
        plane.state.lose = [":start", ":progress", "/artifacts", "/series/0", "blobs:missing"]
        job = support.write_job(tmp_path, plane, support.BOOSTER, flight_parts(plane), support.request())
        status, out = run(job)
        assert status == 0, out
        assert not plane.state.lose and len(plane.state.completed) == 1
        assert len(plane.state.stream("series").splitlines()) == 1


def test_signal_ends_the_process_without_a_report(tmp_path: Path) -> None:
    source = support.BOOSTER.replace(
        "        params", "        print('training', flush=True); import time; time.sleep(60)\n        params", 1
    )
    with support.control() as plane:
        process = start(support.write_job(tmp_path, plane, source, flight_parts(plane), support.request()))
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("training"):
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == -signal.SIGTERM
        process.stdout.close()
        assert not plane.state.failed and not plane.state.completed


def test_control_plane_that_fails_for_a_while_is_ridden_out(tmp_path: Path) -> None:
    with support.control() as plane:
        plane.state.refuse = [503, 500, 429]
        plane.state.conflicts = 1
        status, out = run(support.write_job(tmp_path, plane, support.BOOSTER, flight_parts(plane), support.request()))
        assert status == 0, out
        assert len(plane.state.completed) == 1


def test_bad_job_document(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text('{"version": 9, "request": {}, "inputs": []}')
    status, out = run(path)
    assert status == 1 and "knows version 1" in out


def test_numpy_is_seeded(tmp_path: Path) -> None:
    source = PICKLED.replace('float(training_dataframe["late"].mean())', "float(np.random.random())")
    with support.control() as plane:
        parts = flight_parts(plane)
        for name in ("a", "b"):
            assert run(support.write_job(tmp_path / name, plane, source, parts, support.request()))[0] == 0
        first, second = (c["package"] for c in plane.state.completed)
    assert first == second and np.isfinite(1.0)
