"""Connections between the workers of a run, for small values."""

from __future__ import annotations

import json
import socket
from typing import Any

LARGEST = 64 << 20  # bytes of the values of all workers together


class PeerError(Exception):
    """Another worker of the run is gone or never came. Trying the run again may help."""


class Link:
    """A connection between two workers, for one JSON value after another."""

    def __init__(self, connection: socket.socket, peer: str) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._connection, self._peer = connection, peer

    def send(self, value: Any) -> None:
        """Send a value. PeerError where the other one is gone."""
        data = json.dumps(value).encode()
        if len(data) > LARGEST:
            raise ValueError(f"workers exchange at most {LARGEST} bytes at once, not {len(data)}")
        try:
            self._connection.sendall(len(data).to_bytes(4, "big") + data)
        except OSError as err:
            raise PeerError(f"{self._peer} is gone: {err}") from err

    def receive(self, limit: int = LARGEST) -> Any:
        """Wait for a value. PeerError where the other one is gone, or sends what is none."""
        try:
            size = int.from_bytes(self._read(4), "big")
            if size > limit:
                raise PeerError(f"{self._peer} sends {size} bytes at once")
            return json.loads(self._read(size))
        except (OSError, ValueError) as err:
            raise PeerError(f"{self._peer} is gone: {err}") from err

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = self._connection.recv(min(size, 1 << 20))
            if not part:
                raise OSError("the connection has ended")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


def listen(address: str) -> socket.socket:
    """Take connections at an address, on a port that is free."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, 0), family=family, backlog=512)


def free_port(address: str) -> int:
    """Return a port that nobody has at the moment."""
    with listen(address) as listener:
        return int(listener.getsockname()[1])
