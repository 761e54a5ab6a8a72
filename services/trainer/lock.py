"""Write the .lock files: every pinned requirement with the hash of each wheel that may be installed.

    python lock.py            # needs the package index; run it after a change of a .in file

It asks pip for a dry run per Python version and platform, so nothing is downloaded but metadata. A requirement may end
in ``; python_version < "3.13"``: pip would read that marker with its own version of Python, so it is decided here.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
NEWER = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
LINUX = (
    tuple(f"{name}_x86_64" for name in (*NEWER, "manylinux_2_5")),
    tuple(f"{name}_aarch64" for name in NEWER),
)
MACOS = (("macosx_12_0_arm64", "macosx_11_0_arm64"),)

SOURCES = {
    "requirements.in": LINUX + MACOS,
    "requirements-dev.in": LINUX,  # xgboost-cpu has no wheels elsewhere, and the full one weighs hundreds of megabytes
    "requirements-iceberg.in": LINUX + MACOS,
    "requirements-lint.in": LINUX + MACOS,
    "requirements-postgres.in": LINUX + MACOS,
}


_BELOW = re.compile(r'^(\S+) ; python_version < "3\.(\d+)"$')


def markers(source: Path) -> dict[str, str]:
    """Return the markers of a .in file by requirement (name==version)."""
    found = (_BELOW.match(line) for line in source.read_text().splitlines())
    return {m[1]: f' ; python_version < "3.{m[2]}"' for m in found if m}


def wanted(source: Path, python: str) -> str:
    """Return the lines of a .in file that hold for one Python, without their markers."""
    lines = []
    for line in source.read_text().splitlines():
        match = _BELOW.match(line)
        if not match:
            lines.append(line)
        elif int(python.removeprefix("3.")) < int(match[2]):
            lines.append(match[1])
    return "\n".join(lines) + "\n"


def wheels(source: Path, python: str, platforms: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return (name==version, sha256) of what pip would install for one Python on one platform."""
    with tempfile.TemporaryDirectory() as scratch:
        report, requirements = Path(scratch, "report.json"), Path(scratch, "requirements.in")
        requirements.write_text(wanted(source, python))
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
        command += ["--only-binary", ":all:", "--python-version", python, "--target", scratch]
        command += ["--report", str(report), "--requirement", str(requirements)]
        for platform in platforms:
            command += ["--platform", platform]
        subprocess.run(command, check=True)
        items = json.loads(report.read_text())["install"]
    return [
        (
            f"{i['metadata']['name'].lower().replace('_', '-')}=={i['metadata']['version']}",
            i["download_info"]["archive_info"]["hashes"]["sha256"],
        )
        for i in items
    ]


def lock(source: Path, platforms: tuple[tuple[str, ...], ...]) -> None:
    """Write the lock file of one .in file."""
    found: dict[str, set[str]] = defaultdict(set)
    for python in PYTHONS:
        for platform in platforms:
            for pin, digest in wheels(source, python, platform):
                found[pin].add(digest)
    marked = markers(source)
    lines = [f"# Made by lock.py from {source.name}: wheels for Python {', '.join(PYTHONS)}.", ""]
    for pin in sorted(found):
        lines.append(" \\\n    ".join([pin + marked.get(pin, ""), *(f"--hash=sha256:{d}" for d in sorted(found[pin]))]))
    source.with_suffix(".lock").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    for name, platforms in SOURCES.items():
        lock(HERE / name, platforms)
