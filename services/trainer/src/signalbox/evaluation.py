"""What a run leaves for evaluation: scores, labels and the holdout rows, line by line in the same order."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from . import rows
from .arrays import Floats
from .dataset import BOOLEAN, INTEGER, NUMBER, STRING
from .signature import Field


def scores_tsv(scores: Floats, outputs: tuple[Field, ...]) -> bytes:
    """Return scores.tsv: the row number and the score, or one column an output where there are several."""
    table = np.asarray(scores, dtype=np.float64).reshape(len(scores), len(outputs))
    names = ["score"] if len(outputs) == 1 else [f.name for f in outputs]
    out = io.StringIO()
    out.write("\t".join(["row", *names]) + "\n")
    for i, line in enumerate(table.tolist()):
        out.write("\t".join([str(i), *map(repr, line)]) + "\n")
    return out.getvalue().encode()


def labels_tsv(labels: pd.Series) -> bytes:
    """Return labels.tsv: the row number and the label, booleans as 0 and 1."""
    if pd.api.types.is_bool_dtype(labels):
        labels = labels.astype("int64")
    out = io.StringIO()
    out.write("row\tlabel\n")
    for i, label in enumerate(labels.tolist()):
        out.write(f"{i}\t{_plain(label)}\n")
    return out.getvalue().encode()


def others(holdout: pd.DataFrame, inputs: tuple[Field, ...], label: str | None) -> tuple[Field, ...]:
    """Return the columns beside inputs and label that JSON can hold: for a champion, a slice or a baseline."""
    known = {f.name for f in inputs} | {label}
    types = {name: _type_of(column) for name, column in holdout.items() if name not in known}
    return tuple(Field(str(name), kind, True) for name, kind in types.items() if kind)


def _type_of(column: pd.Series) -> str | None:
    if pd.api.types.is_bool_dtype(column):
        return BOOLEAN
    if pd.api.types.is_integer_dtype(column):
        return INTEGER
    if pd.api.types.is_numeric_dtype(column):
        return NUMBER
    is_text = column.dropna().map(lambda v: isinstance(v, str)).all()
    return STRING if is_text and (column.dtype == object or pd.api.types.is_string_dtype(column)) else None


def holdout_jsonl(holdout: pd.DataFrame, fields: tuple[Field, ...]) -> bytes:
    """Return holdout.jsonl: each line is a row of a predict request, with the other columns beside the inputs."""
    return rows.to_jsonl(holdout, fields).encode()


def binary_metrics(labels: pd.Series, scores: Floats) -> dict[str, float]:
    """Return auc and log_loss of one output against labels of 0 and 1; empty where the labels are anything else or
    all the same. They are for the log: what decides is computed by the evaluation itself."""
    try:
        truth = labels.to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        return {}
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    if scores.ndim != 1 or set(np.unique(truth)) != {0.0, 1.0} or not np.isfinite(scores).all():
        return {}
    positive = truth == 1
    ranks = pd.Series(scores).rank(method="average").to_numpy()
    count = int(positive.sum())
    others = len(truth) - count
    metrics = {"holdout_auc": float((ranks[positive].sum() - count * (count + 1) / 2) / (count * others))}
    if scores.min() >= 0 and scores.max() <= 1:
        clipped = np.clip(scores, 1e-15, 1 - 1e-15)
        metrics["holdout_log_loss"] = float(-np.mean(np.where(positive, np.log(clipped), np.log1p(-clipped))))
    return metrics


def _plain(label: object) -> str:
    text = repr(label) if isinstance(label, float) else str(label)
    if isinstance(label, float) and label.is_integer():
        text = str(int(label))  # integers with nulls are read as floats
    return text.replace("\t", " ").replace("\n", " ")
