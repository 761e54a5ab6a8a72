"""Every other model: a pickle of workflow and model with the workflow's sources. It is code, so only the isolated
worker process of the Python runtime ever loads it.

Within the pickle, objects that pickle cannot keep, or not in the same bytes each time, stand in their framework's form.
"""

from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

from . import Framework, of_class

FORMAT = "python-pickle"
FILE = "model.pkl"
CODE_DIR = "code"
REQUIREMENTS_FILE = "requirements.lock"

TOLERANCE = 1e-6

_NAMED = (type, FunctionType, BuiltinFunctionType, MethodType, ModuleType)  # kept by name, never by content


class _Pickler(pickle.Pickler):
    """A pickler that asks the framework of each object first."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self._frameworks: dict[type, Framework] = {}

    def reducer_override(self, value: Any) -> Any:
        """Return how to keep a value; NotImplemented for pickle's own way."""
        if isinstance(value, _NAMED):
            return NotImplemented
        kind = type(value)
        if kind not in self._frameworks:
            self._frameworks[kind] = of_class(kind)
        reduce = self._frameworks[kind].reduce
        return reduce(value) if reduce else NotImplemented


def dump(workflow: Any, model: Any) -> bytes:
    """Return the pickle of a workflow and its model. PicklingError, AttributeError or TypeError for what has none."""
    out = io.BytesIO()
    _Pickler(out).dump({"workflow": workflow, "model": model})
    return out.getvalue()


def load(data: bytes) -> tuple[Any, Any]:
    """Return (workflow, model). It executes what the pickle says: call it on verified bytes, in a worker."""
    both = pickle.loads(data)
    return both["workflow"], both["model"]


def load_dir(folder: Path) -> tuple[Any, Any]:
    """Return (workflow, model) of a package folder, importing the workflow from its code."""
    sys.path.insert(0, str(folder / CODE_DIR))
    return load((folder / FILE).read_bytes())
