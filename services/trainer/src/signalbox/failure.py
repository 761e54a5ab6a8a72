"""Why an attempt failed, for the person who reads it and for the control plane that may try again."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

from .links import PeerError
from .transport import TransportError

FRAMES = 5  # of the traceback, innermost


def describe(err: BaseException, step: str, workflow_dir: Path, interrupted: bool = False) -> dict[str, Any]:
    """Return the exception document: type, message with the last frames, step, and whether a retry may help.

    One that interrupted a collective may be another worker's fault.
    """
    frames = traceback.extract_tb(err.__traceback__)[-FRAMES:]
    lines = [f"  {_place(f.filename, workflow_dir)}:{f.lineno} in {f.name}" for f in frames]
    message = "\n".join([str(err) or type(err).__name__, *lines])
    return {
        "type": type(err).__name__,
        "message": message[:4000],
        "step": step,
        # What a second attempt may find different: the network, and the memory that others used.
        "retryable": interrupted or isinstance(err, (TransportError, MemoryError, PeerError)),
    }


def _place(filename: str, workflow_dir: Path) -> str:
    """Name a file without the folders of the machine that it ran on."""
    path = Path(filename)
    try:
        return str(path.resolve().relative_to(workflow_dir.resolve()))
    except ValueError:
        return path.name
