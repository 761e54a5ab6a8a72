"""Sweeps in notebooks, against a real HTTP server that answers as the API's description has it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from signalbox.api import ApiError, Client
from signalbox.sweeps import Sweep, SweepFailed, Trial, choice, integer, number, search

SWEEP = "5d0b1b67-6f5c-5f0e-8a43-0e1c5a1f6b77"
RUNS = ["015f951c-5870-5cde-a4a0-0bb9cb3f6bf1", "9081e64f-b2c0-455e-bcaa-c1c211fa124b"]


def document(state: str, **more: Any) -> dict[str, Any]:
    first = {"trial": 1, "run": RUNS[0], "state": "complete", "params": {"x": 8}, "value": 0.9, "step": 81}
    second = {"trial": 2, "run": RUNS[1], "state": "cancelled", "params": {"x": 3}, "reason": "asha: <0.1>"}
    first["package"], second["package"] = "p", ""
    return {"id": SWEEP, "model": "flight-delay", "state": state, "trials": [first, second], **more}


@dataclass
class Plane:
    """What the server was asked, and what it answers; the last answer stays."""

    url: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    answers: list[tuple[int, Any]] = field(default_factory=list)

    def client(self) -> Client:
        return Client(self.url, "sbx_user_test", self.url)


@pytest.fixture
def plane() -> Iterator[Plane]:
    found = Plane()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found.asked.append((self.command, self.path, json.loads(body) if body else None))
            status, answer = found.answers.pop(0) if len(found.answers) > 1 else found.answers[0]
            raw = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_GET = do_POST = handle_any

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_sweep_from_its_start_to_its_best_trial(plane: Plane) -> None:
    plane.answers = [(201, document("running", trials=None)), (200, document("running"))]
    plane.answers.append((200, document("complete", best=RUNS[0])))
    parameters = {"x": integer(1, 9, scale="log"), "y": number(0, 1), "z": choice("a", None)}
    wanted = search("auc", "maximize", 20, parameters, parallel=4)
    sweep = plane.client().sweep({"model_name": "flight-delay"}, wanted)
    assert isinstance(sweep, Sweep) and sweep.id == SWEEP
    assert plane.asked == [("POST", "/v1/sweeps", {"request": {"model_name": "flight-delay"}, "search": wanted})]
    assert wanted["parameters"] == {
        "x": {"type": "integer", "min": 1, "max": 9, "scale": "log"},
        "y": {"type": "number", "min": 0, "max": 1, "scale": "linear"},
        "z": {"type": "choice", "values": ["a", None]},
    }
    status = sweep.wait(timeout=10, interval=0.01)
    assert (status.state, status.best, status.ended) == ("complete", RUNS[0], True)
    assert sweep.best() == Trial(1, RUNS[0], "complete", {"x": 8}, 0.9, 81, "p", "")
    assert sweep.trials()[1] == Trial(2, RUNS[1], "cancelled", {"x": 3}, None, None, "", "asha: <0.1>")
    shown = sweep._repr_html_()
    assert "best complete 0.9 x=8" in shown and "cancelled None x=3" in shown


def test_a_sweep_without_a_best_trial(plane: Plane) -> None:
    plane.answers = [(200, document("failed", reason="no trial is complete"))]
    with pytest.raises(SweepFailed, match="failed: no trial is complete$") as found:
        plane.client().sweep_of(SWEEP).best()
    assert len(found.value.status.trials) == 2
    plane.answers = [(200, document("cancelled"))]
    with pytest.raises(SweepFailed, match="cancelled$"):
        plane.client().sweep_of(SWEEP).best()
    plane.answers = [(200, document("running"))]
    with pytest.raises(TimeoutError, match="still running after 0.05 s"):
        plane.client().sweep_of(SWEEP).wait(timeout=0.05, interval=0.01)


def test_lists_and_cancels(plane: Plane) -> None:
    plane.answers = [(200, {"sweeps": [document("running", trials=None)]}), (200, document("cancelled"))]
    client = plane.client()
    assert [(s.id, s.trials) for s in client.sweeps("flight-delay", "running", limit=2)] == [(SWEEP, [])]
    assert client.sweep_of(SWEEP).cancel().state == "cancelled"
    assert [(method, path) for method, path, _ in plane.asked] == [
        ("GET", "/v1/sweeps?model=flight-delay&state=running&limit=2"),
        ("POST", f"/v1/sweeps/{SWEEP}:cancel"),
    ]


def test_refusals_explain_themselves(plane: Plane) -> None:
    fault = {"pointer": "/search/goal", "detail": '"most": want maximize or minimize'}
    plane.answers = [(422, {"status": 422, "code": "invalid", "detail": "invalid", "errors": [fault]})]
    with pytest.raises(ApiError, match="/search/goal: .*want maximize"):
        plane.client().sweep({}, {})
    assert "invalid" in plane.client().sweep_of(SWEEP)._repr_html_()
