"""Reading datasets: parts are fetched once, verified before use, and joined on their shared columns."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from . import client, digest
from .job import Part, Source

# Types of columns, as signatures spell them; other is what no model takes as it is (a time, a list).
NUMBER, INTEGER, BOOLEAN, STRING, OTHER = "number", "integer", "boolean", "string", "other"


class DatasetError(Exception):
    """The data cannot be used: it does not hash to its digest, lacks a column, or does not join."""


@dataclass(frozen=True)
class Column:
    """A column of the data: its type as a signature spells it, and whether it may be null."""

    name: str
    type: str
    nullable: bool


@dataclass(frozen=True)
class Input:
    """One source of a run, on local disk and verified."""

    digest: str
    label: str
    names: tuple[str, ...]  # the columns that were asked for; none: all
    files: tuple[Path, ...]  # Parquet, in order
    columns: tuple[Column, ...]

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows of every file, in order, with ``columns`` (default: what the request asked for)."""
        wanted = list(columns or self.names) or None
        tables = [pq.read_table(f, columns=wanted, use_threads=False) for f in self.files]
        return to_frame(pa.concat_tables(tables, promote_options="default"))


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a DataFrame: decimals and nullable booleans as numbers, so that null is NaN."""
    for i, column in enumerate(table.schema):
        decimal = pa.types.is_decimal(column.type)
        holes = pa.types.is_boolean(column.type) and table.column(i).null_count > 0
        if decimal or holes:
            number = table.column(i).cast(pa.uint8()) if holes else table.column(i)
            table = table.set_column(i, column.name, number.cast(pa.float64()))
    return table.to_pandas(use_threads=False)


def fetch(source: Source, cache: Path) -> Input:
    """Bring the parts of a source to ``cache`` and describe them. DatasetError for bytes that are not what they say."""
    files = tuple(_fetch_part(part, cache) for part in source.parts)
    if not files:
        raise DatasetError("the dataset has no parts: nothing to train on")
    declared = {c["name"]: c for c in source.columns}
    columns = []
    for field in pq.read_schema(files[0]):
        stated = declared.get(field.name, {})
        columns.append(Column(field.name, column_type(field.type), bool(stated.get("nullable", False))))
    missing = sorted(set(source.names) - {c.name for c in columns})
    if missing:
        raise DatasetError(f"data.features names columns that the dataset lacks: {', '.join(missing)}")
    return Input(source.digest, source.label, source.names, files, tuple(columns))


def _fetch_part(part: Part, cache: Path) -> Path:
    cache.mkdir(parents=True, exist_ok=True)
    known = cache / part.digest
    if part.digest and known.exists() and digest.of_file(known) == part.digest:
        return known
    partial = cache / f"{part.digest or 'unknown'}.{os.getpid()}.part"
    try:
        client.download(part.get, partial, part.size)
        found = digest.of_file(partial)
        if part.digest and found != part.digest:
            raise DatasetError(f"part {part.digest} arrived as {found}: nothing of it was used")
        final = cache / found
        partial.replace(final)
        return final
    finally:
        partial.unlink(missing_ok=True)


def column_type(arrow: pa.DataType) -> str:
    """Return the type of a column as signatures spell it."""
    if pa.types.is_dictionary(arrow):
        arrow = arrow.value_type
    if pa.types.is_boolean(arrow):
        return BOOLEAN
    if pa.types.is_integer(arrow):
        return INTEGER
    if pa.types.is_floating(arrow) or pa.types.is_decimal(arrow):
        return NUMBER
    if pa.types.is_string(arrow) or pa.types.is_large_string(arrow):
        return STRING
    return OTHER


def join(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join sources, left to right, on the columns that they share; a row without a match is dropped.

    DatasetError where two share none, or where the right one has a key twice (rows would multiply).
    """
    joined = frames[0]
    for i, right in enumerate(frames[1:], start=1):
        keys = [c for c in joined.columns if c in right.columns]
        if not keys:
            raise DatasetError(
                f"data.features[{i}] shares no column with the sources before it: name the key columns in both"
            )
        if right.duplicated(keys).any():
            raise DatasetError(f"data.features[{i}] has a key ({', '.join(keys)}) more than once: rows would multiply")
        joined = joined.merge(right, on=keys, how="inner", sort=False)
    return joined


def merge_columns(inputs: Sequence[Input]) -> dict[str, Column]:
    """Return every column of the sources by name; the first source that has it describes it."""
    found: dict[str, Column] = {}
    for source in inputs:
        for column in source.columns:
            found.setdefault(column.name, column)
    return found
