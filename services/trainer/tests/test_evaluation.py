"""What a run leaves beside its package: scores, labels, figures, the environment, and why it failed."""

from __future__ import annotations

import http.client
import importlib
import logging
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import support

from signalbox import environment, evaluation, failure, transport
from signalbox.signature import Field, number
from signalbox.workflow import Workflow


def test_scores_and_labels() -> None:
    one = evaluation.scores_tsv(np.array([0.25, 1 / 3]), (number("probability"),))
    assert one == b"row\tscore\n0\t0.25\n1\t0.3333333333333333\n"
    two = evaluation.scores_tsv(np.array([[1.0, 2.0]]), (number("a"), number("b")))
    assert two == b"row\ta\tb\n0\t1.0\t2.0\n"
    assert evaluation.scores_tsv(np.zeros(0), (number("p"),)) == b"row\tscore\n"
    for labels, wanted in (
        ([True, False], b"0\t1\n1\t0\n"),
        ([1.0, 0.0], b"0\t1\n1\t0\n"),
        ([2.5, 1.0], b"0\t2.5\n1\t1\n"),
        (["a\tb", "c"], b"0\ta b\n1\tc\n"),
    ):
        assert evaluation.labels_tsv(pd.Series(labels)) == b"row\tlabel\n" + wanted


def test_rows_are_plain_json() -> None:
    frame = pd.DataFrame({"x": [1.5, np.nan, np.inf], "n": [1.0, np.nan, 3.0], "c": ["é", None, "b"]})
    fields = (Field("x", "number", True), Field("n", "integer", True), Field("c", "string", True, ("b",)))
    assert evaluation.holdout_jsonl(frame, fields).decode().splitlines() == [
        '{"x": 1.5, "n": 1, "c": "é"}',
        '{"x": null, "n": null, "c": null}',
        '{"x": null, "n": 3, "c": "b"}',
    ]


def test_other_columns_stand_beside_the_inputs() -> None:
    frame = pd.DataFrame(
        {
            "x": [1.5, 2.0],
            "late": [True, False],
            "n": [1, 2],
            "delay": [np.nan, 3.5],
            "id": ["a", None],
            "at": pd.to_datetime(["2013-01-01", "2013-01-02"]),
            "blob": [b"1", b"2"],
        }
    )
    inputs = (Field("x", "number", True),)
    assert [(f.name, f.type) for f in evaluation.others(frame, inputs, "late")] == [
        ("n", "integer"),
        ("delay", "number"),
        ("id", "string"),
    ]
    assert evaluation.holdout_jsonl(frame, inputs + evaluation.others(frame, inputs, "late")).decode().splitlines() == [
        '{"x": 1.5, "n": 1, "delay": null, "id": "a"}',
        '{"x": 2.0, "n": 2, "delay": 3.5, "id": null}',
    ]


def test_figures_against_their_definition() -> None:
    rng = np.random.default_rng(4)
    labels = pd.Series(rng.random(300) < 0.3)
    scores = np.round(rng.random(300) * 0.5 + labels.to_numpy() * 0.3, 2)  # rounded: ties
    got = evaluation.binary_metrics(labels, scores)
    positive, negative = scores[labels], scores[~labels]
    pairs = (positive[:, None] > negative).sum() + 0.5 * (positive[:, None] == negative).sum()
    assert got["holdout_auc"] == pytest.approx(pairs / (len(positive) * len(negative)), abs=1e-12)
    losses = [-np.log(s if t else 1 - s) for s, t in zip(np.clip(scores, 1e-15, 1 - 1e-15), labels)]
    assert got["holdout_log_loss"] == pytest.approx(np.mean(losses), abs=1e-12)


@pytest.mark.parametrize("labels", [[1, 1, 1], [0, 1, 2], ["a", "b", "c"]])
def test_no_figures_without_two_classes(labels: list[object]) -> None:
    assert evaluation.binary_metrics(pd.Series(labels), np.array([0.1, 0.2, 0.3])) == {}


def test_pytorch_is_seeded_once_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    environment.seed_everything(6)
    (tmp_path / "torch.py").write_text("raise ImportError('half installed')")
    importlib.invalidate_caches()
    with pytest.raises(ImportError, match="half installed"):
        importlib.import_module("torch")
    (tmp_path / "torch.py").write_text("seeds = []\nmanual_seed = seeds.append\n")
    finders = len(sys.meta_path)
    environment.seed_everything(7)
    assert len(sys.meta_path) == finders and importlib.util.find_spec("torch") is not None
    torch = importlib.import_module("torch")
    assert torch.seeds == [7] and len(sys.meta_path) == finders - 1
    environment.seed_everything(8)
    assert torch.seeds == [7, 8] and importlib.import_module("torch") is torch
    monkeypatch.delitem(sys.modules, "torch")


def test_environment_names_what_is_installed() -> None:
    lines = environment.lock().splitlines()
    assert lines[0].startswith("# CPython 3.") and "lightgbm==4.6.0" in lines
    assert lines[1:] == sorted(lines[1:]) and not any(line.startswith("pytest==") for line in lines)


def test_failure_names_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text("def train():\n    raise MemoryError\n")
    scope: dict[str, object] = {}
    exec(compile(path.read_text(), str(path), "exec"), scope)
    try:
        scope["train"]()  # type: ignore[operator]
    except MemoryError as err:
        doc = failure.describe(err, "train", tmp_path)
    assert doc["type"] == "MemoryError" and doc["retryable"] and doc["step"] == "train"
    assert "flow.py:2 in train" in doc["message"] and str(tmp_path) not in doc["message"]


def test_requests_are_repeated_until_they_are_answered() -> None:
    pauses: list[float] = []
    with support.control() as plane:
        plane.state.refuse = [503, 500]
        url = f"{plane.url}/store/absent"
        assert transport.request("GET", url, {}, pause=pauses.append).status == 404
        assert len(pauses) == 2
        plane.state.refuse = [503] * transport.ATTEMPTS
        with pytest.raises(transport.TransportError, match="HTTP 503"):
            transport.request("GET", url + "?secret=1", {}, pause=pauses.append)
    with pytest.raises(transport.TransportError) as caught:
        transport.request("GET", url + "?secret=1", {}, pause=pauses.append)
    assert "secret" not in str(caught.value) and max(pauses) <= 5


def test_error_bodies_do_not_reach_the_reader_of_content() -> None:
    def read(response: http.client.HTTPResponse) -> bytes:
        raise AssertionError("read the body of an error")

    with support.control() as plane:
        assert transport.request("GET", f"{plane.url}/store/absent", {}, read=read).status == 404


def test_workflow_metrics() -> None:
    flow = Workflow()
    flow.log_metric("rounds", 3)
    assert flow.metrics == {"rounds": 3.0} and isinstance(flow.log, logging.Logger)
    with pytest.raises(ValueError, match="finite"):
        flow.log_metric("loss", float("nan"))
    with pytest.raises(NotImplementedError, match="must define train"):
        flow.train(pd.DataFrame(), pd.DataFrame())
