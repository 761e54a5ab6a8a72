"""A conformance kit for workflows: one call in a test says whether a workflow is fit to be trained and served.

    from signalbox.testing import check_workflow

    def test_flight_delay():
        check_workflow(FlightDelay, frame, {"train": {"classifier_features": [...], "label": "late"}})

The workflow is trained twice by the runner's own steps; what the package predicts is then asked as a server would.
"""

from __future__ import annotations

import inspect
import json
import logging
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import golden, local, rows
from .arrays import Floats
from .formats import fresh
from .signature import FILE, RUNTIME_PYTHON, Signature
from .workflow import Workflow

_SHOWN = 200  # rows on which predictions are compared

Predict = Callable[[list[dict[str, Any]]], Floats]


class ConformanceError(AssertionError):
    """The workflow is not fit; the message lists everything that was found."""


@dataclass(frozen=True)
class Report:
    """What a workflow that passed left: for assertions of the caller's own."""

    package: str
    signature: Signature
    metrics: dict[str, float]
    scores: Floats  # of the holdout, a row of outputs each


def check_workflow(kind: type[Workflow], frame: pd.DataFrame, request: Mapping[str, Any]) -> Report:
    """Train a workflow twice on a small frame and check what it leaves. ConformanceError lists every fault.

    ``request`` is a training request; without ``data.holdout_sampling`` a fifth of the rows is the holdout. An error of
    the workflow itself is raised as it is.
    """
    logging.getLogger("signalbox.runner").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="signalbox-testing-") as scratch:
        base = Path(scratch)
        what = _prepare(kind, frame, request, base)
        first = local.train(what, base / "first", say=lambda line: None)
        second = local.train(what, base / "second", say=lambda line: None)
        trained = _Trained.read(first.folder)
        faults = [] if first.package == second.package else [_differing(first.folder, second.folder)]
        faults += _check_scores(trained)
        faults += _check_leaks(trained, frame, request)
        with_worker = trained.signature.runtime == RUNTIME_PYTHON
        files = _files(first.folder / "package")
        if with_worker:
            try:
                with fresh.load(files) as loaded:
                    faults += _check_predictions(trained, _ask_worker(loaded, trained.signature))
            except fresh.FreshError as err:
                faults.append(f"the package cannot be loaded: {err}")
        else:
            faults += _check_predictions(trained, _ask_engine(files, trained.signature))
    if faults:
        raise ConformanceError(f"{kind.__name__} is not fit to be served:\n" + "\n".join(f"- {f}" for f in faults))
    return Report(first.package, trained.signature, first.metrics, trained.scores)


@dataclass(frozen=True)
class _Trained:
    """A package's signature, and what its run left of the holdout."""

    signature: Signature
    scores: Floats
    holdout: list[dict[str, Any]]  # rows of predict requests, with the other columns beside the inputs

    @classmethod
    def read(cls, folder: Path) -> _Trained:
        """Read the folder of a local run."""
        signature = Signature.decode((folder / "package" / FILE).read_bytes())
        lines = (folder / "scores.tsv").read_text("utf-8").splitlines()[1:]
        scores = np.array([line.split("\t")[1:] for line in lines], dtype=np.float64)
        holdout = [json.loads(line) for line in (folder / "holdout.jsonl").read_text("utf-8").splitlines()]
        return cls(signature, scores.reshape(len(lines), -1), holdout)


def _prepare(kind: type[Workflow], frame: pd.DataFrame, request: Mapping[str, Any], base: Path) -> local.Local:
    """Lay out the workflow's module and the data as a run wants them."""
    if kind.__module__ == "__main__":
        raise ConformanceError(f"{kind.__name__} is defined in a script: a package needs it in a module of its own")
    source = inspect.getsourcefile(kind)
    if source is None:
        raise ConformanceError(f"{kind.__name__} has no source file")
    target = base / "code" / (kind.__module__.replace(".", "/") + ".py")
    target.parent.mkdir(parents=True)
    target.write_bytes(Path(source).read_bytes())
    frame.to_parquet(base / "rows.parquet", index=False)
    asked = json.loads(json.dumps(request))
    asked.setdefault("data", {}).setdefault("holdout_sampling", local.HOLDOUT)
    return local.Local(base / "code", f"{kind.__module__}:{kind.__name__}", base / "rows.parquet", asked)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def _differing(first: Path, second: Path) -> str:
    one, two = _files(first / "package"), _files(second / "package")
    names = sorted(n for n in one.keys() | two.keys() if one.get(n) != two.get(n))
    return (
        f"training twice on the same rows gave two packages, which differ in {', '.join(names)}: seed everything that "
        f"draws at random with self.seed, and use self.lightgbm_params where LightGBM trains"
    )


