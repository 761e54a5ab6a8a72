"""What is done in a fast way gives what the plain way gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from signalbox import profile, rows, sampling, scan
from signalbox.signature import Field


@pytest.mark.parametrize("count", [10, 10_000])
def test_identifiers_are_texts_as_any_other(count: int) -> None:
    table = pa.table(
        {
            "id": [None if i % 9 == 0 else f"id-{i}" for i in range(count)],
            "carrier": ["AA" if i % 2 else None for i in range(count)],
            "delay": [float(i) for i in range(count)],
            "large": pa.array([f"{i}" for i in range(count)], pa.large_string()),
            "at": pa.array(range(count), pa.timestamp("us", tz="UTC")),
        }
    )
    pd.testing.assert_frame_equal(scan.to_frame(table), table.to_pandas())
    pd.testing.assert_frame_equal(
        scan.to_frame(table.select(["id", "large"])), table.select(["id", "large"]).to_pandas()
    )
    indexed = pa.Table.from_pandas(table.to_pandas().set_index("large"))
    pd.testing.assert_frame_equal(scan.to_frame(indexed), indexed.to_pandas())


def test_lines_are_those_of_json() -> None:
    texts = ["", "plain", 'with "quotes" and \\', "line\n\u2028\x00", "ünïcödé", "%s %%"]
    frame = pd.DataFrame(
        {
            "%s": texts,
            "hole": ["a", None, "b", np.nan, "c", "d"],
            "category": pd.Categorical(["x", "y", None, "x", "y", "x"]),
            "number": [1.0, -0.0, np.nan, np.inf, 1e300, 0.1],
            "count": [1, 2, 3, 4, 5, 2**60],
            "flag": pd.Series([True, False, None, True, False, True], dtype=object),
            "exact": [True, False, False, True, True, False],
        }
    )
    kinds = ["string", "string", "string", "number", "integer", "boolean", "boolean"]
    fields = [Field(str(name), kind, True) for name, kind in zip(frame.columns, kinds)]
    wanted = [json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows.to_json(frame, fields)]
    assert rows.to_jsonl(frame, fields) == "".join(line + "\n" for line in wanted)
    assert rows.to_jsonl(frame, []) == "{}\n" * 6 and rows.to_jsonl(frame.iloc[:0], fields) == ""


def test_chosen_rows_are_numbered_anew() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}, index=[5, 5, 7])
    some = np.array([True, False, True])
    for chosen in (some, ~some, np.ones(3, dtype=bool), np.zeros(3, dtype=bool)):
        pd.testing.assert_frame_equal(sampling.rows_of(frame, chosen), frame[chosen].reset_index(drop=True))
    plain = frame.reset_index(drop=True)
    assert sampling.rows_of(plain, np.ones(3, dtype=bool)) is plain
    part = sampling.rows_of(plain, some)
    part.loc[0, "a"] = 9  # neither a warning nor a change of the other one
    assert plain["a"].tolist() == [1, 2, 3] and list(frame.index) == [5, 5, 7]


def test_descendants_are_found_without_the_kernels_list(monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None and child.stdin is not None
        child.stdout.readline()
        listed = {p.pid: p.parent for p in profile.descendants()}
        monkeypatch.setattr(profile, "_children", lambda pid: None)
        assert {p.pid: p.parent for p in profile.descendants()} == listed
        if Path("/proc/self/stat").exists():
            assert listed[child.pid] == os.getpid() and child.pid in listed.values()
        child.stdin.close()
