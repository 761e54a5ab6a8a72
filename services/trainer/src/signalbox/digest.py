"""Digests: SHA-256 spelled ``sha256.<BASE32>``, the only identity that durable values have."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

_PREFIX = "sha256."
_CHUNK = 1 << 20


def text(raw: bytes) -> str:
    """Spell 32 bytes: RFC 4648 base32, upper case, unpadded."""
    return _PREFIX + base64.b32encode(raw).decode("ascii").rstrip("=")


def parse(spelled: str) -> bytes:
    """Read a digest. ValueError for anything but the one spelling it has."""
    body = spelled.removeprefix(_PREFIX)
    if body == spelled or len(body) != 52:
        raise ValueError(f"{spelled[:80]!r} is not a digest: want sha256. and 52 upper-case base32 characters")
    raw = base64.b32decode(body + "====")
    if text(raw) != spelled:
        raise ValueError(f"{spelled[:80]!r} is not a digest: stray bits in the last character")
    return raw


def of(data: bytes) -> str:
    """Return the digest of some bytes."""
    return text(hashlib.sha256(data).digest())


def of_file(path: Path) -> str:
    """Return the digest of a file, read in pieces."""
    state = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            state.update(chunk)
    return text(state.digest())


def oci(spelled: str) -> str:
    """Return a digest as OCI documents spell it: ``sha256:<hex>``."""
    return "sha256:" + parse(spelled).hex()
