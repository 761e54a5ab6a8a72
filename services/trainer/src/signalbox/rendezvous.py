"""How the workers of an attempt find each other: nothing but the control plane is known beforehand.

All of them join the attempt there, and learn each other's addresses. Then each connects to rank 0 and proves that it is
one of them.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .distributed import Distributed
from .links import Link, PeerError, listen

if TYPE_CHECKING:
    from .client import Client
    from .job import Job

WITHIN = 600.0  # seconds for all to come: two runs that hold half of a cluster each must not wait for ever
_POLL = (0.2, 2.0)  # seconds between two looks, at first and at last
_HELLO = 10.0  # seconds for a new connection to say who it is
_HELLO_SIZE = 1024  # bytes


def meet(job: Job, client: Client, within: float = WITHIN) -> Distributed:
    """Join the attempt and wait for all other workers. PeerError where one does not come in time."""
    if job.workers == 1:
        return Distributed()
    deadline = time.monotonic() + within
    address = own_address(job.api)
    with ExitStack() as stack:
        listener = None
        if job.rank == 0:
            listener = stack.enter_context(listen(address))
        port = listener.getsockname()[1] if listener else 0
        members = _join(client, job, _pair(address, port), deadline)
        if listener:
            links = _accept(listener, job, deadline)
        else:
            links = [_connect(members[0], job, deadline)]
        return Distributed([_host(m) for m in members], job.rank, links)


def _join(client: Client, job: Job, address: str, deadline: float) -> list[str]:
    """Return the addresses of all workers, by rank, once they have come."""
    pause = _POLL[0]
    while True:
        answer = client.join(job.rank, address)
        if answer["complete"]:
            return [member["address"] for member in answer["members"]]
        if time.monotonic() > deadline:
            raise PeerError(f"{answer['joined']} of {job.workers} workers have come: is there room for all at once?")
        time.sleep(pause)
        pause = min(pause * 1.5, _POLL[1])


def _accept(listener: socket.socket, job: Job, deadline: float) -> list[Link]:
    """Return the links to all other workers. Whoever cannot prove to be one is turned away."""
    found: dict[int, Link] = {}
    try:
        while len(found) < job.workers - 1:
            left = deadline - time.monotonic()
            if left <= 0:
                raise PeerError(f"{len(found) + 1} of {job.workers} workers have connected to rank 0")
            listener.settimeout(left)
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(_HELLO)
            link = Link(connection, "a worker")
            try:
                hello = link.receive(_HELLO_SIZE)
                rank, proof = int(hello["rank"]), str(hello["proof"])
            except (PeerError, KeyError, TypeError, ValueError):
                link.close()
                continue
            if not 0 < rank < job.workers or rank in found or not hmac.compare_digest(proof, _proof(job, rank)):
                link.close()
                continue
            connection.settimeout(None)
            found[rank] = Link(connection, f"rank {rank}")
    except BaseException:
        for link in found.values():
            link.close()
        raise
    return [found[rank] for rank in sorted(found)]


def _connect(master: str, job: Job, deadline: float) -> Link:
    host, port = _host(master), int(master.rpartition(":")[2])
    while True:
        try:
            connection = socket.create_connection((host, port), timeout=_HELLO)
            break
        except OSError as err:
            if time.monotonic() > deadline:
                raise PeerError(f"rank 0 is not reached at {master}: {err}") from err
            time.sleep(_POLL[0])
    connection.settimeout(None)
    link = Link(connection, "rank 0")
    link.send({"rank": job.rank, "proof": _proof(job, job.rank)})
    return link


def _proof(job: Job, rank: int) -> str:
    """Return what only a worker of this attempt can say: all of them have its token, and nobody else has."""
    text = f"rank {rank} of attempt {job.attempt} of run {job.run_id}"
    return hmac.new(job.token.encode(), text.encode(), hashlib.sha256).hexdigest()


def own_address(api: str) -> str:
    """Return the address that others reach this worker at: it was told, or speaks to the control plane from there."""
    told = os.environ.get("SIGNALBOX_ADDRESS")
    if told:
        return told
    parts = urlsplit(api)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(found[0], socket.SOCK_DGRAM) as probe:  # nothing is sent
        probe.connect(found[4])
        return str(probe.getsockname()[0])


def _pair(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host(pair: str) -> str:
    return pair.rpartition(":")[0].strip("[]")
