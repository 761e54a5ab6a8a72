"""The serving worker: ``python -m signalbox.worker FD`` answers the frames of PROTOCOL.md on an inherited socket.

It loads one Python package and predicts, one frame at a time. What it prints goes to the log of the server that
started it. It ends with a close frame, with the end of the connection, or at a frame that breaks the protocol.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import environment, frames, log, rows
from .arrays import Floats
from .formats import pickled
from .signature import FILE, Signature
from .workflow import Workflow

_log = logging.getLogger("signalbox.worker")


@dataclass(frozen=True)
class Loaded:
    """A package in memory."""

    signature: Signature
    workflow: Workflow
    model: Any

    @classmethod
    def load(cls, folder: Path) -> Loaded:
        """Load a package folder: it runs the package's code."""
        signature = Signature.decode((folder / FILE).read_bytes())
        if signature.format != pickled.FORMAT:
            raise ValueError(f"this worker serves {pickled.FORMAT}, the package is {signature.format}")
        workflow, model = pickled.load_dir(folder)
        return cls(signature, workflow, model)

    def predict(self, table: frames.Table) -> Floats:
        """Return one row of outputs for each row."""
        inputs, width = self.signature.inputs, len(self.signature.outputs)
        if table.values.shape[1] != len(inputs):
            raise ValueError(f"{table.values.shape[1]} columns for a model of {len(inputs)} inputs")
        frame = rows.from_matrix(table.values, table.text or [""] * table.values.size, inputs)
        scores = np.asarray(self.workflow.score(self.model, self.workflow.preprocess(frame)), dtype=np.float64)
        if scores.size != len(frame) * width:
            raise ValueError(f"score gave {scores.size} values for {len(frame)} rows of {width} outputs")
        return scores.reshape(len(frame), width)


def serve(connection: socket.socket) -> None:
    """Answer frames until the peer is done. FrameError where it breaks the protocol."""
    loaded: Loaded | None = None
    while (frame := frames.receive(connection)) is not None and frame.kind != frames.CLOSE:
        try:
            if frame.kind == frames.LOAD:
                loaded = Loaded.load(Path(json.loads(frame.payload)["dir"]))
                names = [f.name for f in loaded.signature.outputs]
                answer = frames.LOADED, json.dumps({"ok": True, "outputs": names}).encode()
            elif frame.kind == frames.PREDICT and loaded is not None:
                answer = frames.RESULT, frames.encode_result(loaded.predict(frames.decode_table(frame.payload)))
            else:
                raise ValueError(f"frame of kind {frame.kind} is not expected now")
        except frames.FrameError:
            raise
        except Exception as err:
            _log.exception("frame %d", frame.id)
            message = f"{type(err).__name__}: {err}"[:2000]
            answer = frames.ERROR, json.dumps({"message": message}).encode()
        frames.send(connection, frame.id, *answer)


def main(argv: list[str]) -> int:
    """Serve on the socket whose descriptor is the only argument."""
    if len(argv) != 1 or not argv[0].isdigit():
        print("usage: python -m signalbox.worker FD", file=sys.stderr)
        return 2
    environment.require_hash_seed("signalbox.worker", argv)
    log.setup()
    with socket.socket(fileno=int(argv[0])) as connection:
        try:
            serve(connection)
        except frames.FrameError as err:
            _log.error("%s", err)
            return 1
        except (BrokenPipeError, ConnectionResetError):
            _log.info("the server has gone")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
