"""Create the environment that training jobs run in; setup-env.sh says how to call it.

No pip inside and no byte code but for what is imported: that keeps it below 500 MB.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements.lock"
EXTRAS = {
    "iceberg": HERE / "requirements-iceberg.lock",  # of the repository only
    "lint": HERE / "requirements-lint.lock",  # of the repository only
    "postgres": HERE / "requirements-postgres.lock",
    "tests": HERE / "requirements-dev.lock",
}
IMPORTS = "import lightgbm, numpy, pandas, pyarrow.parquet, scipy.sparse, http.client, json, ssl"


def cache_root() -> Path:
    """Return where Go's os.UserCacheDir() is, plus signalbox."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "signalbox"


def environment_dir(root: Path) -> Path:
    """Return the environment's folder: its name covers the lock file and the interpreter."""
    identity = hashlib.sha256(LOCK.read_bytes())
    identity.update(f"{platform.python_version()} {sys.platform} {platform.machine()}".encode())
    return root / f"python-{identity.hexdigest()[:16]}"


def pip_environment() -> dict[str, str]:
    """Return our environment with what would turn pip's answers into questions switched off."""
    quiet = {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "PIP_USER": "0",
    }
    return {**os.environ, **quiet}


def run(command: list[str]) -> None:
    """Run a command with its output on our standard error: our standard output is the answer."""
    subprocess.run(command, check=True, stdout=sys.stderr, env=pip_environment())


def pip_command(scratch: Path) -> list[str]:
    """Return a pip of this interpreter: its own, else one that the standard library brings."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return [sys.executable, "-m", "pip"]
    venv.create(scratch / "pip", with_pip=True)
    return [str(scratch / "pip" / "bin" / "python"), "-m", "pip"]


def install(pip: list[str], lock: Path, target: Path, wheelhouse: Path) -> None:
    """Install what a lock file pins into target, from the wheelhouse if it has everything."""
    common = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", str(lock)]
    local = [
        *pip,
        "install",
        *common,
        "--no-compile",
        "--no-index",
        "--find-links",
        str(wheelhouse),
        "--target",
        str(target),
    ]
    if subprocess.run(local, capture_output=True, env=pip_environment()).returncode == 0:
        return
    run([*pip, "download", *common, "--dest", str(wheelhouse)])
    run(local)


def site_packages(env: Path) -> Path:
    """Return the folder that the environment's interpreter imports from."""
    return env / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def create(env: Path, pip: list[str], wheelhouse: Path) -> None:
    """Build the environment aside and move it into place, so that a half-built one is never used."""
    building = Path(tempfile.mkdtemp(prefix="python-building-", dir=env.parent))
    try:
        venv.create(building, with_pip=False, symlinks=True)
        install(pip, LOCK, site_packages(building), wheelhouse)
        run([str(building / "bin" / "python"), "-c", IMPORTS])
        building.rename(env)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def extra_link(env: Path, name: str) -> tuple[Path, str]:
    """Return the file that puts an extra on the import path, and what it must say: where, and of which lock file."""
    stated = hashlib.sha256(EXTRAS[name].read_bytes()).hexdigest()
    return site_packages(env) / f"signalbox-{name}.pth", f"{env / 'extras' / name}\n# {stated}\n"


def has_extra(env: Path, name: str) -> bool:
    """Report whether an extra is there as its lock file wants it."""
    link, content = extra_link(env, name)
    return link.exists() and link.read_text() == content


def add_extra(env: Path, name: str, pip: list[str], wheelhouse: Path) -> None:
    """Add an extra in a folder of its own: what jobs record as their environment stays the same."""
    link, content = extra_link(env, name)
    folder = env / "extras" / name
    link.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    install(pip, EXTRAS[name], folder, wheelhouse)
    link.write_text(content)


def torch_link(env: Path) -> tuple[Path, str]:
    """Return the file that puts PyTorch on the import path, and its last line once it is there."""
    import setup_torch

    return site_packages(env) / "signalbox-torch.pth", f"# {setup_torch.IDENTITY}\n"


def add_torch(env: Path) -> None:
    """Add PyTorch in a folder of its own, unless it is there."""
    import setup_torch

    link, stated = torch_link(env)
    if link.exists() and link.read_text().endswith(stated):
        return
    folder = env / "extras" / "torch"
    link.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=env.parent) as scratch:
        packages = setup_torch.add(env / "bin" / "python", folder, Path(scratch))
    link.write_text(f"{packages}\n{stated}")


def main() -> int:
    """Create what is missing and print the interpreter's path."""
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--print-only", action="store_true", help="print the path, create nothing")
    for name in EXTRAS:
        args.add_argument(f"--with-{name}", dest="extras", action="append_const", const=name, default=[])
    args.add_argument("--with-torch", action="store_true", help="PyTorch for the CPU: Debian 12 with Python 3.11 only")
    options = args.parse_args()

    root = cache_root()
    env = environment_dir(root)
    python = env / "bin" / "python"
    if not options.print_only:
        wheelhouse = root / "wheelhouse"
        wheelhouse.mkdir(parents=True, exist_ok=True)
        with open(root / "python.lock", "w") as lock, tempfile.TemporaryDirectory() as scratch:
            fcntl.flock(lock, fcntl.LOCK_EX)  # several tests may want it at once
            missing = [n for n in options.extras if not has_extra(env, n)]
            if missing or not python.exists():
                pip = pip_command(Path(scratch))
                if not python.exists():
                    create(env, pip, wheelhouse)
                for name in missing:
                    add_extra(env, name, pip, wheelhouse)
            if options.with_torch:
                add_torch(env)
    print(python)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as failed:
        print(f"setup-env: {' '.join(failed.cmd[:4])} … ended with {failed.returncode}", file=sys.stderr)
        print(
            "setup-env: LightGBM needs the OpenMP library (libgomp1 on Debian); downloads need a package index",
            file=sys.stderr,
        )
        sys.exit(1)
