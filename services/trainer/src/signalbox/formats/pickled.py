"""Every other model: a pickle of workflow and model with the workflow's sources. It is code, so only the isolated
worker process of the Python runtime ever loads it."""

from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path
from typing import Any

FORMAT = "python-pickle"
FILE = "model.pkl"
CODE_DIR = "code"
REQUIREMENTS_FILE = "requirements.lock"

TOLERANCE = 1e-6


def dump(workflow: Any, model: Any) -> bytes:
    """Return the pickle of a workflow and its model."""
    out = io.BytesIO()
    pickle.Pickler(out, protocol=5).dump({"workflow": workflow, "model": model})
    return out.getvalue()


def load(data: bytes) -> tuple[Any, Any]:
    """Return (workflow, model). It executes what the pickle says: call it on verified bytes, in a worker."""
    both = pickle.loads(data)
    return both["workflow"], both["model"]


def load_dir(folder: Path) -> tuple[Any, Any]:
    """Return (workflow, model) of a package folder, importing the workflow from its code."""
    sys.path.insert(0, str(folder / CODE_DIR))
    return load((folder / FILE).read_bytes())
