"""Chunked streams of an attempt: the log and the series of metrics go to the control plane while the job runs.

``PUT <stream>/<chunk>`` creates a chunk and answers its size as stored. A chunk that is there already is left alone,
so a repeated PUT with the same bytes is answered as the first one was, whether or not that answer was lost.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timezone

from . import transport
from .spool import Spool

CHUNK = 256 << 10  # bytes
DELAY = 1.0  # seconds that a byte waits for others
_TIMEOUT = 10.0  # of one PUT: nothing waits for it but the bytes behind it


def address(api: str, run_id: str, attempt: int, name: str) -> str:
    """Return the URL of a stream of an attempt: ``log`` or ``series``."""
    return f"{api}/v1/runs/{run_id}/attempts/{attempt}/{name}"


class Sender:
    """Sends what is written to it from a thread of its own. Writing never blocks and never fails.

    With ``lines`` a chunk ends where a line ends. ``refused`` says why the control plane wants no more of the stream,
    once it does; what is written from then on is thrown away.
    """

    def __init__(self, url: str, header: Mapping[str, str], spool: Spool, lines: bool = False) -> None:
        self.refused = ""
        self._url, self._spool, self._lines = url, spool, lines
        self._header = {"Content-Type": "application/jsonl" if lines else "application/octet-stream", **header}
        self._ready = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._since = 0.0  # when the first byte came that has not been sent
        self._index = 0
        self._closing = self._abandoned = False
        self._pid = os.getpid()

    @property
    def dropped(self) -> int:
        """How many bytes there was no room for."""
        return self._spool.dropped

    def write(self, data: bytes) -> None:
        """Add bytes to the stream; in a stream of lines, whole ones."""
        if os.getpid() != self._pid:
            return  # a fork of the job has this object but not its thread, and maybe its lock forever
        with self._ready:
            if self.refused or self._closing or not data:
                return
            if not self._spool:
                self._since = time.monotonic()
            self._spool.append(data)
            if self._thread.ident is None:
                self._thread.start()
            self._ready.notify_all()

    def close(self, timeout: float) -> int:
        """Send what is left for at most so many seconds, and return how many bytes are left even then."""
        with self._ready:
            self._closing = True
            self._spool.settle()
            self._ready.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        with self._ready:
            self._abandoned = True
            self._ready.notify_all()
            return len(self._spool)

    def _run(self) -> None:
        while body := self._next():
            stored = self._deliver(body)
            if stored < 0:
                return
            self._index += 1
            if stored == len(body):
                with self._ready:
                    self._spool.discard(stored)
            # Else the chunk is of an earlier process of this executor: ours go behind it, from the first byte.

    def _next(self) -> bytes:
        """Wait for a chunk's worth of bytes, or for their time; empty when the stream has ended."""
        with self._ready:
            while len(self._spool) < CHUNK and not self._closing:
                left = self._since + DELAY - time.monotonic() if self._spool else None
                if left is not None and left <= 0:
                    break
                self._ready.wait(left)
            self._since = time.monotonic()
            body = self._spool.head(CHUNK)
        return body[: body.rfind(b"\n") + 1] if self._lines else body

    def _deliver(self, body: bytes) -> int:
        """Put a chunk until it is answered and return its stored size; -1 when there is no more to be done."""
        failures = 0
        while not self._abandoned:
            stored = self._put(body)
            if stored is not None:
                return stored
            failures += 1
            self._pause(transport.backoff(failures))
        return -1

    def _pause(self, seconds: float) -> None:
        """Wait before a repetition, but not over the moment when the stream is closed: time is short then."""
        with self._ready:
            closing = self._closing
            self._ready.wait_for(lambda: self._abandoned or self._closing != closing, seconds)

    def _put(self, body: bytes) -> int | None:
        try:
            answer = transport.once("PUT", f"{self._url}/{self._index}", self._header, body, timeout=_TIMEOUT)
            if answer.status in (200, 201):
                return int(json.loads(answer.body)["bytes"])
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
            return None
        if answer.status in transport.RETRY:
            return None
        with self._ready:
            self.refused = f"HTTP {answer.status}: {answer.body[:200].decode('utf-8', 'replace')}"
        return -1


def point(name: str, value: float, step: int | None = None) -> bytes:
    """Return a line of the series stream, of now."""
    at = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    where = {} if step is None else {"step": step}
    return json.dumps({"name": name, "value": value, **where, "at": at}).encode() + b"\n"
