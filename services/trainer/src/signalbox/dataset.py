"""Reading datasets: parts are fetched when they are read, verified before use, and joined on their shared columns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from . import client, digest
from .errors import DatasetError as DatasetError
from .job import Part, Source
from .scan import scan
from .scan import to_frame as to_frame

# Types of columns, as signatures spell them; other is what no model takes as it is (a time, a list).
NUMBER, INTEGER, BOOLEAN, STRING, OTHER = "number", "integer", "boolean", "string", "other"


@dataclass(frozen=True)
class Column:
    """A column of the data: its type as a signature spells it, and whether it may be null."""

    name: str
    type: str
    nullable: bool


class Files(Sequence[Path]):
    """The Parquet files of a source, in order. Each is fetched and verified when it is first asked for."""

    def __init__(self, parts: tuple[Part, ...], cache: Path) -> None:
        self._parts, self._cache = parts, cache
        self._fetched: dict[int, Path] = {}

    def __repr__(self) -> str:
        """Say how many there are; a part's address is a credential."""
        return f"Files({len(self._parts)})"

    def __len__(self) -> int:
        """Return how many files there are, fetched or not."""
        return len(self._parts)

    @overload
    def __getitem__(self, place: int) -> Path: ...

    @overload
    def __getitem__(self, place: slice) -> list[Path]: ...

    def __getitem__(self, place: int | slice) -> Path | list[Path]:
        """Return a file, fetched. DatasetError for bytes that are not what they say."""
        if isinstance(place, slice):
            return [self[i] for i in range(len(self))[place]]
        place = range(len(self))[place]
        known = self._fetched.get(place)
        if known is None or not known.exists():
            known = self._fetched[place] = _fetch_part(self._parts[place], self._cache)
        return known

    def each(self, places: slice, keep: bool) -> Iterator[Path]:
        """Yield files, fetched one by one; with ``keep=False`` each is deleted when the next one is asked for."""
        for place in range(len(self))[places]:
            path = self[place]
            try:
                yield path
            finally:
                if not keep:
                    path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Input:
    """One source of a run. Its files come one after another, as they are read."""

    digest: str
    label: str
    names: tuple[str, ...]  # the columns that were asked for; none: all
    files: Files
    columns: tuple[Column, ...]
    filters: tuple[Mapping[str, Any], ...] = ()  # the request's, which the runner applies in any case

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Return the rows of every file, in order, with ``columns`` (default: what the request asked for)."""
        return self.to_pandas(columns)

    def to_pandas(
        self, columns: Sequence[str] | None = None, filters: Sequence[Mapping[str, Any]] = ()
    ) -> pd.DataFrame:
        """Return the rows that pass ``filters`` as a DataFrame."""
        return to_frame(self.to_table(columns, filters))

    def to_table(self, columns: Sequence[str] | None = None, filters: Sequence[Mapping[str, Any]] = ()) -> pa.Table:
        """Return the rows that pass ``filters`` as a table."""
        if filters:
            return pa.concat_tables(
                (pa.Table.from_batches([b]) for b in self.batches(columns, filters=filters)), promote_options="default"
            )
        wanted = list(columns or self.names) or None
        tables = [pq.read_table(f, columns=wanted) for f in self.files]
        return pa.concat_tables(tables, promote_options="default")

    def batches(
        self,
        columns: Sequence[str] | None = None,
        batch_size: int = 65536,
        filters: Sequence[Mapping[str, Any]] | None = None,
        keep: bool = True,
        shard: tuple[int, int] = (0, 1),
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in pieces of at most ``batch_size``, however large the source is.

        Rows that do not pass ``filters`` are left out (None: those of the request that are on columns of this source).
        At least one batch comes, without rows if need be. ``keep=False`` deletes each file once it is read.
        ``shard=(rank, world_size)`` is one worker's share: every world_size-th file. Where there are fewer files than
        workers it is every world_size-th row group of a file, or of each piece a slice where the file has fewer groups.
        """
        wanted = list(columns or self.names) or [c.name for c in self.columns]
        own = {c.name for c in self.columns}
        docs = [f for f in self.filters if f.get("feature_name") in own] if filters is None else list(filters)
        rank, world = shard
        if not 0 <= rank < world:
            raise ValueError(f"shard {shard}: want a rank from 0 and, above it, how many ranks there are")
        by_file = len(self.files) >= world
        seen, nothing = 0, True
        for path in self.files.each(slice(rank, None, world) if by_file else slice(None), keep):
            with pq.ParquetFile(path) as file:
                dealt = not by_file and file.num_row_groups >= world
                groups = [g for g in range(file.num_row_groups) if not dealt or (seen + g) % world == rank]
                seen += file.num_row_groups
                for batch in scan(file, wanted, docs, batch_size, groups):
                    if not by_file and not dealt:
                        first, end = (batch.num_rows * r // world for r in (rank, rank + 1))
                        batch = batch.slice(first, end - first)
                    if batch.num_rows:
                        nothing = False
                        yield batch
                schema = pa.schema([file.schema_arrow.field(name) for name in wanted])
        if nothing:
            yield pa.RecordBatch.from_pylist([], schema=schema)


def fetch(source: Source, cache: Path, filters: Sequence[Mapping[str, Any]] = ()) -> Input:
    """Bring the first part of a source to ``cache`` and describe all of them. DatasetError for bytes that are not what
    they say. The other parts come when they are read."""
    files = Files(source.parts, cache)
    if not len(files):
        raise DatasetError("the dataset has no parts: nothing to train on")
    declared = {c["name"]: c for c in source.columns}
    columns = []
    for field in pq.read_schema(files[0]):
        stated = declared.get(field.name, {})
        columns.append(Column(field.name, column_type(field.type), bool(stated.get("nullable", False))))
    missing = sorted(set(source.names) - {c.name for c in columns})
    if missing:
        raise DatasetError(f"data.features names columns that the dataset lacks: {', '.join(missing)}")
    return Input(source.digest, source.label, source.names, files, tuple(columns), tuple(filters))


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
