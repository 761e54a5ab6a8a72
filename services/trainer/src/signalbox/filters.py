"""Row filters: the predicates of a training request."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd

from . import times
from .errors import DatasetError

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


@dataclass(frozen=True)
class Predicate:
    """One filter, checked as far as it can be without the data."""

    place: int  # in data.filters
    name: str  # of the column
    kind: str
    member: str = ""  # of feature_value; none for IsNull and NotNull
    value: Any = None  # a pandas.Timestamp for date_val


def apply(frame: pd.DataFrame, docs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the rows that pass every filter. As in SQL, null passes only IsNull. DatasetError for a bad filter."""
    keep = pd.Series(True, index=frame.index)
    for predicate in parse(docs):
        with blaming(predicate):
            keep &= mask(frame, predicate)
    return frame[keep].reset_index(drop=True)


def parse(docs: Sequence[Mapping[str, Any]]) -> list[Predicate]:
    """Read the filters of a request. DatasetError for a bad one."""
    found = []
    for i, doc in enumerate(docs):
        with blaming(Predicate(i, doc.get("feature_name") or "", "")):
            found.append(_predicate(i, doc))
    return found


@contextmanager
def blaming(predicate: Predicate) -> Iterator[None]:
    """Turn what goes wrong with a filter into a DatasetError that names it."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as err:
        raise DatasetError(f"data.filters[{predicate.place}] on {predicate.name!r}: {err}") from err


def mask(frame: pd.DataFrame, predicate: Predicate) -> pd.Series:
    """Return which rows pass a predicate."""
    if predicate.name not in frame.columns:
        raise ValueError("no such column")
    column = frame[predicate.name]
    if predicate.kind == "IsNull":
        return column.isna()
    if predicate.kind == "NotNull":
        return column.notna()
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)  # categories have no order, their texts have
    if predicate.member == "date_val":
        column = times.column(column)
    if predicate.kind in ("IsIn", "NotIn"):
        among = column.isin(predicate.value)
        return among if predicate.kind == "IsIn" else ~among & column.notna()
    return _COMPARE[predicate.kind](column, predicate.value) & column.notna()


def _predicate(place: int, doc: Mapping[str, Any]) -> Predicate:
    name, kind = doc["feature_name"], doc["predicate"]
    if kind in ("IsNull", "NotNull"):
        return Predicate(place, name, kind)
    member, value = _value(doc.get("feature_value") or {})
    if kind in ("IsIn", "NotIn"):
        if member not in _PLURAL:
            raise ValueError(f"{kind} wants a list: one of {', '.join(_PLURAL)}")
    elif kind not in _COMPARE:
        raise ValueError(f"unknown predicate {kind!r}")
    elif member in _PLURAL:
        raise ValueError(f"{kind} wants one value: one of {', '.join(_SINGLE)}")
    return Predicate(place, name, kind, member, times.instant(value) if member == "date_val" else value)


def _value(union: Mapping[str, Any]) -> tuple[str, Any]:
    given = [k for k in (*_SINGLE, *_PLURAL) if union.get(k) is not None]
    if len(given) != 1:
        raise ValueError(f"feature_value wants exactly one of {', '.join((*_SINGLE, *_PLURAL))}")
    return given[0], union[given[0]]
