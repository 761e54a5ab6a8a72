"""HTTP with the standard library: bounded retries, bodies in pieces, no redirects and no proxies."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

ATTEMPTS = 6
TIMEOUT = 60.0  # seconds for one connect, read or write
_CHUNK = 1 << 18
_RETRY = frozenset({408, 429, 500, 502, 503, 504})


class TransportError(Exception):
    """The other side did not answer, or kept answering that it cannot now. Trying the run again may help."""


class StatusError(Exception):
    """The other side refused: the answer is final."""

    def __init__(self, what: str, answer: Answer) -> None:
        self.answer = answer
        super().__init__(f"{what}: HTTP {answer.status}: {answer.body[:500].decode('utf-8', 'replace')}")


@dataclass(frozen=True)
class Answer:
    """A response that was read whole."""

    status: int
    body: bytes


Reader = Callable[[http.client.HTTPResponse], bytes]


def request(
    method: str,
    url: str,
    header: Mapping[str, str],
    body: bytes | Callable[[], BinaryIO] = b"",
    read: Reader = http.client.HTTPResponse.read,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Send a request until it is answered with anything but "not now"; every status comes back as an Answer.

    A body that is a function is opened anew for each attempt and must give Content-Length among the headers. ``read``
    consumes the body of a 2xx answer. TransportError after ATTEMPTS.
    """
    failure = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(min(0.2 * 2**attempt, 5.0))
        try:
            answer = _once(method, url, header, body, read)
        except (OSError, http.client.HTTPException) as err:
            failure = f"{type(err).__name__}: {err}"
            continue
        if answer.status not in _RETRY:
            return answer
        failure = f"HTTP {answer.status}: {answer.body[:200].decode('utf-8', 'replace')}"
    raise TransportError(f"{method} {_shown(url)}: {failure} ({ATTEMPTS} attempts)")


def _once(
    method: str, url: str, header: Mapping[str, str], body: bytes | Callable[[], BinaryIO], read: Reader
) -> Answer:
    parts = urlsplit(url)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=TIMEOUT, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.putrequest(
            method, target or "/", skip_host=any(n.lower() == "host" for n in header), skip_accept_encoding=True
        )
        for name, value in header.items():
            connection.putheader(name, value)
        if callable(body):
            connection.endheaders()
            with body() as file:
                while chunk := file.read(_CHUNK):
                    connection.send(chunk)
        else:
            if body or method in ("POST", "PUT"):
                if not any(n.lower() == "content-length" for n in header):
                    connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
        response = connection.getresponse()
        consume = read if 200 <= response.status < 300 else http.client.HTTPResponse.read
        return Answer(response.status, consume(response))
    finally:
        connection.close()


def _shown(url: str) -> str:
    """Leave out the query: in a signed request it is a credential."""
    return url.split("?", 1)[0]
