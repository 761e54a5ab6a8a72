"""The control plane as a job sees it: blobs, packages, and the report on its own run."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import transport
from .job import Signed
from .package import Blob, Package
from .spool import Spool
from .streams import Sender, address

_log = logging.getLogger("signalbox.client")

_PUBLISH_ROUNDS = 3
_NOTICE_ATTEMPTS = 3  # of what the job does not wait for
_NOTICE_TIMEOUT = 10.0


class Fenced(Exception):
    """The attempt is not ours: another executor has it, or the run was cancelled or has gone on to another attempt."""


class Client:
    """Calls of one attempt of a run, by one executor. Every call may be repeated, and is while nobody answers.

    All but progress raise transport.TransportError where nobody answers for minutes.
    """

    def __init__(
        self, api: str, token: str, run_id: str, attempt: int, traceparent: str = "", executor: str = ""
    ) -> None:
        self._api, self._run, self._attempt, self._executor = api, run_id, attempt, executor
        self._header = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if executor:
            self._header["Signalbox-Executor"] = executor
        if traceparent:
            self._header["traceparent"] = traceparent
        self._unsent: list[dict[str, Any]] = []

    def start(self) -> None:
        """Claim the attempt. Fenced where another executor has it: then leave everything as it is."""
        self._report("start", {"executor": self._executor})

    def join(self, rank: int, address: str) -> dict[str, Any]:
        """Take a rank of the attempt, and learn who the others are. Fenced where another executor has it."""
        body = {"attempt": self._attempt, "rank": rank, "executor": self._executor, "address": address}
        answer: dict[str, Any] = self._call("POST", f"/v1/runs/{self._run}:join", body)
        return answer

    def series(self) -> Sender:
        """Return the sender of the attempt's series of metrics."""
        header = {k: v for k, v in self._header.items() if k != "Accept"}
        spool = Spool(lambda dropped: b"", tail=0, whole=True)
        return Sender(address(self._api, self._run, self._attempt, "series"), header, spool, lines=True)

    def progress(self, step: str, seconds: float | None = None, metrics: Mapping[str, float] | None = None) -> None:
        """Report a step: that it began (no seconds), or how long it took and what was measured.

        Where nobody answers the report is kept and goes with the next one.
        """
        body: dict[str, Any] = {"step": step}
        if seconds is not None:
            body["seconds"] = round(seconds, 6)
        if metrics:
            body["metrics"] = dict(metrics)
        self._unsent.append(body)
        try:
            self._send_progress(_NOTICE_ATTEMPTS, _NOTICE_TIMEOUT)
        except transport.TransportError as err:
            _log.warning("%d reports of progress wait: %s", len(self._unsent), err)

    def complete(self, package: str, artifacts: Mapping[str, str]) -> None:
        """End the run with a package. Fenced where it is no longer ours to end."""
        self._send_progress()
        self._report("complete", {"package": package, "artifacts": dict(artifacts)})

    def fail(self, exception: Mapping[str, Any], artifacts: Mapping[str, str]) -> None:
        """End the attempt with an exception. Fenced where it is no longer ours to end."""
        self._send_progress()
        self._report("fail", {"exception": dict(exception), "artifacts": dict(artifacts)})

    def upload_artifacts(self, artifacts: Mapping[str, bytes]) -> dict[str, str]:
        """Store files of this attempt and return their keys by name."""
        blobs = {name: Blob("application/octet-stream", data) for name, data in sorted(artifacts.items())}
        asked = [{"name": n, "digest": b.digest, "size": len(b.data)} for n, b in blobs.items()]
        answer = self._call("POST", f"/v1/runs/{self._run}/artifacts", {"attempt": self._attempt, "artifacts": asked})
        keys = {}
        for item in answer["artifacts"]:
            self._put_signed(item.get("put"), blobs[item["name"]].data)
            keys[item["name"]] = item["key"]
        return keys

    def publish(self, package: Package, model: str) -> None:
        """Upload what the registry lacks, then the manifest. Repeating it changes nothing."""
        header = {
            "Content-Type": "application/vnd.oci.image.manifest.v1+json",
            "Signalbox-Model": model,
            "Signalbox-Run": self._run,
        }
        for _ in range(_PUBLISH_ROUNDS):
            self._upload_blobs(package.blobs())
            answer = self._send("PUT", f"/v1/packages/{package.id}", package.manifest, header)
            if answer.status in (200, 201):
                return
            if answer.status != 409:
                break
            if b'"missing"' not in answer.body:
                raise Fenced(_text(answer))
            # Blobs were collected meanwhile: send them again.
        raise transport.StatusError("publish package", answer)

    def _upload_blobs(self, blobs: Sequence[Blob]) -> None:
        by_digest = {b.digest: b for b in blobs}
        asked = [{"mediaType": b.media_type, "digest": b.digest, "size": len(b.data)} for b in by_digest.values()]
        answer = self._call("POST", "/v1/blobs:missing", {"blobs": asked})
        for item in answer["blobs"]:
            if not item["present"]:
                self._put_signed(item["put"], by_digest[item["digest"]].data)

    def _put_signed(self, doc: Mapping[str, Any] | None, data: bytes) -> None:
        if doc is None:
            return
        put = Signed.parse(doc)
        header = {name: ", ".join(values) for name, values in put.header.items()}
        header = {n: v for n, v in header.items() if n.lower() != "content-length"} | {"Content-Length": str(len(data))}
        answer = transport.request(put.method, put.url, header, lambda: io.BytesIO(data), attempts=transport.PATIENT)
        if answer.status not in (200, 201, 204, 412):  # 412: it is there already, and it hashes to its key
            raise transport.StatusError("upload", answer)

    def _send_progress(self, attempts: int = transport.PATIENT, timeout: float = transport.TIMEOUT) -> None:
        while self._unsent:
            try:
                self._report("progress", self._unsent[0], attempts, timeout)
            except transport.StatusError as err:
                _log.warning("a report of progress was refused: %s", err)  # figures are no reason to lose a model
            del self._unsent[0]

    def _report(
        self, verb: str, body: dict[str, Any], attempts: int = transport.PATIENT, timeout: float = transport.TIMEOUT
    ) -> None:
        data = json.dumps({"attempt": self._attempt, **body}).encode()
        answer = self._send("POST", f"/v1/runs/{self._run}:{verb}", data, attempts=attempts, timeout=timeout)
        if answer.status == 409:
            raise Fenced(_text(answer))
        if answer.status >= 300:
            raise transport.StatusError(f"report {verb}", answer)

    def _call(self, method: str, path: str, body: Any) -> Any:
        answer = self._send(method, path, json.dumps(body).encode())
        if answer.status == 409:
            raise Fenced(_text(answer))
        if answer.status >= 300:
            raise transport.StatusError(f"{method} {path}", answer)
        return json.loads(answer.body)

    def _send(
        self,
        method: str,
        path: str,
        body: bytes,
        header: Mapping[str, str] | None = None,
        attempts: int = transport.PATIENT,
        timeout: float = transport.TIMEOUT,
    ) -> transport.Answer:
        sent = {"Content-Type": "application/json", **self._header, **(header or {})}
        return transport.request(method, self._api + path, sent, body, attempts=attempts, timeout=timeout)


class Worker(Client):
    """Calls of a worker that is not the attempt's executor: it joins, and reports nothing else."""

    def progress(self, step: str, seconds: float | None = None, metrics: Mapping[str, float] | None = None) -> None:
        """Leave the steps to rank 0."""


def _text(answer: transport.Answer) -> str:
    return answer.body[:500].decode("utf-8", "replace")


def download(get: Signed, target: Path, limit: int) -> None:
    """Stream an object to a file. TransportError if it is shorter or longer than ``limit`` bytes."""

    def read(response: Any) -> bytes:
        size = 0
        with open(target, "wb") as file:
            while chunk := response.read(1 << 20):
                size += len(chunk)
                if size > limit:
                    break
                file.write(chunk)
        if size != limit:
            raise OSError(f"got {size} bytes of {limit}")
        return b""

    header = {name: ", ".join(values) for name, values in get.header.items()}
    answer = transport.request(get.method, get.url, header, read=read)
    if answer.status >= 300:
        raise transport.StatusError(f"download {target.name}", answer)
