"""Digests, canonical JSON and packages: byte for byte what the Go side makes of the same files."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from signalbox import canonical, digest
from signalbox.package import Blob, Package

VECTORS = sorted((Path(__file__).resolve().parents[3] / "schemas" / "vectors").glob("package-*.json"))


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 2


@pytest.mark.parametrize("path", VECTORS, ids=lambda p: p.stem)
def test_vector(path: Path) -> None:
    vector = json.loads(path.read_text())
    files = {f["path"]: Blob(f["mediaType"], base64.b64decode(f["content_base64"])) for f in vector["files"]}
    package = Package(json.loads(files["signature.json"].data)["format"], files)
    assert package.config.data.decode() == vector["config"]
    assert package.manifest.decode() == vector["manifest"]
    assert package.id == vector["id"]


def test_order_of_files_does_not_matter() -> None:
    files = {"b": Blob("m", b"1"), "a": Blob("m", b"2"), "Z": Blob("m", b"3"), "é": Blob("m", b"")}
    again = dict(reversed(files.items()))
    assert Package("f", files).id == Package("f", again).id
    layers = json.loads(Package("f", files).manifest)["layers"]
    assert [layer["annotations"]["org.cncf.model.filepath"] for layer in layers] == ["Z", "a", "b", "é"]


def test_digest_has_one_spelling() -> None:
    spelled = digest.of(b"signalbox")
    assert digest.text(digest.parse(spelled)) == spelled and len(spelled) == 59
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"["ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".index(spelled[-1]) + 1]
    for bad in (spelled.lower(), spelled[7:], spelled + "=", spelled[:-1] + last, "", "sha256." + "1" * 52):
        with pytest.raises(ValueError):
            digest.parse(bad)


def test_digest_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 3_000_000)
    assert digest.of_file(path) == digest.of(b"x" * 3_000_000)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ({"b": 1, "a": [True, None, 'é\n\u0007"\\']}, '{"a":[true,null,"é\\n\\u0007\\"\\\\"],"b":1}'),
        ({"\ufb33": 1, "\U0001f600": 2}, '{"\U0001f600":2,"\ufb33":1}'),  # by UTF-16, not by code point
        ({}, "{}"),
        (-(2**53) + 1, "-9007199254740991"),
    ],
)
def test_canonical(value: Any, wanted: str) -> None:
    assert canonical.encode(value).decode() == wanted


@pytest.mark.parametrize("value", [1.5, 2**53, {"a": float("nan")}, {1: 2}, object()])
def test_canonical_refuses(value: Any) -> None:
    with pytest.raises((TypeError, AttributeError)):
        canonical.encode(value)
