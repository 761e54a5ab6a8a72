"""HTTP to a server of Signalbox with the standard library: refusals as errors that explain, and streams that go on."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TIMEOUT = 60.0  # seconds for one answer, and between two signs of life of a stream
_ATTEMPTS = 5
_RETRY = frozenset({429, 502, 503, 504})


class ApiError(Exception):
    """A refusal, with the problem document that explains it; or status 0 where nobody answered."""

    def __init__(self, what: str, status: int, problem: Mapping[str, Any]) -> None:
        self.status, self.problem = status, dict(problem)
        self.code = str(self.problem.get("code") or "")
        faults = [f"{f.get('pointer') or '/'}: {f.get('detail')}" for f in self.problem.get("errors") or []]
        detail = str(self.problem.get("detail") or "no explanation")
        super().__init__(
            ": ".join([what, f"HTTP {status} {self.code}".strip(), detail]) + "".join(f"\n  {f}" for f in faults)
        )


class Endpoint:
    """A server and the token for it. Calls are repeated while they are answered "not now"."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self._token = url.rstrip("/"), token

    def call(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send a request and return the document of the answer."""
        header = {"Accept": "application/json"}
        if body is not None:
            header |= {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        with self._open(method, path, header, body) as answer:
            return json.loads(answer.read() or b"null")

    def text(self, path: str) -> str:
        """Return an answer as text."""
        with self._open("GET", path, {"Accept": "text/plain"}) as answer:
            return str(answer.read().decode("utf-8", "replace"))

    def follow(self, path: str) -> Iterator[str]:
        """Yield the data of server-sent events until one of type end, where a connection broke from where it did."""
        last, quiet = "", 0
        while True:
            header = {"Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
            try:
                with self._open("GET", path, header) as answer:
                    for event in _events(answer):
                        if event.kind == "end":
                            return
                        if event.kind == "message":
                            last, quiet = event.id or last, 0
                            yield event.data
            except (OSError, http.client.HTTPException):
                pass  # the stream broke: another one begins behind the last event
            quiet += 1
            time.sleep(min(0.1 * 2**quiet, 5.0))

    def _open(self, method: str, path: str, header: Mapping[str, str], body: bytes | None = None) -> Any:
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=dict(header))
        if self._token:
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        what = f"{method} {path}"
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return urllib.request.urlopen(request, timeout=_TIMEOUT)
            except urllib.error.HTTPError as err:
                with err:
                    refusal = ApiError(what, err.code, _problem(err.read()))
                    pause = _pause(err.headers.get("Retry-After"), attempt)
                if err.code not in _RETRY or attempt == _ATTEMPTS:
                    raise refusal from None
            except (OSError, http.client.HTTPException) as err:
                if attempt == _ATTEMPTS:
                    reason = getattr(err, "reason", err)
                    raise ApiError(what, 0, {"detail": f"nobody answers at {self.url}: {reason}"}) from err
                pause = _pause(None, attempt)
            time.sleep(pause)
        raise AssertionError("unreachable")


@dataclass(frozen=True)
class _Event:
    kind: str
    id: str
    data: str


def _events(lines: Iterable[bytes]) -> Iterator[_Event]:
    """Read server-sent events; one that was cut off is dropped."""
    kind, at, data = "message", "", list[str]()
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            if data:
                yield _Event(kind, at, "\n".join(data))
            kind, at, data = "message", "", []
        elif name == "event":
            kind = value
        elif name == "id":
            at = value
        elif name == "data":
            data.append(value)


def _problem(body: bytes) -> dict[str, Any]:
    try:
        doc = json.loads(body)
    except ValueError:
        doc = None
    return doc if isinstance(doc, dict) else {"detail": body[:500].decode("utf-8", "replace")}


def _pause(stated: str | None, attempt: int) -> float:
    """Return the seconds until the next attempt: what the server says, within reason."""
    return min(float(stated), 30.0) if stated and stated.isdigit() else min(0.2 * 2**attempt, 5.0)
