"""Data that is larger than memory: read in pieces, with the filters that pandas would apply."""

from __future__ import annotations

import datetime
import decimal
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import support

from signalbox import dataset, digest, filters, scan
from signalbox.dataset import DatasetError
from signalbox.job import Part, Source

SRC = str(Path(__file__).resolve().parents[1] / "src")
UTC = datetime.timezone.utc
DAYS = [datetime.datetime(2026, 1, d, h, tzinfo=UTC) for d in (1, 2, 3) for h in (0, 12)]

# A few values, so that equality happens, and those on which comparisons differ between systems.
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "int64": (pa.int64(), [-3, 0, 1, 2, 7, 2**40]),
    "int8": (pa.int8(), [-3, 0, 1, 2, 7]),
    "uint64": (pa.uint64(), [0, 1, 2, 7, 2**63]),
    "float64": (pa.float64(), [-1.5, -0.0, 0.0, 0.1, 1.0, 2.0, float("nan"), float("inf")]),
    "float32": (pa.float32(), [-1.5, 0.0, 0.1, 1.0, 2.0, float("nan")]),
    "bool": (pa.bool_(), [True, False]),
    "text": (pa.string(), ["", "a", "b", "é", "😀", "\ufffd", "1"]),
    "large": (pa.large_string(), ["", "a", "b"]),
    "coded": (pa.dictionary(pa.int32(), pa.string()), ["a", "b", "é"]),
    "at": (pa.timestamp("us", tz="UTC"), DAYS),
    "local": (pa.timestamp("ms", tz="America/New_York"), DAYS),
    "naive": (pa.timestamp("ns"), [d.replace(tzinfo=None) for d in DAYS]),
    "day": (pa.string(), ["2026-01-01", "2026-01-02T12:00:00Z", "2026-01-03T00:00:00+00:00"]),
    "money": (pa.decimal128(10, 2), [decimal.Decimal(v) for v in ("-1.50", "0.00", "2.00")]),
    "nothing": (pa.null(), [None]),
}
VALUES: list[dict[str, Any]] = [
    *({"int_val": v} for v in (-3, 0, 1, 2, 300, 2**53 + 1)),
    *({"float_val": v} for v in (-1.5, 0.0, 0.1, 1.0, 2.5)),
    *({"string_val": v} for v in ("", "a", "é", "\ufffd", "1")),
    *({"bool_val": v} for v in (True, False)),
    *({"date_val": v} for v in ("2026-01-02", "2026-01-02T12:00:00Z", "2026-01-01T19:00:00-05:00", "1600-01-01")),
    *({"int_vals": v} for v in ([], [0], [1, 2, 300])),
    *({"float_vals": v} for v in ([0.1], [1.0, 2.5])),
    *({"string_vals": v} for v in ([], ["a"], ["", "é", "1"])),
]
PREDICATES = ["Eq", "NotEq", "Gt", "GtEq", "Lt", "LtEq", "IsIn", "NotIn", "IsNull", "NotNull"]


def outcome(compute: Any) -> Any:
    """Return what a filter keeps, or that it cannot be applied."""
    try:
        return compute()
    except DatasetError:
        return "refused"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(2))
def test_arrow_keeps_the_rows_that_pandas_keeps(seed: int, tmp_path: Path) -> None:
    draw = random.Random(seed)
    size = 40
    made: dict[str, pa.Array] = {"row": pa.array(range(size))}
    for name, (kind, values) in COLUMNS.items():
        empty = draw.choice([0, 0.2, 1]) if seed else 0.2
        cells = [None if draw.random() < empty else draw.choice(values) for _ in range(size)]
        made[name] = pa.array(cells, type=kind)
    table = pa.table(made)
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=7)
    frame = dataset.to_frame(pq.read_table(path))
    applied = 0
    for name in COLUMNS:
        for predicate in PREDICATES:
            for value in VALUES if predicate not in ("IsNull", "NotNull") else [{}]:
                doc = {"feature_name": name, "predicate": predicate, "feature_value": value}
                wanted = outcome(lambda doc=doc: filters.apply(frame, [doc])["row"].tolist())
                found = outcome(lambda doc=doc: scanned(path, doc))
                assert found == wanted or excused(table[name], wanted, found), (doc, wanted, found)
                applied += wanted != "refused"
    assert applied > 500


def excused(column: pa.ChunkedArray, wanted: Any, found: Any) -> bool:
    """Pieces without any value, or without any row that could matter, have nothing that could be refused."""
    return bool(wanted == "refused" and found == [] and column.null_count == len(column))


def scanned(path: Path, doc: dict[str, Any]) -> list[int]:
    with pq.ParquetFile(path) as file:
        return [r for b in scan.scan(file, ["row"], [doc], 5) for r in b.column("row").to_pylist()]


