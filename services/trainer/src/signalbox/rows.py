"""Rows in their three forms: DataFrame for Python, JSON for requests, matrix of float64 for engines.

In a matrix null is NaN, booleans are 0 and 1, and a text with categories is its index; a text outside them is NaN, as
if it were null. LightGBM treats NaN in a categorical split as "in no set": both unknown and null go right.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .arrays import Floats
from .dataset import BOOLEAN, INTEGER, STRING
from .signature import Field


def prepare(frame: pd.DataFrame, fields: Sequence[Field]) -> pd.DataFrame:
    """Return a copy whose feature columns have the types that training, scoring and serving share.

    These are float64, Categorical with the field's categories, or text, where null is the empty text.
    """
    out = frame.copy(deep=False)
    for field in fields:
        column = frame[field.name]
        if field.categories:
            out[field.name] = pd.Categorical(column, categories=list(field.categories))
        elif field.type == STRING:
            out[field.name] = column.astype(object).where(column.notna(), "")
        else:
            out[field.name] = column.astype("float64")
    return out


def to_matrix(frame: pd.DataFrame, fields: Sequence[Field]) -> tuple[Floats, list[str]]:
    """Return (rows x width numbers, texts of the columns without categories) of a prepared frame."""
    values = np.full((len(frame), len(fields)), np.nan)
    text: list[list[str]] = []
    for i, field in enumerate(fields):
        column = frame[field.name]
        if field.categories:
            codes = column.cat.codes.to_numpy(dtype=np.float64)
            values[:, i] = np.where(codes < 0, np.nan, codes)
        elif field.type != STRING:
            values[:, i] = column.to_numpy(dtype=np.float64)
    if any(f.type == STRING and not f.categories for f in fields):
        plain = {f.name for f in fields if f.type == STRING and not f.categories}
        columns = [list(frame[f.name]) if f.name in plain else [""] * len(frame) for f in fields]
        text = [list(row) for row in zip(*columns)]
    return values, [cell for row in text for cell in row]


def from_matrix(values: Floats, text: Sequence[str], fields: Sequence[Field]) -> pd.DataFrame:
    """Return the prepared frame of a matrix; the inverse of to_matrix."""
    columns: dict[str, Any] = {}
    width = len(fields)
    for i, field in enumerate(fields):
        if field.categories:
            codes = np.where(np.isnan(values[:, i]), -1, values[:, i]).astype(np.int64)
            columns[field.name] = pd.Categorical.from_codes(codes, categories=list(field.categories))
        elif field.type == STRING:
            columns[field.name] = pd.Series(list(text[i::width]), dtype=object)
        else:
            columns[field.name] = values[:, i]
    return pd.DataFrame(columns, index=pd.RangeIndex(len(values)))


def to_json(frame: pd.DataFrame, fields: Sequence[Field]) -> Iterable[dict[str, Any]]:
    """Yield the rows of a frame (prepared or not) as rows of a predict request."""
    columns = [_json_column(frame[f.name], f) for f in fields]
    names = [f.name for f in fields]
    for cells in zip(*columns):
        yield dict(zip(names, cells))


def to_jsonl(frame: pd.DataFrame, fields: Sequence[Field]) -> str:
    """Return the rows of ``to_json`` as lines, as json.dumps writes each, in less than half the time."""
    if not fields:
        return "{}\n" * len(frame)
    keys = [json.dumps(f.name, ensure_ascii=False).replace("%", "%%") for f in fields]
    line = "{" + ", ".join(f"{key}: %s" for key in keys) + "}\n"
    columns = [_encoded(_json_column(frame[f.name], f), f) for f in fields]
    return "".join(line % cells for cells in zip(*columns))


def from_json(rows: Iterable[Mapping[str, Any]], fields: Sequence[Field]) -> pd.DataFrame:
    """Return the prepared frame of rows of a predict request; a column that a row lacks is null."""
    rows = list(rows)
    raw = {f.name: pd.Series([r.get(f.name) for r in rows], dtype=object) for f in fields}
    return prepare(pd.DataFrame(raw, index=pd.RangeIndex(len(rows))), fields)


def _encoded(cells: list[Any], field: Field) -> list[str]:
    """Return cells of one type as json.dumps writes them."""
    encode = {BOOLEAN: _boolean, INTEGER: int.__repr__, STRING: _text}.get(field.type, float.__repr__)
    return ["null" if c is None else encode(c) for c in cells]


def _boolean(value: bool) -> str:
    return "true" if value else "false"


_text = json.JSONEncoder(ensure_ascii=False).encode


def _json_column(column: pd.Series, field: Field) -> list[Any]:
    cells, absent = column.tolist(), column.isna().tolist()
    convert = {BOOLEAN: bool, INTEGER: int, STRING: str}.get(field.type, float)
    out = [None if gone else convert(cell) for cell, gone in zip(cells, absent)]
    if convert is float:  # JSON has no infinities
        out = [c if c is None or math.isfinite(c) else None for c in out]
    return out
