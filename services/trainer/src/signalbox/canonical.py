"""Canonical JSON (RFC 8785), so that equal documents have equal bytes in every language."""

from __future__ import annotations

import json
from typing import Any


def encode(value: Any) -> bytes:
    """Return the canonical bytes of a document of objects, arrays, texts, integers, booleans and null.

    TypeError for floats and other types: what is hashed must not depend on how a number is printed.
    """
    return _text(value).encode("utf-8")


def _text(value: Any) -> str:
    if value is None or isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        if abs(value) >= 2**53:
            raise TypeError(f"{value} has no exact JSON number: write it as a text")
        return str(value)
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_text(v) for v in value) + "]"
    if isinstance(value, dict):
        # The standard sorts by UTF-16 code units, which differs from code points beyond the basic plane.
        keys = sorted(value, key=lambda k: k.encode("utf-16-be"))
        return "{" + ",".join(f"{_text(k)}:{_text(value[k])}" for k in keys) + "}"
    raise TypeError(f"{type(value).__name__} has no canonical form here")
