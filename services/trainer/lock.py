"""Write the .lock files: every pinned requirement with the hash of each wheel that may be installed.

    python lock.py            # needs the package index; run it after a change of a .in file

It asks pip for a dry run per Python version and platform, so nothing is downloaded but metadata.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
LINUX = (
    ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_5_x86_64"),
    ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"),
)
MACOS = (("macosx_12_0_arm64", "macosx_11_0_arm64"),)

SOURCES = {
    "requirements.in": LINUX + MACOS,
    "requirements-dev.in": LINUX,  # xgboost-cpu has no wheels elsewhere, and the full one weighs hundreds of megabytes
    "requirements-postgres.in": LINUX + MACOS,
}


def wheels(source: Path, python: str, platforms: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return (name==version, sha256) of what pip would install for one Python on one platform."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch, "report.json")
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
        command += ["--only-binary", ":all:", "--python-version", python, "--target", scratch]
        command += ["--report", str(report), "--requirement", str(source)]
        for platform in platforms:
            command += ["--platform", platform]
        subprocess.run(command, check=True)
        items = json.loads(report.read_text())["install"]
    return [
        (
            f"{i['metadata']['name'].lower()}=={i['metadata']['version']}",
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
    lines = [f"# Made by lock.py from {source.name}: wheels for Python {', '.join(PYTHONS)}.", ""]
    for pin in sorted(found):
        lines.append(" \\\n    ".join([pin, *(f"--hash=sha256:{d}" for d in sorted(found[pin]))]))
    source.with_suffix(".lock").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    for name, wanted in SOURCES.items():
        lock(HERE / name, wanted)
