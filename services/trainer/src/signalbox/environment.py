"""What a job runs on: recorded with each run, and made the same each time."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import random
import sys
import sysconfig
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import numpy as np

HASH_SEED = "0"


def lock() -> str:
    """Return the installed distributions with their versions, sorted, and the interpreter in a comment."""
    paths = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    found = {
        f"{d.metadata['Name'].lower().replace('_', '-')}=={d.version}"
        for d in importlib.metadata.distributions(path=paths)
        if d.metadata["Name"]
    }
    head = f"# {platform.python_implementation()} {platform.python_version()} {sys.platform} {platform.machine()}\n"
    return head + "".join(f"{line}\n" for line in sorted(found))


def seed_everything(seed: int) -> None:
    """Seed the generators that code uses without asking: random, NumPy, and PyTorch as soon as it is imported."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _SeedsTorch)]
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    else:
        sys.meta_path.insert(0, _SeedsTorch(seed))


class _SeedsTorch(MetaPathFinder):
    """Seeds PyTorch right after its import: importing it only to seed it would cost every job seconds."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find PyTorch where the other finders do; its loader seeds it once it is loaded."""
        if fullname != "torch":
            return None
        found = (finder.find_spec(fullname, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in found if spec), None)
        if spec and spec.loader:
            loader: Any = spec.loader
            loader.exec_module = functools.partial(self._load, loader.exec_module)
        return spec

    def _load(self, load: Any, module: Any) -> None:
        load(module)
        module.manual_seed(self.seed)
        if self in sys.meta_path:
            sys.meta_path.remove(self)


def require_hash_seed(module: str, argv: list[str]) -> None:
    """Start the interpreter over with fixed hashes unless it has them: the order of sets must not vary."""
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        os.environ["PYTHONHASHSEED"] = HASH_SEED
        os.execv(sys.executable, [sys.executable, "-m", module, *argv])
