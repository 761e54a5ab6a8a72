"""What a job runs on: recorded with each run, and made the same each time."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import random
import sys
import sysconfig

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
    """Seed the generators that code uses without asking: random and NumPy's global one."""
    random.seed(seed)
    np.random.seed(seed % 2**32)


def require_hash_seed(module: str, argv: list[str]) -> None:
    """Start the interpreter over with fixed hashes unless it has them: the order of sets must not vary."""
    if os.environ.get("PYTHONHASHSEED") != HASH_SEED:
        os.environ["PYTHONHASHSEED"] = HASH_SEED
        os.execv(sys.executable, [sys.executable, "-m", module, *argv])
