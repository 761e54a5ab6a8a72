"""A package as a server would find it: loaded by the serving worker, in a process that shares nothing with training."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from .. import frames
from ..arrays import Floats

_PATIENCE = 600.0  # seconds for one answer, the imports of a large framework included
_SAID = 2000  # bytes of the worker's log that an error repeats


class FreshError(Exception):
    """The worker cannot load the package, or cannot predict with it; the message is the worker's."""


class Loaded:
    """A package in a worker of its own."""

    def __init__(self, connection: socket.socket, log: Path) -> None:
        self._connection, self._log, self._request = connection, log, 0

    def predict(self, values: Floats, text: list[str]) -> Floats:
        """Return one row of outputs for each row. FreshError where the model fails on them."""
        return frames.decode_result(self._ask(frames.PREDICT, frames.encode_table(values, text), frames.RESULT))

    def load(self, folder: Path) -> None:
        """Load a package folder. FreshError where that fails."""
        self._ask(frames.LOAD, json.dumps({"dir": str(folder)}).encode(), frames.LOADED)

    def close(self) -> None:
        """Tell the worker to end."""
        try:
            frames.send(self._connection, self._request + 1, frames.CLOSE)
        except OSError:
            pass  # it has ended already

    def _ask(self, kind: int, payload: bytes, wanted: int) -> bytes:
        self._request += 1
        try:
            frames.send(self._connection, self._request, kind, payload)
            answer = frames.receive(self._connection)
        except (OSError, frames.FrameError) as err:
            raise FreshError(f"the worker does not answer: {err}\n{self._said()}") from err
        if answer is None:
            raise FreshError(f"the worker ended\n{self._said()}")
        if answer.kind != wanted:
            raise FreshError(str(json.loads(answer.payload)["message"]))
        return answer.payload

    def _said(self) -> str:
        return self._log.read_bytes()[-_SAID:].decode("utf-8", "replace")


@contextmanager
def load(files: Mapping[str, bytes]) -> Iterator[Loaded]:
    """Write a package's files to a folder, load it in a new worker, and end the worker with the block."""
    with tempfile.TemporaryDirectory(prefix="signalbox-check-") as scratch:
        folder, log = Path(scratch, "package"), Path(scratch, "log")
        for path, data in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        ours, theirs = socket.socketpair()
        with ours, open(log, "wb") as output:
            with theirs:
                process = _start(theirs, output.fileno(), scratch)
            ours.settimeout(_PATIENCE)
            loaded = Loaded(ours, log)
            try:
                loaded.load(folder)
                yield loaded
            finally:
                loaded.close()
                ours.close()
                try:
                    process.wait(5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _start(connection: socket.socket, output: int, folder: str) -> subprocess.Popen[bytes]:
    """Start a worker that finds this package, installed ones and nothing of the job's own folders."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SIGNALBOX_", "PYTHON"))}
    env |= {"PYTHONPATH": str(Path(__file__).resolve().parents[2]), "PYTHONHASHSEED": "0"}
    command = [sys.executable, "-m", "signalbox.worker", str(connection.fileno())]
    return subprocess.Popen(
        command,
        env=env,
        cwd=folder,
        pass_fds=[connection.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )
