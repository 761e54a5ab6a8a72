"""A control plane and an object store for tests: real HTTP, with the checks that the real ones make."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from signalbox import digest

TOKEN = "sbx_run_test"


@dataclass
class State:
    """What the control plane was told."""

    objects: dict[str, bytes] = field(default_factory=dict)
    packages: dict[str, bytes] = field(default_factory=dict)
    progress: list[dict[str, Any]] = field(default_factory=list)
    completed: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)
    fenced: bool = False
    executors: dict[tuple[str, int], str] = field(default_factory=dict)  # who has which attempt of which run
    starts: list[dict[str, Any]] = field(default_factory=list)
    workers: int = 1  # of every run
    members: dict[int, dict[str, Any]] = field(default_factory=dict)  # who has which rank
    chunks: dict[tuple[str, int], bytes] = field(default_factory=dict)  # by stream and number
    refuse: list[int] = field(default_factory=list)  # statuses to answer first, one a request
    lose: list[str] = field(default_factory=list)  # ends of paths whose next request is carried out and not answered
    conflicts: int = 0  # how many package puts find blobs missing
    lock: threading.Lock = field(default_factory=threading.Lock)

    def stream(self, name: str) -> bytes:
        """Return what a stream holds; its chunks must be consecutive."""
        numbers = sorted(number for stream, number in self.chunks if stream == name)
        assert numbers == list(range(len(numbers)))
        return b"".join(self.chunks[name, number] for number in numbers)


class Control:
    """A control plane on a loopback port."""

    def __init__(self) -> None:
        self.state = State()
        self._port = 0
        self.up()
        self.url = f"http://127.0.0.1:{self._port}"

    def up(self) -> None:
        """Listen: on a free port the first time, on the same one from then on."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), _handler(self.state))
        self._port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def down(self) -> None:
        """Stop listening. What was told stays."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def put(self, key: str, data: bytes) -> dict[str, Any]:
        """Store an object and return a part of a job document for it."""
        self.state.objects[key] = data
        return {
            "digest": digest.of(data),
            "bytes": len(data),
            "rows": 0,
            "get": {"method": "GET", "url": f"{self.url}/store/{key}?signature=secret", "header": {}},
        }


def _handler(state: State) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        lost = False

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

        def answer(self, status: int, body: Any = None) -> None:
            if self.lost:
                self.close_connection = True
                return
            raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlsplit(self.path).path
            with state.lock:
                lost = [end for end in state.lose if path.endswith(end)]
                if lost and not state.refuse:
                    state.lose.remove(lost[0])
                    self.lost = True
                if state.refuse:
                    self.answer(state.refuse.pop(0), {"detail": "not now"})
                elif path.startswith("/store/"):
                    self.store(path.removeprefix("/store/"), body)
                elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
                    self.answer(401)
                else:
                    self.control(path, body)

        do_GET = do_PUT = do_POST = handle_any

        def store(self, key: str, body: bytes) -> None:
            if self.command == "GET":
                found = state.objects.get(key)
                self.answer(404 if found is None else 200, found)
                return
            checksum = base64.b64encode(hashlib.sha256(body).digest()).decode()
            if self.headers.get("x-amz-checksum-sha256") != checksum or self.headers.get("If-None-Match") != "*":
                self.answer(400, {"detail": "checksum"})
            elif key in state.objects:
                self.answer(412)
            else:
                state.objects[key] = body
                self.answer(200)

        def signed_put(self, key: str, spelled: str, size: int) -> dict[str, Any]:
            checksum = base64.b64encode(digest.parse(spelled)).decode()
            host = self.headers["Host"]
            header = {
                "Content-Length": [str(size)],
                "If-None-Match": ["*"],
                "Host": [host],
                "X-Amz-Checksum-Sha256": [checksum],
            }
            return {"method": "PUT", "url": f"http://{host}/store/{key}?sig=1", "header": header}

        def control(self, path: str, body: bytes) -> None:
            if path == "/v1/blobs:missing":
                blobs = []
                for blob in json.loads(body)["blobs"]:
                    key = f"blobs/{blob['digest']}"
                    present = key in state.objects
                    answer = {"digest": blob["digest"], "present": present}
                    if not present:
                        answer["put"] = self.signed_put(key, blob["digest"], blob["size"])
                    blobs.append(answer)
                self.answer(200, {"blobs": blobs})
            elif path.endswith(":start"):
                self.claim(path.removeprefix("/v1/runs/").removesuffix(":start"), json.loads(body))
            elif path.endswith(":join"):
                self.join(json.loads(body))
            elif self.fenced():
                self.answer(409, {"code": "fenced"})
            elif path.startswith("/v1/packages/"):
                self.package(path.removeprefix("/v1/packages/"), body)
            elif match := re.fullmatch(r"/v1/runs/[^/]+/attempts/\d+/(log|series)/(\d+)", path):
                self.chunk(match[1], int(match[2]), body)
            elif path.endswith("/artifacts"):
                asked = json.loads(body)["artifacts"]
                keys = [f"runs/r/1/{a['name']}" for a in asked]
                puts = [self.signed_put(k, a["digest"], a["size"]) for k, a in zip(keys, asked)]
                names = [a["name"] for a in asked]
                answers = [{"name": n, "key": k, "put": p} for n, k, p in zip(names, keys, puts)]
                self.answer(200, {"artifacts": answers})
            else:
                self.report(path.rpartition(":")[2], json.loads(body))

        def fenced(self) -> bool:
            """Say whether the sender has no attempt: nobody but an executor that claimed one reports."""
            return state.fenced or self.headers.get("Signalbox-Executor") not in state.executors.values()

        def claim(self, run: str, body: dict[str, Any]) -> None:
            state.starts.append(body)
            holder = state.executors.setdefault((run, body["attempt"]), body["executor"])
            if state.fenced or holder != body["executor"] or set(body) != {"attempt", "executor"}:
                self.answer(409, {"code": "fenced"})
            else:
                self.answer(200, {"id": run, "attempt": body["attempt"]})

        def join(self, body: dict[str, Any]) -> None:
            own = {k: body[k] for k in ("rank", "executor", "address")}
            if set(body) != {"attempt", *own}:
                self.answer(400)
            elif state.fenced or state.members.setdefault(own["rank"], own)["executor"] != own["executor"]:
                self.answer(409, {"code": "fenced"})
            else:
                complete = len(state.members) == state.workers
                members = [state.members[rank] for rank in range(state.workers)] if complete else []
                joined = {"joined": len(state.members), "workers": state.workers}
                self.answer(200, {**joined, "complete": complete, "members": members})

        def chunk(self, stream: str, number: int, body: bytes) -> None:
            limit, kind = {"log": (1 << 20, "octet-stream"), "series": (256 << 10, "jsonl")}[stream]
            if not 0 < len(body) <= limit or self.headers["Content-Type"] != f"application/{kind}":
                self.answer(400)
            else:
                self.answer(200, {"bytes": len(state.chunks.setdefault((stream, number), body))})

        def package(self, package: str, body: bytes) -> None:
            manifest = json.loads(body)
            digests = [manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
            keys = [f"blobs/{digest.text(bytes.fromhex(d.removeprefix('sha256:')))}" for d in digests]
            if state.conflicts:
                state.conflicts -= 1
                state.objects.pop(keys[0], None)
            missing = [k.removeprefix("blobs/") for k in keys if k not in state.objects]
            if digest.of(body) != package or not self.headers.get("Signalbox-Run"):
                self.answer(400)
            elif missing:
                self.answer(409, {"missing": missing})
            else:
                self.answer(200 if package in state.packages else 201)
                state.packages[package] = body

        def report(self, verb: str, body: dict[str, Any]) -> None:
            if verb == "progress":
                state.progress.append(body)
                self.answer(204)
            else:
                {"complete": state.completed, "fail": state.failed}[verb].append(body)
                self.answer(200, {})

    return Handler


@contextmanager
def control() -> Iterator[Control]:
    """Run a control plane until the block ends."""
    plane = Control()
    try:
        yield plane
    finally:
        plane.down()


def until(condition: Callable[[], Any], seconds: float = 30.0) -> None:
    """Wait until a condition holds; fail if it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def flights(count: int = 3000, seed: int = 1) -> pd.DataFrame:
    """Return rows that look like delayed flights, with nulls in numbers and texts."""
    rng = np.random.default_rng(seed)
    at = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(np.arange(count) * 600, unit="s")
    delay = rng.normal(8, 20, count).round(1)
    wind = rng.gamma(2, 5, count).round(2)
    frame = pd.DataFrame(
        {
            "event_id": [f"e{i}" for i in range(count)],
            "event_time": at,
            "carrier": rng.choice(["AA", "B6", "DL", "UA", "Zürich"], count),
            "origin": rng.choice(["EWR", "JFK", "LGA"], count),
            "distance": rng.integers(90, 2500, count),
            "departure_delay": delay,
            "wind_speed": np.where(rng.random(count) < 0.1, np.nan, wind),
            "weekend": at.dayofweek >= 5,
        }
    )
    frame.loc[rng.random(count) < 0.05, "carrier"] = None
    frame["late"] = delay + wind + rng.normal(0, 10, count) > 20
    return frame


def parquet(frame: pd.DataFrame) -> bytes:
    """Return a frame as a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), sink)
    data: bytes = sink.getvalue().to_pybytes()
    return data


FEATURES = ["carrier", "origin", "distance", "departure_delay", "wind_speed", "weekend"]


def request(**train: Any) -> dict[str, Any]:
    """Return a training request for flights()."""
    return {
        "model_name": "flight-delay",
        "owner": "tests",
        "team": {"unknown": "member"},
        "data": {
            "holdout_sampling": {
                "sampling_function": "DATE_RANGE",
                "date_range_sampling": {"date_column": "event_time", "last": "4d"},
            }
        },
        "train": {
            "workflow_name": "w",
            "classifier_features": FEATURES,
            "label": "late",
            "custom_params": {"num_leaves": 7, "n_estimators": 20},
            **train,
        },
    }


def write_job(
    folder: Path, plane: Control, source: str, parts: list[dict[str, Any]], asked: dict[str, Any], **more: Any
) -> Path:
    """Write a job folder around a workflow's source and return the document's path."""
    (folder / "workflow").mkdir(parents=True)
    (folder / "workflow" / "flow.py").write_text(source)
    document = {
        "version": 1,
        "run_id": str(uuid.uuid5(uuid.NAMESPACE_URL, str(folder))),
        "attempt": 1,
        "model": "flight-delay",
        "request": asked,
        "workflow": {"entrypoint": "flow:Flow", "digest": digest.of(source.encode())},
        "workflow_dir": "workflow",
        "inputs": [{"digest": digest.of(b"dataset"), "rows": 1, "columns": [], "label": "late", "parts": parts}],
        "api": plane.url,
        "token": TOKEN,
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "seed": 7,
        "cache_dir": "cache",
        **more,
    }
    path = folder / "job.json"
    path.write_text(json.dumps(document))
    return path


BOOSTER = """
import lightgbm as lgb
from signalbox import Workflow

class Flow(Workflow):
    def train(self, training_dataframe, holdout_dataframe):
        params = {"objective": "binary", **self.lightgbm_params, **self.custom_params}
        rounds = params.pop("n_estimators")
        data = lgb.Dataset(training_dataframe[self.classifier_features], training_dataframe[self.classifier_label])
        self.log_metric("rounds", rounds)
        return lgb.train(params, data, rounds)
"""
