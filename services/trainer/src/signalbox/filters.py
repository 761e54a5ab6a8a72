"""Row filters: the predicates of a training request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from . import times
from .dataset import DatasetError

# Members of the typed union feature_value. Singular ones hold one value, plural ones a list.
_SINGLE = ("string_val", "float_val", "int_val", "bool_val", "date_val")
_PLURAL = ("string_vals", "float_vals", "int_vals")

_COMPARE: dict[str, Callable[[pd.Series, Any], pd.Series]] = {
    "Eq": lambda column, value: column == value,
    "NotEq": lambda column, value: column != value,
    "Gt": lambda column, value: column > value,
    "GtEq": lambda column, value: column >= value,
    "Lt": lambda column, value: column < value,
    "LtEq": lambda column, value: column <= value,
}


def apply(frame: pd.DataFrame, filters: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows that pass every filter. As in SQL, null passes only IsNull. DatasetError for a bad filter."""
    keep = pd.Series(True, index=frame.index)
    for i, doc in enumerate(filters):
        try:
            keep &= _mask(frame, doc)
        except (KeyError, TypeError, ValueError) as err:
            raise DatasetError(f"data.filters[{i}] on {doc.get('feature_name')!r}: {err}") from err
    return frame[keep].reset_index(drop=True)


def _mask(frame: pd.DataFrame, doc: Mapping[str, Any]) -> pd.Series:
    name, predicate = doc["feature_name"], doc["predicate"]
    if name not in frame.columns:
        raise ValueError("no such column")
    column = frame[name]
    if predicate == "IsNull":
        return column.isna()
    if predicate == "NotNull":
        return column.notna()
    kind, value = _value(doc.get("feature_value") or {})
    if kind == "date_val":
        column, value = times.column(column), times.instant(value)
    if predicate in ("IsIn", "NotIn"):
        if kind not in _PLURAL:
            raise ValueError(f"{predicate} wants a list: one of {', '.join(_PLURAL)}")
        among = column.isin(value)
        return among if predicate == "IsIn" else ~among & column.notna()
    if predicate not in _COMPARE:
        raise ValueError(f"unknown predicate {predicate!r}")
    if kind in _PLURAL:
        raise ValueError(f"{predicate} wants one value: one of {', '.join(_SINGLE)}")
    return _COMPARE[predicate](column, value) & column.notna()


def _value(union: Mapping[str, Any]) -> tuple[str, Any]:
    given = [k for k in (*_SINGLE, *_PLURAL) if union.get(k) is not None]
    if len(given) != 1:
        raise ValueError(f"feature_value wants exactly one of {', '.join((*_SINGLE, *_PLURAL))}")
    return given[0], union[given[0]]
