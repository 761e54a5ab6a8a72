"""HTTP with the standard library: bounded retries, bodies in pieces, no redirects and no proxies."""

from __future__ import annotations

import functools
import http.client
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

ATTEMPTS = 6
PATIENT = 60  # attempts of what must get through: five minutes without anybody there
TIMEOUT = 60.0  # seconds for one connect, read or write
_CHUNK = 1 << 18
RETRY = frozenset({408, 429, 500, 502, 503, 504})


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
    attempts: int = 0,
    timeout: float = TIMEOUT,
) -> Answer:
    """Send a request until it is answered with anything but "not now"; every status comes back as an Answer.

    A body that is a function is opened anew for each attempt and must give Content-Length among the headers. ``read``
    consumes the body of a 2xx answer. TransportError after that many attempts (0: ATTEMPTS).
    """
    failure = ""
    attempts = attempts or ATTEMPTS
    for attempt in range(attempts):
        if attempt:
            pause(backoff(attempt))
        try:
            answer = once(method, url, header, body, read, timeout)
        except (OSError, http.client.HTTPException) as err:
            failure = f"{type(err).__name__}: {err}"
            continue
        if answer.status not in RETRY:
            return answer
        failure = f"HTTP {answer.status}: {answer.body[:200].decode('utf-8', 'replace')}"
    raise TransportError(f"{method} {_shown(url)}: {failure} ({attempts} attempts)")


def backoff(attempt: int) -> float:
    """Return the seconds to wait before a repetition (from 1); random, so that many jobs do not come back at once."""
    return min(0.2 * 2.0 ** min(attempt, 10), 5.0) * random.uniform(0.5, 1.0)


def once(
    method: str,
    url: str,
    header: Mapping[str, str],
    body: bytes | Callable[[], BinaryIO] = b"",
    read: Reader = http.client.HTTPResponse.read,
    timeout: float = TIMEOUT,
) -> Answer:
    """Send a request one time. OSError or http.client.HTTPException where it is not answered."""
    parts = urlsplit(url)
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            parts.netloc, timeout=timeout, context=_tls()
        )
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
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


@functools.lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """Read the machine's certificates once: it takes longer than a request."""
    return ssl.create_default_context()


def _shown(url: str) -> str:
    """Leave out the query: in a signed request it is a credential."""
    return url.split("?", 1)[0]
