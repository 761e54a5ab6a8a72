"""Holdout sampling: which rows a model must not see. The same rows and seed always give the same split."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from . import times
from .arrays import Mask
from .errors import DatasetError

Split = tuple[pd.DataFrame, pd.DataFrame]


def split(frame: pd.DataFrame, sampling: Mapping[str, Any] | None, date_column: str, seed: int) -> Split:
    """Return (training, holdout) by ``data.holdout_sampling``; without one the holdout is empty.

    DatasetError where the sampling is malformed, names a column that does not exist, or leaves nothing to train on.
    """
    if not sampling:
        return frame, frame.iloc[0:0]
    function = sampling.get("sampling_function", "")
    try:
        block, choose = _FUNCTIONS[function]
    except KeyError:
        raise DatasetError(f"unknown sampling_function {function!r}: want one of {', '.join(_FUNCTIONS)}") from None
    options = {"date_column": date_column, "seed": seed, **(sampling.get(block) or {})}
    try:
        holdout = choose(frame, options)
    except (KeyError, TypeError, ValueError) as err:
        raise DatasetError(f"data.holdout_sampling.{block}: {err}") from err
    if holdout.all():
        raise DatasetError(f"data.holdout_sampling takes all {len(frame)} rows: nothing is left to train on")
    return rows_of(frame, ~holdout), rows_of(frame, holdout)


def rows_of(frame: pd.DataFrame, chosen: Mask) -> pd.DataFrame:
    """Return the chosen rows, numbered from 0. Nothing is copied where that is the frame as it is."""
    everything = bool(chosen.all())
    if everything and frame.index.equals(pd.RangeIndex(len(frame))):
        return frame
    left = frame.copy() if everything else frame.take(np.flatnonzero(chosen))
    left.index = pd.RangeIndex(len(left))  # reset_index would copy once more
    return left


def _date_range(frame: pd.DataFrame, options: Mapping[str, Any]) -> Mask:
    """Rows in [start_date, end_date), or in the ``last`` span before the newest row, that row included."""
    at = times.column(_column(frame, options["date_column"]))
    if options.get("last"):
        return np.asarray(at > at.max() - times.span(options["last"]), dtype=bool)
    inside = pd.Series(True, index=frame.index) & at.notna()
    if options.get("start_date"):
        inside &= at >= times.instant(options["start_date"])
    if options.get("end_date"):
        inside &= at < times.instant(options["end_date"])
    if not (options.get("start_date") or options.get("end_date")):
        raise ValueError("want start_date, end_date or last")
    return np.asarray(inside, dtype=bool)


def _random(frame: pd.DataFrame, options: Mapping[str, Any]) -> Mask:
    return _draw(len(frame), _fraction(options), np.random.default_rng(int(options["seed"])))


def _hash(frame: pd.DataFrame, options: Mapping[str, Any]) -> Mask:
    """Rows whose key hashes below the fraction: a key stays on its side whatever other rows there are."""
    limit, salt = int(_fraction(options) * 2**64), str(options.get("salt", ""))
    codes, keys = pd.factorize(_column(frame, options["column"]), use_na_sentinel=False)
    low: Mask = np.array([_point(salt, key) < limit for key in keys], dtype=bool)
    chosen: Mask = low[codes]
    return chosen


def _stratified(frame: pd.DataFrame, options: Mapping[str, Any]) -> Mask:
    """The same share of the rows of each value of a column; null counts as a value."""
    fraction, rng = _fraction(options), np.random.default_rng(int(options["seed"]))
    codes, values = pd.factorize(_column(frame, options["column"]), sort=True, use_na_sentinel=False)
    holdout = np.zeros(len(frame), dtype=bool)
    for code in range(len(values)):
        rows = np.flatnonzero(codes == code)
        holdout[rows[_draw(len(rows), fraction, rng)]] = True
    return holdout


def _draw(count: int, fraction: float, rng: np.random.Generator) -> Mask:
    chosen = np.zeros(count, dtype=bool)
    chosen[rng.permutation(count)[: round(count * fraction)]] = True
    return chosen


def _point(salt: str, key: Any) -> int:
    if isinstance(key, float) and key.is_integer():
        key = int(key)  # one null among integers makes pandas read all of them as floats
    return int.from_bytes(hashlib.sha256(f"{salt}\x00{key}".encode()).digest()[:8], "big")


def _fraction(options: Mapping[str, Any]) -> float:
    fraction = float(options["fraction"])
    if not 0 < fraction < 1:
        raise ValueError(f"fraction {fraction} is not between 0 and 1")
    return fraction


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    if not name or name not in frame.columns:
        raise ValueError(f"no column {name!r} in the data")
    return frame[name]


_FUNCTIONS: dict[str, tuple[str, Callable[[pd.DataFrame, Mapping[str, Any]], Mask]]] = {
    "DATE_RANGE": ("date_range_sampling", _date_range),
    "RANDOM": ("random_sampling", _random),
    "HASH": ("hash_sampling", _hash),
    "STRATIFIED": ("stratified_sampling", _stratified),
}
