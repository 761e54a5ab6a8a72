"""Add PyTorch for the CPU to an environment: Debian's packages, unpacked beside it. setup_env.py calls it.

The wheels of the usual index for Linux bring gigabytes of CUDA; these bring 130 MB. They fit CPython 3.11 on Debian 12,
and a machine that can ask its package mirror.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGE = "python3-torch"
IDENTITY = f"{PACKAGE} of Debian 12, unpacked, libraries loaded ahead"

_PRELOAD = "preload.txt"

# Others use these without saying so: their symbols must be visible to all.
_SHARED = ("libtheoradec.so.1", "libdfalt.so.0")
_SHIM = f'''import ctypes as _ctypes
import pathlib as _pathlib

for _library in (_pathlib.Path(__file__).resolve().parent / "{_PRELOAD}").read_text().splitlines():
    _ctypes.CDLL(_library, _ctypes.RTLD_GLOBAL if _library.endswith({_SHARED}) else _ctypes.RTLD_LOCAL)
'''

_ORDER = f"""
import ctypes, sys
left, order = sys.stdin.read().split(), []
while left:
    later = []
    for library in left:
        try:
            ctypes.CDLL(library, ctypes.RTLD_GLOBAL if library.endswith({_SHARED}) else ctypes.RTLD_LOCAL)
            order.append(library)
        except OSError as err:
            later.append((library, err))
    if len(later) == len(left):
        sys.exit(f"cannot load {{later[-1][0]}}: {{later[-1][1]}}")
    left = [library for library, _ in later]
print("\\n".join(order))
"""


def add(python: Path, folder: Path, scratch: Path) -> Path:
    """Unpack PyTorch and its libraries into a folder and return what belongs on the import path."""
    if sys.version_info[:2] != (3, 11) or not shutil.which("apt-get") or not shutil.which("dpkg"):
        sys.exit("setup-env: --with-torch needs Debian 12 and Python 3.11; elsewhere install torch by its own ways")
    wanted = ["apt-get", "install", "--print-uris", "--yes", "--no-install-recommends", PACKAGE]
    found = subprocess.run(wanted, check=True, capture_output=True, text=True).stdout
    names = [line.split()[1].partition("_")[0] for line in found.splitlines() if line.startswith("'")]
    # The Python packages of the distribution stay behind: they would hide those of the environment.
    names = [name for name in names if name == PACKAGE or not name.startswith("python")]
    download = ["apt-get", "--quiet=2", "--option", "APT::Sandbox::User=", "download", *names]
    subprocess.run(download, check=True, cwd=scratch, stdout=sys.stderr)
    root = folder / "root"
    root.mkdir(parents=True)
    for package in sorted(scratch.glob("*.deb")):
        subprocess.run(["dpkg", "--extract", str(package), str(root)], check=True)
    packages = root / "usr" / "lib" / "python3" / "dist-packages"
    preload(python, root, packages / "torch")
    return packages


def preload(python: Path, root: Path, torch: Path) -> None:
    """Make the module load its libraries by path before it needs them: nobody then has to set a search path."""
    folders = sorted({str(f.parent) for f in root.rglob("*.so*")})
    env = {**os.environ, "LD_LIBRARY_PATH": ":".join(folders)}
    library = str(next((torch / "lib").glob("libtorch_python.so*")))
    listed = subprocess.run(["ldd", library], check=True, capture_output=True, text=True, env=env).stdout
    needed = [line.split()[2] for line in listed.splitlines() if f"=> {root}" in line] + [library]
    command = [str(python), "-c", _ORDER]
    order = subprocess.run(command, input="\n".join(needed), check=True, stdout=subprocess.PIPE, text=True).stdout
    (torch / _PRELOAD).write_text(order)
    init = torch / "__init__.py"
    init.write_text(_SHIM + init.read_text())
    check = "import sys; sys.path.append(sys.argv[1]); import torch; torch.ones(2).sum()"
    subprocess.run([str(python), "-c", check, str(torch.parent)], check=True, stdout=sys.stderr)
