"""Frames between a server and its worker; PROTOCOL.md describes them.

A frame is ``u32 payload length | u64 request id | u8 kind | payload``, little-endian.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .arrays import Floats

LOAD, LOADED, PREDICT, RESULT, CLOSE, ERROR = 1, 2, 3, 4, 5, 9

MAX_PAYLOAD = 256 << 20  # bytes

_HEADER = struct.Struct("<IQB")
_SHAPE = struct.Struct("<II")
_LENGTH = struct.Struct("<I")


class FrameError(Exception):
    """The peer does not speak the protocol: the connection is of no more use."""


@dataclass(frozen=True)
class Frame:
    """One message."""

    id: int
    kind: int
    payload: bytes


@dataclass(frozen=True)
class Table:
    """Rows to predict: a matrix of float64, and rows x width texts or none."""

    values: Floats
    text: list[str]


def receive(connection: socket.socket) -> Frame | None:
    """Read a frame; None where the peer has closed between frames."""
    head = _read(connection, _HEADER.size)
    if not head:
        return None
    if len(head) < _HEADER.size:
        raise FrameError("connection closed within a header")
    length, request, kind = _HEADER.unpack(head)
    if length > MAX_PAYLOAD:
        raise FrameError(f"payload of {length} bytes is above the limit of {MAX_PAYLOAD}")
    payload = _read(connection, length)
    if len(payload) < length:
        raise FrameError("connection closed within a payload")
    return Frame(request, kind, bytes(payload))


def send(connection: socket.socket, request: int, kind: int, payload: bytes = b"") -> None:
    """Write a frame whole."""
    connection.sendall(_HEADER.pack(len(payload), request, kind) + payload)


def encode_table(values: Floats, text: Sequence[str] = ()) -> bytes:
    """Return the payload of a predict frame."""
    texts = json.dumps(list(text), ensure_ascii=False).encode() if text else b""
    return encode_result(values) + _LENGTH.pack(len(texts)) + texts


def decode_table(payload: bytes) -> Table:
    """Read the payload of a predict frame. FrameError where its lengths disagree."""
    values, rest = _matrix(payload)
    if len(rest) < _LENGTH.size:
        raise FrameError("predict: no length of the texts")
    (size,) = _LENGTH.unpack_from(rest)
    texts = rest[_LENGTH.size :]
    if len(texts) != size:
        raise FrameError(f"predict: {len(texts)} bytes of texts, {size} announced")
    text = json.loads(bytes(texts)) if size else []
    if text and (len(text) != values.size or not all(isinstance(t, str) for t in text)):
        raise FrameError("predict: texts are not one for each cell")
    return Table(values, text)


def encode_result(values: Floats) -> bytes:
    """Return the payload of a result frame: shape and row-major float64."""
    matrix = np.ascontiguousarray(values, dtype="<f8").reshape(len(values), -1 if len(values) else 0)
    return _SHAPE.pack(*matrix.shape) + matrix.tobytes()


def decode_result(payload: bytes) -> Floats:
    """Read the payload of a result frame."""
    values, rest = _matrix(payload)
    if rest:
        raise FrameError("result: bytes after the matrix")
    return values


def _matrix(payload: bytes) -> tuple[Floats, memoryview]:
    view = memoryview(payload)
    if len(view) < _SHAPE.size:
        raise FrameError("no shape")
    rows, width = _SHAPE.unpack_from(view)
    end = _SHAPE.size + rows * width * 8
    if len(view) < end:
        raise FrameError(f"{rows} x {width} numbers announced in {len(view)} bytes")
    return np.frombuffer(view[_SHAPE.size : end], dtype="<f8").reshape(rows, width), view[end:]


def _read(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        count = connection.recv_into(view[got:])
        if not count:
            break
        got += count
    return data[:got]
