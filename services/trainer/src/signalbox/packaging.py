"""From a fitted model to a package: the native form where an engine reproduces the workflow's scores, else Python."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import formats, golden, rows
from .arrays import Floats
from .formats import fresh, pickled
from .package import MEDIA_CODE, MEDIA_DOC, MEDIA_WEIGHT, MEDIA_WEIGHT_CONFIG, Blob, Package
from .signature import FILE, GOLDEN_FILE, RUNTIME_PYTHON, RUNTIME_TREES, Field, Signature, number
from .workflow import Workflow

_log = logging.getLogger("signalbox.packaging")

Predict = Callable[[pd.DataFrame], Floats]


class PackagingError(Exception):
    """The package does not compute what the workflow computed, so nobody may serve it."""


@dataclass(frozen=True)
class Built:
    """A package and its signature."""

    package: Package
    signature: Signature


def build(
    workflow: Workflow,
    model: Any,
    fields: tuple[Field, ...],
    sample: pd.DataFrame,
    code: Mapping[str, bytes],
    lock: str,
) -> Built:
    """Package a model. ``sample`` is prepared rows to check it on; ``code`` and ``lock`` are the workflow's files and
    the environment, which only Python packages hold. PackagingError where the package computes something else."""
    model = workflow.make_serializable(model)
    outputs = output_fields(workflow, model, _outputs(workflow.score(model, workflow.preprocess(sample))))
    try:
        native = _native(workflow, model, fields, sample)
    except formats.NotNative as why:
        _log.info("packaging as Python: %s", why)
        return _python(workflow, model, fields, outputs, sample, code, lock)
    signature = Signature(RUNTIME_TREES, native.format, native.file, native.inputs, outputs, native.tolerance)
    files = {native.file: Blob(MEDIA_WEIGHT, native.data)}
    return _finish(signature, files, sample, lambda frame: native.predict(rows.to_matrix(frame, native.inputs)[0]))


def output_fields(workflow: Workflow, model: Any, scores: Floats) -> tuple[Field, ...]:
    """Name the outputs of a model. PackagingError where output_names does not fit what score returns."""
    if scores.ndim not in (1, 2):
        raise PackagingError(f"score returned an array of {scores.ndim} dimensions: want a row of outputs for each row")
    width = 1 if scores.ndim == 1 else scores.shape[1]
    if workflow.output_names is not None:
        if len(workflow.output_names) != width:
            raise PackagingError(f"output_names has {len(workflow.output_names)} names for {width} outputs")
        return tuple(number(n) for n in workflow.output_names)
    return tuple(number(n) for n in formats.of(model).outputs(model, width))


def _native(workflow: Workflow, model: Any, fields: tuple[Field, ...], sample: pd.DataFrame) -> formats.Native:
    kind = type(workflow)
    if kind.score is not Workflow.score or kind.preprocess is not Workflow.preprocess:
        raise formats.NotNative("the workflow has its own score or preprocess")
    native = formats.trees(model, fields)
    wanted = _outputs(workflow.score(model, sample))
    found = native.predict(rows.to_matrix(sample, native.inputs)[0])
    difference = _difference(wanted, found)
    if difference > native.tolerance:
        raise formats.NotNative(
            f"{native.file} predicts differently by {difference:g}: did the workflow encode features itself?"
        )
    return native


def _python(
    workflow: Workflow,
    model: Any,
    fields: tuple[Field, ...],
    outputs: tuple[Field, ...],
    sample: pd.DataFrame,
    code: Mapping[str, bytes],
    lock: str,
) -> Built:
    data = _dump(workflow, model)
    signature = Signature(RUNTIME_PYTHON, pickled.FORMAT, pickled.FILE, fields, outputs, pickled.TOLERANCE)
    files = {pickled.FILE: Blob(MEDIA_WEIGHT, data), pickled.REQUIREMENTS_FILE: Blob(MEDIA_CODE, lock.encode())}
    for path, source in code.items():
        files[f"{pickled.CODE_DIR}/{path}"] = Blob(MEDIA_CODE, source)
    wanted = _outputs(workflow.score(model, workflow.preprocess(sample[[f.name for f in fields]])))
    stored = {FILE: signature.encode(), **{path: blob.data for path, blob in files.items()}}
    try:
        with fresh.load(stored) as loaded:
            difference = _difference(wanted.reshape(len(sample), -1), loaded.predict(*rows.to_matrix(sample, fields)))
            if difference > pickled.TOLERANCE:
                raise PackagingError(f"the model predicts differently by {difference:g} once it is loaded again")
            return _finish(signature, files, sample, lambda frame: loaded.predict(*rows.to_matrix(frame, fields)))
    except fresh.FreshError as err:
        raise PackagingError(
            f"the package does not work in a process of its own, where rows may also be null or of unknown "
            f"categories as far as the signature allows: {err}"
        ) from err


def _dump(workflow: Workflow, model: Any) -> bytes:
    try:
        return pickled.dump(workflow, model)
    except (pickle.PicklingError, AttributeError, TypeError) as err:
        raise PackagingError(
            f"{type(model).__qualname__} cannot be packaged: {err}. Define classes and functions at the top of the "
            f"workflow's modules, or return what can be packaged from make_serializable"
        ) from err


def _finish(signature: Signature, files: dict[str, Blob], sample: pd.DataFrame, predict: Predict) -> Built:
    files[FILE] = Blob(MEDIA_WEIGHT_CONFIG, signature.encode())
    files[GOLDEN_FILE] = Blob(MEDIA_DOC, golden.encode(signature, sample, lambda frame: _outputs(predict(frame))))
    return Built(Package(signature.format, files), signature)


def _outputs(scores: Any) -> Floats:
    """Return what score returned as an array. PackagingError for outputs that are no finite numbers."""
    try:
        array = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as err:
        raise PackagingError(f"score returned no numbers: {err}") from err
    if not np.isfinite(array).all():
        raise PackagingError(
            "score returned NaN or infinity: what a model answers must be a finite number, for rows with nulls too"
        )
    return array


def _difference(wanted: Floats, found: Floats) -> float:
    """Return the largest absolute difference; infinite where shapes differ, NaN equals NaN."""
    wanted, found = np.asarray(wanted, dtype=np.float64), np.asarray(found, dtype=np.float64)
    if wanted.shape != found.shape:
        return float("inf")
    if not wanted.size:
        return 0.0
    apart = np.where(np.isnan(wanted) & np.isnan(found), 0.0, np.abs(wanted - found))
    return float("inf") if np.isnan(apart).any() else float(apart.max())
