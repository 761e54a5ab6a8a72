"""The control plane for notebooks and scripts: start runs, watch them, and ask for predictions.

    from signalbox.api import Client

    run = Client().train(model_name="flight-delay", data={...}, train={...})
    for line in run.logs(follow=True):
        print(line)
    run.result().package

Addresses and the token come from SIGNALBOX_URL, SIGNALBOX_PREDICT_URL and SIGNALBOX_TOKEN; ``eval "$(signalbox env)"``
sets them. Nothing but the standard library is used.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from . import notebook
from .endpoint import ApiError, Endpoint
from .sweeps import Sweep, SweepStatus

__all__ = [
    "ApiError",
    "Client",
    "Metrics",
    "Point",
    "Prediction",
    "Run",
    "RunFailed",
    "Status",
    "Step",
    "Sweep",
    "SweepStatus",
]

ENDED = frozenset({"complete", "failed", "cancelled"})

_URL, _PREDICT_URL = "http://127.0.0.1:7700", "http://127.0.0.1:7701"


class RunFailed(Exception):
    """A run ended without a package."""

    def __init__(self, status: Status) -> None:
        self.status = status
        why = status.exception
        super().__init__(
            f"run {status.id} {status.state}" + (f" in step {why.step}: {why.type}: {why.message}" if why else "")
        )


@dataclass(frozen=True)
class Failure:
    """Why an attempt failed."""

    type: str
    message: str
    step: str
    retryable: bool


@dataclass(frozen=True)
class Status:
    """Where a run stands."""

    id: str
    model: str
    state: str  # requested, queued, running, complete, failed or cancelled
    attempt: int
    package: str  # empty until complete
    exception: Failure | None
    artifacts: dict[str, str]  # bucket keys by name
    created_at: str
    updated_at: str
    compute_class: str = ""
    document: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self.state in ENDED

    @classmethod
    def parse(cls, doc: Mapping[str, Any]) -> Status:
        """Read a run of the API."""
        why = doc.get("exception")
        failure = Failure(why["type"], why["message"], why.get("step") or "", bool(why["retryable"])) if why else None
        return cls(
            id=doc["id"],
            model=doc["model"],
            state=doc["state"],
            attempt=doc["attempt"],
            package=doc.get("package") or "",
            exception=failure,
            artifacts=dict(doc.get("artifacts") or {}),
            created_at=doc["created_at"],
            updated_at=doc["updated_at"],
            compute_class=doc.get("compute_class") or "",
            document=dict(doc),
        )


@dataclass(frozen=True)
class Step:
    """A step that has ended."""

    name: str
    seconds: float
    metrics: dict[str, float]


@dataclass(frozen=True)
class Point:
    """A figure that the job measured on its way."""

    value: float
    step: int | None
    at: str


@dataclass(frozen=True)
class Metrics:
    """What was measured of the newest attempt so far."""

    attempt: int
    steps: list[Step]
    metrics: dict[str, float]  # the workflow's own, once the attempt has ended
    series: dict[str, list[Point]]
    process: dict[str, float]


@dataclass(frozen=True)
class Prediction:
    """An answer of the data plane: an object of outputs for each row."""

    predictions: list[dict[str, Any]]
    package: str
    generation: int | None
    ids: list[str]


class Run:
    """A training run of the control plane."""

    def __init__(self, control: Endpoint, run: str) -> None:
        self._control, self.id = control, run

    def __repr__(self) -> str:
        """Name the run."""
        return f"Run({self.id!r})"

    def status(self) -> Status:
        """Return where the run stands."""
        return Status.parse(self._control.call("GET", f"/v1/runs/{self.id}"))

    def wait(self, timeout: float | None = None, interval: float = 1.0) -> Status:
        """Block until the run has ended and return how. TimeoutError after ``timeout`` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while not (status := self.status()).ended:
            left = interval if end is None else min(interval, end - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"run {self.id} is still {status.state} after {timeout} s")
            time.sleep(left)
        return status

    def result(self, timeout: float | None = None) -> Status:
        """Wait for the run and return its status with package and artifacts. RunFailed where there is no package."""
        status = self.wait(timeout)
        if status.state != "complete":
            raise RunFailed(status)
        return status

    def logs(self, follow: bool = False, attempt: int | None = None) -> Iterator[str]:
        """Yield the log line by line; with ``follow`` until the run has ended, connections that break included."""
        path = f"/v1/runs/{self.id}/logs" + (f"?attempt={attempt}" if attempt else "")
        if not follow:
            yield from self._control.text(path).splitlines()
            return
        yield from self._control.follow(path)

    def metrics(self) -> Metrics:
        """Return what was measured so far."""
        doc = self._control.call("GET", f"/v1/runs/{self.id}/metrics")
        series = {
            n: [Point(p["value"], p.get("step"), p["at"]) for p in s] for n, s in (doc.get("series") or {}).items()
        }
        steps = [Step(s["step"], s["seconds"], dict(s.get("metrics") or {})) for s in doc["steps"]]
        return Metrics(doc["attempt"], steps, dict(doc.get("metrics") or {}), series, dict(doc.get("process") or {}))

    def cancel(self) -> Status:
        """End the run at whichever attempt it is. ApiError where it has ended otherwise."""
        return Status.parse(self._control.call("POST", f"/v1/runs/{self.id}:cancel", b""))

    def _repr_html_(self) -> str:
        """Show the run in a notebook; what cannot be asked for now is left out."""
        try:
            status = self.status()
        except ApiError as err:
            return notebook.table({"run": self.id, "error": str(err)})
        try:
            steps = self.metrics().steps
        except ApiError:
            steps = []
        return notebook.table(notebook.described(status, steps))