def test_row_groups_that_cannot_match_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    at = pa.array([datetime.datetime(2026, 1, 1, tzinfo=UTC) + datetime.timedelta(hours=h) for h in range(1000)])
    pq.write_table(pa.table({"n": range(1000), "at": at}), path, row_group_size=100)
    read: list[int] = []

    class Watched(pq.ParquetFile):  # type: ignore[misc]  # pyarrow has no types
        def iter_batches(self, batch_size: int, row_groups: Any, **more: Any) -> Any:
            read.extend(row_groups)
            return super().iter_batches(batch_size, row_groups, **more)

    docs = [
        {"feature_name": "n", "predicate": "GtEq", "feature_value": {"int_val": 350}},
        {"feature_name": "at", "predicate": "Lt", "feature_value": {"date_val": "2026-01-20"}},
    ]
    with Watched(path) as file:
        rows = sum(b.num_rows for b in scan.scan(file, ["n"], docs, 64))
        assert rows == 19 * 24 - 350 and read == [3, 4]
        assert list(scan.scan(file, ["n"], [{**docs[0], "feature_value": {"int_val": 5000}}], 64)) == []
        with pytest.raises(DatasetError, match="no column nope"):
            list(scan.scan(file, ["nope"], [], 64))


def source(plane: support.Control, frame: pd.DataFrame, count: int) -> Source:
    size = -(-len(frame) // count)
    parts = tuple(
        Part.parse(plane.put(f"p{i}", support.parquet(frame.iloc[i * size : (i + 1) * size]))) for i in range(count)
    )
    return Source(digest.of(b"d"), parts)


def test_parts_come_one_after_another_and_go(tmp_path: Path) -> None:
    frame = support.flights(900)
    docs: list[dict[str, Any]] = [
        {"feature_name": "origin", "predicate": "Eq", "feature_value": {"string_val": "JFK"}},
        {"feature_name": "of another source", "predicate": "IsNull"},
    ]
    with support.control() as plane:
        data = dataset.fetch(source(plane, frame, 3), tmp_path, docs)
        held = []
        found = []
        for batch in data.batches(["event_id"], batch_size=50, keep=False):
            held.append(len(list(tmp_path.iterdir())))
            found += batch.column("event_id").to_pylist()
            assert batch.schema.names == ["event_id"] and batch.num_rows <= 50
        assert max(held) == 1 and list(tmp_path.iterdir()) == []
        assert found == frame[frame["origin"] == "JFK"]["event_id"].tolist()
        assert sum(b.num_rows for b in data.batches(filters=[])) == 900  # fetched again
        assert len(data.read()) == 900 == data.to_table().num_rows
        pd.testing.assert_frame_equal(data.to_pandas(filters=docs[:1]), filters.apply(data.read(), docs[:1]))
        none = [{"feature_name": "distance", "predicate": "Lt", "feature_value": {"int_val": 0}}]
        (batch,) = data.batches(filters=none)
        assert batch.num_rows == 0 and batch.schema.names == [c.name for c in data.columns]
        assert data.to_pandas(filters=none).columns.tolist() == frame.columns.tolist()


STREAM = """
import resource, sys
from pathlib import Path
import pandas, pyarrow.parquet
from signalbox import dataset
from signalbox.job import Part, Signed, Source

def size():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()

parts = tuple(Part(d, 1, Signed("GET", "")) for d in sys.argv[2].split(","))
data = dataset.fetch(Source("", parts), Path(sys.argv[1]))
limit = size() + (200 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
docs = [{"feature_name": "c0", "predicate": "GtEq", "feature_value": {"float_val": 0.0}}]
rows = total = decoded = 0
for batch in data.batches(batch_size=20000, filters=docs):
    rows, decoded = rows + batch.num_rows, decoded + batch.nbytes
    total += batch.column("c1").to_numpy().sum()
print(rows, int(total), decoded >> 20, flush=True)
data.read()
print("it was no proof", flush=True)
"""


def test_data_that_memory_could_not_hold(tmp_path: Path) -> None:
    """A child with 200 MiB streams 600 MiB, and fails to read them at once."""
    values = np.arange(500_000, dtype=np.float64) % 1000
    path = tmp_path / "part"
    pq.write_table(pa.table({f"c{i}": values for i in range(50)}), path, row_group_size=50_000)
    names = []
    for i in range(3):
        copy = tmp_path / "cache" / str(i)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
        name = digest.of_file(copy)
        copy.rename(copy.with_name(name))
        names.append(name)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": SRC, "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", STREAM, str(tmp_path / "cache"), ",".join(names)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == [f"1500000 {int(values.sum()) * 3} 572"], done.stderr
    assert done.returncode != 0
