"""Training without a control plane gives what a job gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import support

from signalbox import cli, digest, local

SRC = str(Path(__file__).resolve().parents[1] / "src")

PIPELINE = """
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from signalbox import Workflow

class Flow(Workflow):
    def train(self, training_dataframe, holdout_dataframe):
        texts = [f for f in self.classifier_features if training_dataframe[f].dtype == "category"]
        numbers = [f for f in self.classifier_features if f not in texts]
        columns = ColumnTransformer([("n", SimpleImputer(), numbers),
                                     ("t", OneHotEncoder(handle_unknown="ignore"), texts)])
        model = make_pipeline(columns, LogisticRegression(max_iter=self.custom_params.get("max_iter", 50)))
        self.log_metric("columns", len(self.classifier_features))
        return model.fit(training_dataframe[self.classifier_features], training_dataframe[self.classifier_label])
"""


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": SRC, "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True, timeout=120)


def as_job(folder: Path, source: str, files: list[Path], asked: dict[str, Any], **given: Any) -> str:
    """Return the package that a job publishes, by the real runner."""
    with support.control() as plane:
        parts = [plane.put(f.name, f.read_bytes()) for f in files]
        job = support.write_job(folder, plane, source, parts, asked, **given)
        done = run([sys.executable, "-m", "signalbox.runner", str(job)], folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return str(plane.state.completed[0]["package"])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("source", [support.BOOSTER, PIPELINE], ids=["native", "python"])
def test_local_run_gives_the_package_of_a_job(source: str, tmp_path: Path) -> None:
    frame, data = support.flights(), tmp_path / "data"
    data.mkdir()
    files = [data / f"part-{i}.parquet" for i in (2, 10)]  # in the order of their numbers
    for i, file in enumerate(files):
        frame.iloc[i * 1500 : (i + 1) * 1500].to_parquet(file, index=False)
    (tmp_path / "flow.py").write_text(source)
    asked = support.request()
    asked["data"]["features"] = [{"dataset": "flights@latest"}]
    (tmp_path / "request.json").write_text(json.dumps(asked))
    command = [sys.executable, "-m", "signalbox", "train", "--local", "flow.py:Flow", "--data", "data"]
    done = run([*command, "--request", "request.json", "--out", "out", "--param", "seed=7"], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    out = tmp_path / "out"
    package = digest.of((out / "manifest.json").read_bytes())
    assert f"package {package} in out/package" in done.stdout and "holdout_auc" in done.stdout
    assert {p.name for p in out.iterdir()} == {
        "environment.lock", "holdout.jsonl", "labels.tsv", "manifest.json", "metrics.json", "package", "scores.tsv"
    }  # fmt: skip
    asked["train"]["custom_params"]["seed"] = 7
    assert as_job(tmp_path / "job", source, files, asked, seed=7) == package


def test_errors_of_the_workflow_come_with_their_place(tmp_path: Path) -> None:
    support.flights(100).to_parquet(tmp_path / "rows.parquet", index=False)
    (tmp_path / "flow.py").write_text("from signalbox import Workflow\nclass Flow(Workflow):\n    pass\n")
    command = [sys.executable, "-m", "signalbox", "train", "--local", "flow.py:Flow", "--data", "rows.parquet"]
    done = run([*command, "--label", "late"], tmp_path)
    assert done.returncode == 1 and "Flow must define train" in done.stderr and "workflow.py" in done.stderr


def test_nothing_said_is_found_in_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    support.flights(600).to_parquet(tmp_path / "rows.parquet", index=False)
    (tmp_path / "flow.py").write_text(support.BOOSTER)
    what = local.Local(
        tmp_path / "flow.py", "Flow", tmp_path / "rows.parquet", label="late", params={"n_estimators": 3, "max_bin": 15}
    )
    with local.prepared(what) as job:
        assert job.request["train"]["classifier_features"] == ["event_id", *support.FEATURES]
        assert (job.seed, job.model, job.entrypoint) == (1, "flow", "flow:Flow")
        assert job.request["data"]["holdout_sampling"]["sampling_function"] == "RANDOM"
    assert not job.workflow_dir.exists()


def test_manifest_of_a_dataset_describes_its_columns(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("b", "a"):
        support.flights(10).to_parquet(data / f"{name}.parquet", index=False)
    manifest = {
        "label": "late",
        "columns": [{"name": "origin", "type": "string", "nullable": True}],
        "parts": [{"key": "datasets/x/sha256.A/b.parquet"}, {"key": "datasets/x/sha256.A/a.parquet"}],
    }
    (data / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "flow.py").write_text("")
    what = local.Local(tmp_path / "flow.py", "Flow", data)
    with local.prepared(what) as job:
        (source,) = job.inputs
        assert [p.digest for p in source.parts] == [digest.of_file(data / f"{n}.parquet") for n in ("b", "a")]
        assert source.columns[0]["nullable"] is True and job.request["train"]["label"] == "late"
    (data / "a.parquet").unlink()
    with pytest.raises(local.LocalError, match="not beside it: a.parquet"), local.prepared(what):
        pass


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["train"], 2, "--local"),
        (["train", "--local", "flow.py"], 2, "WORKFLOW.py:Class"),
        (["train", "--local", "flow.py:Flow", "--data", "gone.parquet", "--label", "y"], 1, "neither a Parquet file"),
        (["train", "--local", "gone.py:Flow", "--data", "rows.parquet", "--label", "y"], 1, "no workflow gone.py"),
        (["train", "--local", "flow.py:Flow", "--data", "rows.parquet"], 1, "give --label"),
        (["train", "--local", "flow.py:Flow", "--data", "rows.parquet", "--param", "x"], 1, "NAME=VALUE"),
        (["train", "--local", "flow.py:Flow", "--data", "rows.parquet", "--request", "two.json"], 1, "several sources"),
    ],
)
def test_commands_that_make_no_sense(
    arguments: list[str],
    status: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONHASHSEED", "0")
    pd.DataFrame({"x": [1], "y": [2]}).to_parquet("rows.parquet")
    Path("flow.py").write_text("")
    Path("two.json").write_text('{"data": {"features": [{}, {}]}}')
    assert cli.main(arguments) == status
    assert words in capsys.readouterr().err
