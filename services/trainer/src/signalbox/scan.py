"""Reading Parquet in pieces, with the filters of a request on Arrow's own columns, as ``filters`` has them on pandas.

Where Arrow would compare by other rules than pandas (float32, unsigned and mixed types, texts as dates), a column of
the piece goes through pandas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from . import filters
from .errors import DatasetError
from .filters import Predicate

_COMPARE = {
    "Eq": pc.equal,
    "NotEq": pc.not_equal,
    "Gt": pc.greater,
    "GtEq": pc.greater_equal,
    "Lt": pc.less,
    "LtEq": pc.less_equal,
}

_FEW = 4096  # rows that say what the others will be like


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a DataFrame: decimals and nullable booleans as numbers, so that null is NaN."""
    for i, column in enumerate(table.schema):
        decimal = pa.types.is_decimal(column.type)
        holes = pa.types.is_boolean(column.type) and table.column(i).null_count > 0
        if decimal or holes:
            number = table.column(i).cast(pa.uint8()) if holes else table.column(i)
            table = table.set_column(i, column.name, number.cast(pa.float64()))
    apart = _identifiers(table)
    if not apart or len(apart) == table.num_columns:
        return table.to_pandas(use_threads=False)
    frame = table.drop_columns(apart).to_pandas(use_threads=False)
    for i, name in enumerate(table.column_names):
        if name in apart:
            frame.insert(i, name, table.column(i).to_pandas(deduplicate_objects=False).to_numpy())
    return frame


def _identifiers(table: pa.Table) -> list[str]:
    """Return the columns of texts that hardly repeat. To look for equal ones takes most of the conversion."""
    if table.num_rows < _FEW or table.schema.pandas_metadata or len(set(table.column_names)) < table.num_columns:
        return []
    head = table.slice(0, _FEW)
    texts = [f.name for f in table.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    return [name for name in texts if pc.count_distinct(head.column(name)).as_py() > _FEW // 2]


def scan(
    file: pq.ParquetFile,
    columns: Sequence[str],
    docs: Sequence[Mapping[str, Any]],
    batch_size: int,
    groups: Sequence[int] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file that pass every filter, in pieces that have rows. Row groups that cannot hold any are
    not read, nor are those that are not among ``groups`` (None: all are). DatasetError for a bad filter, and for a
    column that the file lacks."""
    predicates = filters.parse(docs)
    needed = list(dict.fromkeys([*columns, *(p.name for p in predicates)]))
    lacking = [name for name in needed if name not in file.schema_arrow.names]
    if lacking:
        raise DatasetError(f"the data has no column {', '.join(lacking)}")
    among = range(file.num_row_groups) if groups is None else groups
    groups = [g for g in among if _may_hold(file, g, predicates)]
    if not groups:
        return
    for batch in file.iter_batches(batch_size, row_groups=groups, columns=needed, use_threads=False):
        left = apply(batch, predicates)
        if left.num_rows:
            yield left.select(list(columns))


def apply(batch: pa.RecordBatch, predicates: Sequence[Predicate]) -> pa.RecordBatch:
    """Return the rows that pass every predicate. DatasetError where one does not fit its column."""
    for predicate in predicates:
        with filters.blaming(predicate):
            batch = batch.filter(mask(batch.column(predicate.name), predicate))
    return batch


def mask(column: pa.Array, predicate: Predicate) -> pa.Array:
    """Return which values pass a predicate; there are no nulls in the answer."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    absent = pc.is_null(column, nan_is_null=True)
    if predicate.kind == "IsNull":
        return absent
    if predicate.kind == "NotNull" or pa.types.is_null(column.type):
        return pc.invert(absent) if predicate.kind == "NotNull" else pa.array([False] * len(column), pa.bool_())
    try:
        passed = _fast(column, predicate)
    except (pa.ArrowException, OverflowError):
        passed = None  # the value has no exact form in the column's type
    if passed is None:
        frame = to_frame(pa.table({predicate.name: column}))
        return pa.array(filters.mask(frame, predicate).to_numpy(dtype=bool))
    return pc.and_(pc.fill_null(passed, False), pc.invert(absent))


def _fast(column: pa.Array, predicate: Predicate) -> pa.Array | None:
    """Return Arrow's answer where it is that of pandas, else None."""
    kind, member, value = column.type, predicate.member, predicate.value
    if member == "date_val" and pa.types.is_timestamp(kind):
        instants = column.cast(pa.timestamp(kind.unit, tz="UTC"))
        return _COMPARE[predicate.kind](instants, pa.scalar(value.to_pydatetime(), pa.timestamp("us", tz="UTC")))
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    double, signed = pa.types.is_float64(kind), pa.types.is_signed_integer(kind)
    if predicate.kind in ("IsIn", "NotIn"):
        fits = (text and member == "string_vals") or (signed and member == "int_vals")
        if not (fits or (double and member in ("float_vals", "int_vals"))):
            return None
        if double and 0 in value:
            value = [*value, -0.0]  # sets tell it from 0.0
        among = pc.is_in(column, value_set=pa.array(value, type=kind))
        return among if predicate.kind == "IsIn" else pc.invert(among)
    fits = (text and member == "string_val") or (double and member in ("float_val", "int_val"))
    fits = fits or (signed and member == "int_val") or (pa.types.is_boolean(kind) and member == "bool_val")
    if not fits or (pa.types.is_boolean(kind) and predicate.kind not in ("Eq", "NotEq")):
        return None
    return _COMPARE[predicate.kind](column, pa.scalar(value, type=pa.int64() if signed else kind))


def _may_hold(file: pq.ParquetFile, group: int, predicates: Sequence[Predicate]) -> bool:
    """Report whether a row group can have rows that pass, as far as its statistics say."""
    wanted = {p.name: p for p in predicates if p.member in ("int_val", "float_val", "date_val")}
    if not wanted:
        return True
    described = file.metadata.row_group(group)
    for i in range(described.num_columns):
        column = described.column(i)
        predicate = wanted.get(column.path_in_schema)
        if predicate is None or column.physical_type == "FLOAT" or not column.is_stats_set:
            continue
        if not column.statistics.has_min_max:
            continue
        low, high = _comparable(column.statistics.min, predicate), _comparable(column.statistics.max, predicate)
        if low is None or high is None:
            continue
        value = float(predicate.value) if isinstance(low, float) else predicate.value
        if predicate.kind in ("Eq", "Gt", "GtEq") and high < value:
            return False
        if predicate.kind in ("Eq", "Lt", "LtEq") and low > value:
            return False
    return True


def _comparable(bound: Any, predicate: Predicate) -> Any:
    """Return a bound that may be compared with the predicate's value, None for any other."""
    if predicate.member == "date_val":
        if not isinstance(bound, datetime):
            return None
        return pd.Timestamp(bound if bound.tzinfo else bound.replace(tzinfo=timezone.utc))
    if isinstance(bound, bool) or not isinstance(bound, (int, float)):
        return None
    return float(bound) if predicate.member == "float_val" else bound
