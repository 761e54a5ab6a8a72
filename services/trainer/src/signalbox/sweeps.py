"""Hyperparameter searches of the control plane: many runs of one request, the best of which is published.

    sweep = Client().sweep(request, search(metric="auc", goal="maximize", trials=20, parallel=4, parameters={
        "num_leaves": integer(8, 256, scale="log"), "boosting": choice("gbdt", "dart")}))
    sweep.wait()
    sweep.best().params

A sweep goes on without whoever asked for it: ``Client.sweep_of`` finds it again by its id.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import notebook
from .endpoint import ApiError, Endpoint

__all__ = ["Sweep", "SweepFailed", "SweepStatus", "Trial", "choice", "integer", "number", "search"]


@dataclass(frozen=True)
class Trial:
    """One trial: its run, what that was told, and what it reached."""

    number: int  # from 1
    run: str
    state: str  # as that of a run
    params: dict[str, Any]
    value: float | None  # the newest one of the search's metric
    step: int | None
    package: str  # empty until complete
    reason: str  # why it was stopped, or failed


@dataclass(frozen=True)
class SweepStatus:
    """Where a sweep stands."""

    id: str
    model: str
    state: str  # running, complete, failed or cancelled
    reason: str
    best: str  # run of the best trial, empty until complete
    trials: list[Trial]  # those that were asked for so far, by number
    document: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        """Whether nothing follows."""
        return self.state != "running"

    @classmethod
    def parse(cls, doc: Mapping[str, Any]) -> SweepStatus:
        """Read a sweep of the API."""
        trials = [
            Trial(
                number=t["trial"],
                run=t["run"],
                state=t["state"],
                params=dict(t["params"]),
                value=t.get("value"),
                step=t.get("step"),
                package=t["package"],
                reason=t.get("reason") or "",
            )
            for t in doc.get("trials") or []
        ]
        reason, best = doc.get("reason") or "", doc.get("best") or ""
        return cls(doc["id"], doc["model"], doc["state"], reason, best, trials, dict(doc))


class SweepFailed(Exception):
    """A sweep ended without a best trial."""

    def __init__(self, status: SweepStatus) -> None:
        self.status = status
        super().__init__(f"sweep {status.id} {status.state}: {status.reason}".removesuffix(": "))


class Sweep:
    """A hyperparameter search of the control plane."""

    def __init__(self, control: Endpoint, sweep: str) -> None:
        self._control, self.id = control, sweep

    def __repr__(self) -> str:
        """Name the sweep."""
        return f"Sweep({self.id!r})"

    def status(self) -> SweepStatus:
        """Return where the sweep stands."""
        return SweepStatus.parse(self._control.call("GET", f"/v1/sweeps/{self.id}"))

    def wait(self, timeout: float | None = None, interval: float = 2.0) -> SweepStatus:
        """Block until the sweep has ended and return how. TimeoutError after ``timeout`` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while not (status := self.status()).ended:
            left = interval if end is None else min(interval, end - time.monotonic())
            if left <= 0:
                raise TimeoutError(f"sweep {self.id} is still running after {timeout} s")
            time.sleep(left)
        return status

    def trials(self) -> list[Trial]:
        """Return the trials that were asked for so far, by number."""
        return self.status().trials

    def best(self, timeout: float | None = None) -> Trial:
        """Wait for the sweep and return its best trial. SweepFailed where there is none."""
        status = self.wait(timeout)
        for trial in status.trials:
            if status.state == "complete" and trial.run == status.best:
                return trial
        raise SweepFailed(status)

    def cancel(self) -> SweepStatus:
        """End the sweep and its trials. ApiError where it has ended otherwise."""
        return SweepStatus.parse(self._control.call("POST", f"/v1/sweeps/{self.id}:cancel", b""))

    def _repr_html_(self) -> str:
        """Show the sweep in a notebook; what cannot be asked for now is left out."""
        try:
            status = self.status()
        except ApiError as err:
            return notebook.table({"sweep": self.id, "error": str(err)})
        cells = {"sweep": status.id, "model": status.model, "state": status.state}
        if status.reason:
            cells["reason"] = status.reason
        for trial in status.trials:
            params = " ".join(f"{name}={value}" for name, value in sorted(trial.params.items()))
            mark = "best " if trial.run == status.best else ""
            cells[f"trial {trial.number}"] = f"{mark}{trial.state} {trial.value} {params}"
        return notebook.table(cells)


def integer(low: int, high: int, scale: str = "linear") -> dict[str, Any]:
    """Return a parameter that is an integer from ``low`` to ``high``."""
    return {"type": "integer", "min": low, "max": high, "scale": scale}


def number(low: float, high: float, scale: str = "linear") -> dict[str, Any]:
    """Return a parameter that is a number from ``low`` to ``high``; a log scale draws small ones as often."""
    return {"type": "number", "min": low, "max": high, "scale": scale}


def choice(*values: Any) -> dict[str, Any]:
    """Return a parameter that is one of some values."""
    return {"type": "choice", "values": list(values)}


def search(metric: str, goal: str, trials: int, parameters: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """Return a search: what is tried, and what is preferred.

    ``more`` is algorithm, seed, parallel, max_seconds and asha, as the API takes them.
    """
    return {"metric": metric, "goal": goal, "trials": trials, "parameters": dict(parameters), **more}
