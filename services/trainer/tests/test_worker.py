"""The serving worker as a process on a socket pair, and the frames it speaks."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from signalbox import frames
from signalbox.formats import pickled
from signalbox.frames import FrameError
from signalbox.signature import Field, Signature, number

SRC = str(Path(__file__).resolve().parents[1] / "src")

FLOW = """
import numpy as np
from signalbox import Workflow

class Flow(Workflow):
    def score(self, model, dataframe):
        if (dataframe["a"] < 0).any():
            raise ValueError("negative")
        print("scoring", len(dataframe))
        codes = dataframe["c"].cat.codes.to_numpy()
        lengths = dataframe["t"].str.len().to_numpy()
        return np.column_stack([dataframe["a"] * model, codes + 100 * lengths])
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A Python package folder, written by a process that is not ours."""
    code = tmp_path / "code"
    code.mkdir()
    (code / "flow.py").write_text(FLOW)
    script = """
import sys, flow
from signalbox.formats import pickled
sys.stdout.buffer.write(pickled.dump(flow.Flow(), 2.0))
"""
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{SRC}:{code}"}
    data = subprocess.run([sys.executable, "-B", "-c", script], env=env, capture_output=True, check=True).stdout
    (tmp_path / pickled.FILE).write_bytes(data)
    inputs = (Field("a", "number", True), Field("c", "string", True, ("x", "y")), Field("t", "string", True))
    outputs = (number("double"), number("code"))
    signature = Signature("python", pickled.FORMAT, pickled.FILE, inputs, outputs, 0.0)
    (tmp_path / "signature.json").write_bytes(signature.encode())
    return tmp_path


@contextmanager
def worker() -> Iterator[tuple[socket.socket, subprocess.Popen[bytes]]]:
    ours, theirs = socket.socketpair()
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": SRC}
    with ours, theirs:
        ours.settimeout(60)
        process = subprocess.Popen(
            [sys.executable, "-m", "signalbox.worker", str(theirs.fileno())],
            env=env, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        theirs.close()
        try:
            yield ours, process
        finally:
            ours.close()
            process.wait(timeout=20)
            assert process.stdout is not None
            process.stdout.close()


def ask(connection: socket.socket, request: int, kind: int, payload: bytes = b"") -> frames.Frame:
    frames.send(connection, request, kind, payload)
    answer = frames.receive(connection)
    assert answer is not None and answer.id == request
    return answer


def message(answer: frames.Frame) -> str:
    assert answer.kind == frames.ERROR
    return str(json.loads(answer.payload)["message"])


def test_worker_loads_predicts_and_survives_errors(package: Path) -> None:
    load = json.dumps({"dir": str(package)}).encode()
    table = frames.encode_table(np.array([[1.5, 1.0, np.nan], [2.0, np.nan, np.nan]]), ["", "", "abc", "", "", ""])
    with worker() as (connection, process):
        assert "not expected" in message(ask(connection, 1, frames.PREDICT, table))
        assert "FileNotFoundError" in message(ask(connection, 2, frames.LOAD, b'{"dir": "/nowhere"}'))
        loaded = ask(connection, 3, frames.LOAD, load)
        assert (loaded.kind, json.loads(loaded.payload)) == (frames.LOADED, {"ok": True, "outputs": ["double", "code"]})
        result = ask(connection, 2**63, frames.PREDICT, table)
        assert result.kind == frames.RESULT
        assert frames.decode_result(result.payload).tolist() == [[3.0, 301.0], [4.0, -1.0]]
        negative = frames.encode_table(np.array([[-1.0, 0, np.nan]]), ["", "", "z"])
        assert message(ask(connection, 5, frames.PREDICT, negative)) == "ValueError: negative"
        assert "2 columns for a model of 3" in message(
            ask(connection, 6, frames.PREDICT, frames.encode_table(np.zeros((1, 2))))
        )
        assert ask(connection, 7, frames.PREDICT, table).kind == frames.RESULT
        frames.send(connection, 8, frames.CLOSE)
        assert process.wait(timeout=20) == 0
        assert process.stdout is not None and b"scoring 2" in process.stdout.read()


def test_worker_ends_with_the_connection_and_at_nonsense(package: Path) -> None:
    with worker() as (connection, process):
        connection.close()
        assert process.wait(timeout=20) == 0
    with worker() as (connection, process):
        connection.sendall(struct.pack("<IQB", 2**31, 1, frames.PREDICT))
        assert process.wait(timeout=20) == 1


def exchange(raw: bytes) -> frames.Frame | None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall(raw)
        left.shutdown(socket.SHUT_WR)
        return frames.receive(right)


def test_frames() -> None:
    head = struct.Struct("<IQB")
    assert exchange(head.pack(2, 9, 4) + b"ab") == frames.Frame(9, 4, b"ab")
    assert exchange(b"") is None
    for bad in (b"\x01", head.pack(3, 1, 1) + b"ab", head.pack(2**32 - 1, 1, 1)):
        with pytest.raises(FrameError):
            exchange(bad)


def test_tables() -> None:
    values = np.array([[1.0, np.nan], [3.0, 4.0]])
    text = ["", "é", "", "ü"]
    table = frames.decode_table(frames.encode_table(values, text))
    assert np.array_equal(table.values, values, equal_nan=True) and table.text == text
    empty = frames.decode_table(frames.encode_table(np.zeros((0, 3))))
    assert len(empty.values) == 0 and empty.text == []


def test_tables_that_lie_are_refused() -> None:
    good = frames.encode_table(np.zeros((2, 2)), ["a"] * 4)
    lies = [good[:i] for i in (0, 7, 30, 41, len(good) - 1)]
    lies += [good + b"x", struct.pack("<II", 2**31, 2**31), frames.encode_table(np.zeros((2, 2)), ["a"])]
    for lie in lies:
        with pytest.raises(FrameError):
            frames.decode_table(lie)
    rng = np.random.default_rng(3)
    for _ in range(2000):  # random damage is refused or read, never anything else
        damaged = bytearray(good)
        damaged[rng.integers(len(damaged))] = rng.integers(256)
        try:
            frames.decode_table(bytes(damaged))
        except (FrameError, ValueError):
            pass