class Client:
    """A control plane and its data plane. Safe calls are repeated while they are answered "not now"."""

    def __init__(self, url: str | None = None, token: str | None = None, predict_url: str | None = None) -> None:
        token = os.environ.get("SIGNALBOX_TOKEN", "") if token is None else token
        self._control = Endpoint(url or os.environ.get("SIGNALBOX_URL") or _URL, token)
        self._data = Endpoint(predict_url or os.environ.get("SIGNALBOX_PREDICT_URL") or _PREDICT_URL, token)

    def __repr__(self) -> str:
        """Name the address, never the token."""
        return f"Client({self._control.url!r})"

    def train(self, request: Mapping[str, Any] | None = None, /, **members: Any) -> Run:
        """Start a run by a training request; members given by name replace the request's.

        The call is repeated if need be and starts one run. ApiError lists what is wrong with the request.
        """
        body = json.dumps({**(request or {}), **members}).encode()
        return Run(self._control, str(self._control.call("POST", "/train", body)))

    def sweep(self, request: Mapping[str, Any], search: Mapping[str, Any]) -> Sweep:
        """Start a hyperparameter search: runs of a training request with what the search draws in custom_params.

        The call is repeated if need be and starts one sweep. ApiError lists what is wrong with either of the two.
        """
        body = json.dumps({"request": dict(request), "search": dict(search)}).encode()
        return Sweep(self._control, str(self._control.call("POST", "/v1/sweeps", body)["id"]))

    def sweep_of(self, sweep: str) -> Sweep:
        """Return the sweep of an id; nothing is asked yet."""
        return Sweep(self._control, sweep)

    def sweeps(self, model: str = "", state: str | Sequence[str] = (), limit: int = 100) -> list[SweepStatus]:
        """Return sweeps without their trials, newest first, as ``runs`` does."""
        states = [state] if isinstance(state, str) else list(state)
        query = {"model": model, "state": ",".join(states), "limit": str(limit)}
        path = "/v1/sweeps?" + urlencode({k: v for k, v in query.items() if v})
        return [SweepStatus.parse(doc) for doc in self._control.call("GET", path)["sweeps"]]

    def run(self, run: str) -> Run:
        """Return the run of an id; nothing is asked yet."""
        return Run(self._control, run)

    def runs(self, model: str = "", state: str | Sequence[str] = (), limit: int = 100) -> list[Status]:
        """Return runs, newest first, of one model and in one of the states where these are given."""
        states = [state] if isinstance(state, str) else list(state)
        query = {"model": model, "state": ",".join(states), "limit": str(limit)}
        path = "/v1/runs?" + urlencode({k: v for k, v in query.items() if v})
        return [Status.parse(doc) for doc in self._control.call("GET", path)["runs"]]

    def predict(self, model: str, tag: str, rows: Any) -> Prediction:
        """Return what the package behind a tag predicts for rows: a DataFrame, or objects of features."""
        path = f"/v1/predict/{quote(model, safe='')}/{quote(tag, safe='')}"
        doc = self._data.call("POST", path, json.dumps({"rows": plain_rows(rows)}).encode())
        return Prediction(doc["predictions"], doc["package"], doc.get("generation"), list(doc["prediction_ids"]))


def plain_rows(rows: Any) -> list[dict[str, Any]]:
    """Return rows as JSON has them: values of NumPy and pandas as Python's own, NaN and NaT as null."""
    if hasattr(rows, "to_dict") and hasattr(rows, "columns"):
        rows = rows.to_dict("records")
    return [{str(name): _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if value is None or type(value).__name__ == "NAType":  # comparing pandas.NA is an error
        return None
    return value if value == value else None
