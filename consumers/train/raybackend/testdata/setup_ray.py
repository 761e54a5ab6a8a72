"""Print the interpreter of an environment with Ray below the folder given, after making it if it is not there."""

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

LOCK = Path(__file__).resolve().parent / "ray.lock"


def create(env: Path) -> None:
    """Build the environment aside, so that a half-built one is never used."""
    building = Path(tempfile.mkdtemp(prefix="ray-building-", dir=env.parent))
    try:
        venv.create(building, with_pip=False, symlinks=True)
        packages = building / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-compile", "--target", str(packages)]
        subprocess.run([*command, "--requirement", str(LOCK)], check=True, stdout=sys.stderr)
        building.rename(env)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def main() -> None:
    """Make the environment once, whoever asks at the same time."""
    root = Path(sys.argv[1])
    root.mkdir(parents=True, exist_ok=True)
    identity = hashlib.sha256(LOCK.read_bytes() + f"{platform.python_version()} {platform.machine()}".encode())
    env = root / f"ray-{identity.hexdigest()[:16]}"
    with open(root / "ray.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not env.exists():
            create(env)
    print(os.path.join(env, "bin", "python"))


if __name__ == "__main__":
    main()