def _check_scores(trained: _Trained) -> list[str]:
    faults = []
    if not len(trained.holdout):
        faults.append("the holdout has no rows: nothing of the scores could be checked")
    if trained.scores.shape != (len(trained.holdout), len(trained.signature.outputs)):
        faults.append(
            f"score gave {trained.scores.shape[0]} rows of {trained.scores.shape[1]} outputs for "
            f"{len(trained.holdout)} rows and outputs {[f.name for f in trained.signature.outputs]}"
        )
    elif not np.isfinite(trained.scores).all():
        faults.append("scores of the holdout are NaN or infinite")
    return faults


def _check_leaks(trained: _Trained, frame: pd.DataFrame, request: Mapping[str, Any]) -> list[str]:
    """Find the label among the features, under its own name or another."""
    label = (request.get("train") or {}).get("label") or ""
    names = [f.name for f in trained.signature.inputs]
    if label in names:
        return [f"the label {label!r} is one of the features: serving will not have it"]
    if label not in frame or frame[label].nunique() < 2:
        return []
    truth = pd.factorize(frame[label])[0]
    same = [n for n in names if n in frame and np.array_equal(pd.factorize(frame[n])[0], truth)]
    return [f"feature {name!r} is the label in other words: every value of it stands for one label" for name in same]


def _check_predictions(trained: _Trained, predict: Predict) -> list[str]:
    """Compare what the package answers with what training computed, and ask it for unusual rows."""
    asked, wanted = trained.holdout[:_SHOWN], trained.scores[:_SHOWN]
    if not asked or wanted.shape[1] != len(trained.signature.outputs):
        return []
    faults = []

    def compare(what: str, found: Floats, expected: Floats) -> None:
        if found.shape != expected.shape:
            faults.append(f"{what}: {found.shape[0]} rows for {expected.shape[0]}")
        elif not np.allclose(found, expected, rtol=0, atol=max(trained.signature.tolerance, 1e-9), equal_nan=True):
            apart = np.nanmax(np.abs(found - expected))
            faults.append(f"{what}: predictions differ by up to {apart:g}")

    try:
        compare(
            "the package against the scores of the holdout (the label, or a column that serving lacks, may have been "
            "used by preprocess or score)",
            predict(asked),
            wanted,
        )
        order = np.random.default_rng(0).permutation(len(asked))
        compare("the same rows in another order", predict([asked[i] for i in order]), wanted[order])
        alone = np.vstack([predict([row]) for row in asked[:8]])
        compare("rows one by one (preprocess or score looks at other rows of the request)", alone, wanted[:8])
        for what, row in _unusual(trained.signature, asked[0]).items():
            if not np.isfinite(predict([row])).all():
                faults.append(f"{what}: the prediction is no finite number")
    except fresh.FreshError as err:
        faults.append(f"the package fails on a request: {err}")
    return faults


def _unusual(signature: Signature, row: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return requests that the data may lack, by what is unusual about them."""
    nullable = [f.name for f in signature.inputs if f.nullable]
    coded = [f.name for f in signature.inputs if f.categories]
    found = {f"{name} missing": {**row, name: None} for name in nullable}
    found |= {f"{name} of an unseen category": {**row, name: golden.UNKNOWN} for name in coded}
    if nullable:
        found["everything missing that may be"] = {**row, **dict.fromkeys(nullable)}
    return found


def _ask_worker(loaded: fresh.Loaded, signature: Signature) -> Predict:
    def predict(asked: list[dict[str, Any]]) -> Floats:
        return loaded.predict(*rows.to_matrix(rows.from_json(asked, signature.inputs), signature.inputs))

    return predict


def _ask_engine(files: Mapping[str, bytes], signature: Signature) -> Predict:
    """Return the predictions of a native package's file alone."""
    if signature.format == "lightgbm-text":
        from .formats import lightgbm as engine
    else:
        from .formats import xgboost as engine  # type: ignore[no-redef]
    compute = engine.reader(files[signature.model])

    def predict(asked: list[dict[str, Any]]) -> Floats:
        matrix, _ = rows.to_matrix(rows.from_json(asked, signature.inputs), signature.inputs)
        return compute(matrix).reshape(len(asked), -1)

    return predict
