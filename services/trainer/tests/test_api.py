"""The client for notebooks, against a real HTTP server that answers as the API's description has it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from signalbox import cli
from signalbox.api import ApiError, Client, Failure, Run, RunFailed, Step, plain_rows

RUN = "015f951c-5870-5cde-a4a0-0bb9cb3f6bf1"
PACKAGE = "sha256.QSGZ6UFLUOJGPD7VQM65SDKDI7URKPHHUQ3EZNN4EUF6J4Q5LT4Q"
TOKEN = "sbx_user_test"


def run_document(state: str, **more: Any) -> dict[str, Any]:
    return {
        "id": RUN,
        "run_key": "sha256.CZAL6IZS7OMLX5JKRDX4AYS4GRGTNLXEARAAATE2YM5M427TTABA",
        "model": "flight-delay",
        "dataset": "",
        "workflow": "sha256.N5GF32VWNIA4DDGCVXBVQTXEC2A7EGW55ANFCYN2SACZSRA2YHMQ",
        "request": {},
        "state": state,
        "attempt": 1,
        "compute_class": "CPU",
        "package": PACKAGE if state == "complete" else "",
        "exception": None,
        "artifacts": {"scores.tsv": f"runs/{RUN}/1/scores.tsv"} if state == "complete" else None,
        "created_at": "2026-11-23T12:39:56.254949Z",
        "updated_at": "2026-11-23T12:39:58.72065Z",
        **more,
    }


METRICS = {
    "run_id": RUN,
    "attempt": 1,
    "steps": [{"step": "fetch", "seconds": 0.173053, "metrics": {"rows": 40031}}, {"step": "train", "seconds": 1.06}],
    "metrics": {"gain": 0.5},
    "series": {"auc": [{"step": 1, "value": 0.79, "at": "2026-11-23T12:39:57.9Z"}, {"value": 0.86, "at": "x"}]},
    "process": {"cpu_seconds": 2.498, "peak_memory_bytes": 236130304},
}


@dataclass
class Plane:
    """What the server was asked, and what it answers next."""

    url: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)  # answers of GET run; the last one stays
    refuse: list[tuple[int, dict[str, str], Any]] = field(default_factory=list)
    streams: list[bytes] = field(default_factory=list)  # one a connection of the log

    def client(self) -> Client:
        return Client(self.url, TOKEN, self.url)


def handler(plane: Plane) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

        def answer(self, status: int, body: Any, kind: str = "application/json", **more: str) -> None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": kind, "Content-Length": str(len(raw)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            plane.asked.append((self.command, self.path, json.loads(body) if body else None))
            plane.headers.append(dict(self.headers.items()))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                problem = {"status": 401, "code": "unauthenticated", "detail": "send a valid token"}
                self.answer(401, problem, "application/problem+json")
            elif plane.refuse:
                status, more, problem = plane.refuse.pop(0)
                self.answer(status, problem, "application/problem+json", **more)
            else:
                self.route(self.path.partition("?")[0])

        do_GET = do_POST = handle_any

        def route(self, path: str) -> None:
            if path == "/train":
                self.answer(200, RUN)
            elif path.endswith("/logs"):
                if self.headers["Accept"] == "text/event-stream":
                    self.send_response(200)
                    self.end_headers()
                    self.wfile.write(plane.streams.pop(0))
                else:
                    self.answer(200, "one\nzwölf\n".encode(), "text/plain")
            elif path.endswith("/metrics"):
                self.answer(200, METRICS)
            elif path.endswith(":cancel"):
                self.answer(200, run_document("cancelled"))
            elif path == "/v1/runs":
                self.answer(200, {"runs": [run_document("complete"), run_document("failed")]})
            elif path.startswith("/v1/predict/"):
                rows = plane.asked[-1][2]["rows"]
                document = {"predictions": [{"probability": 0.25}] * len(rows), "package": PACKAGE, "generation": 7}
                self.answer(200, {**document, "prediction_ids": ["a"] * len(rows)})
            else:
                self.answer(200, plane.runs.pop(0) if len(plane.runs) > 1 else plane.runs[0])

    return Handler


@pytest.fixture
def plane() -> Iterator[Plane]:
    found = Plane()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(found))
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


def test_train_and_wait(plane: Plane) -> None:
    plane.runs = [run_document("queued"), run_document("running"), run_document("complete")]
    run = plane.client().train({"model_name": "a", "data": {}}, model_name="flight-delay", train={"label": "late"})
    assert plane.asked == [("POST", "/train", {"model_name": "flight-delay", "data": {}, "train": {"label": "late"}})]
    assert len(plane.headers[0]["Idempotency-Key"]) == 36
    assert run.status().state == "queued"
    status = run.wait(timeout=10, interval=0.01)
    assert (status.state, status.package, status.compute_class, status.ended) == ("complete", PACKAGE, "CPU", True)
    assert run.result() == status and status.artifacts == {"scores.tsv": f"runs/{RUN}/1/scores.tsv"}
    assert status.document["workflow"].startswith("sha256.")


def test_wait_gives_up_in_time(plane: Plane) -> None:
    plane.runs = [run_document("running")]
    with pytest.raises(TimeoutError, match="still running after 0.05 s"):
        plane.client().run(RUN).wait(timeout=0.05, interval=0.01)


def test_run_that_failed(plane: Plane) -> None:
    why = {"type": "ValueError", "message": "no rows", "step": "preprocess", "retryable": False}
    plane.runs = [run_document("failed", exception=why)]
    with pytest.raises(RunFailed, match="failed in step preprocess: ValueError: no rows") as found:
        plane.client().run(RUN).result()
    assert found.value.status.exception == Failure("ValueError", "no rows", "preprocess", False)
    plane.runs = [run_document("cancelled")]
    with pytest.raises(RunFailed, match="cancelled$"):
        plane.client().run(RUN).result()


def test_lists_metrics_and_cancel(plane: Plane) -> None:
    client = plane.client()
    assert [s.state for s in client.runs("flight-delay", ["complete", "failed"], limit=2)] == ["complete", "failed"]
    assert plane.asked[0][1] == "/v1/runs?model=flight-delay&state=complete%2Cfailed&limit=2"
    metrics = client.run(RUN).metrics()
    assert metrics.steps == [Step("fetch", 0.173053, {"rows": 40031}), Step("train", 1.06, {})]
    assert [(p.step, p.value) for p in metrics.series["auc"]] == [(1, 0.79), (None, 0.86)]
    assert client.run(RUN).cancel().state == "cancelled"


def test_refusals_explain_themselves(plane: Plane) -> None:
    fault = {"pointer": "/train/label", "detail": 'there is no column "lat"'}
    problem = {"status": 422, "code": "invalid", "detail": "the request is invalid", "errors": [fault]}
    plane.refuse = [(422, {}, problem)]
    with pytest.raises(ApiError, match="/train/label: there is no column") as found:
        plane.client().train({})
    assert (found.value.status, found.value.code, found.value.problem["errors"]) == (422, "invalid", [fault])
    assert TOKEN not in repr(plane.client()) and TOKEN not in str(found.value)
    with pytest.raises(ApiError, match="unauthenticated"):
        Client(plane.url, "").runs()


def test_not_now_is_asked_again_with_the_same_key(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("signalbox.endpoint.time.sleep", pauses.append)
    plane.refuse = [(503, {"Retry-After": "3"}, {}), (429, {}, {})]
    assert plane.client().train({}).id == RUN
    assert pauses == [3.0, 0.8] and len({h["Idempotency-Key"] for h in plane.headers}) == 1
    with pytest.raises(ApiError, match="nobody answers at http://127.0.0.1:1:") as found:
        Client("http://127.0.0.1:1", "").runs()
    assert found.value.status == 0


def test_log_goes_on_where_it_broke(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signalbox.endpoint.time.sleep", lambda seconds: None)
    plane.streams = [
        b": waiting\n\nid: 4\ndata: one\n\nid: 9\ndata: zw",  # cut within a line
        b"event: error\ndata: again\n\n",
        b"id: 11\r\ndata: zw\xc3\xb6lf: twelve\r\n\r\nid: 12\ndata:\n\n"
        b"event: end\ndata: complete\n\nid: 99\ndata: no\n\n",
    ]
    assert list(plane.client().run(RUN).logs(follow=True)) == ["one", "zwölf: twelve", ""]
    assert [h.get("Last-Event-Id") or h.get("Last-event-id") for h in plane.headers] == [None, "4", "4"]
    assert list(plane.client().run(RUN).logs(attempt=2)) == ["one", "zwölf"]
    assert plane.asked[-1][1].endswith("/logs?attempt=2")


def test_predictions_for_frames_and_objects(plane: Plane) -> None:
    frame = pd.DataFrame(
        {"carrier": ["UA", None], "distance": [1400, 2], "delay": [np.nan, 2.5], "late": [True, False]}
    )
    answer = plane.client().predict("flight-delay", "production", frame)
    assert answer.predictions == [{"probability": 0.25}] * 2 and (answer.generation, answer.package) == (7, PACKAGE)
    method, path, body = plane.asked[0]
    assert path == "/v1/predict/flight-delay/production"
    assert body["rows"] == [
        {"carrier": "UA", "distance": 1400, "delay": None, "late": True},
        {"carrier": None, "distance": 2, "delay": 2.5, "late": False},
    ]
    assert plain_rows([{"a": np.float64(1.5), "b": pd.NA, "c": np.int8(3), "d": pd.NaT}]) == [
        {"a": 1.5, "b": None, "c": 3, "d": None}
    ]


def test_notebook_shows_texts_as_texts(plane: Plane) -> None:
    why = {"type": "ValueError", "message": "<script>", "step": "train", "retryable": False}
    plane.runs = [run_document("failed", exception=why)]
    shown = plane.client().run(RUN)._repr_html_()
    assert "&lt;script&gt;" in shown and "<script>" not in shown and "0.173 s" in shown and "failed" in shown
    plane.refuse = [(404, {}, {"code": "not_found", "detail": "no such run"})]
    assert "no such run" in Run(plane.client()._control, "x")._repr_html_()


def test_addresses_come_from_the_environment(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("URL", plane.url + "/"), ("PREDICT_URL", plane.url), ("TOKEN", TOKEN)):
        monkeypatch.setenv(f"SIGNALBOX_{name}", value)
    assert len(Client().runs()) == 2 and len(Client().predict("m", "t", [{"a": 1}]).ids) == 1


def test_command_line_follows_a_run(
    plane: Plane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIGNALBOX_URL", plane.url)
    monkeypatch.setenv("SIGNALBOX_TOKEN", TOKEN)
    plane.runs, plane.streams = [run_document("complete")], [b"data: step fetch\n\nevent: end\ndata: complete\n\n"]
    (tmp_path / "request.json").write_text('{"model_name": "m"}')
    command = ["train", "--request", str(tmp_path / "request.json")]
    assert cli.main([*command, "--follow"]) == 0
    assert capsys.readouterr().out.splitlines() == [RUN, "step fetch", f"complete {PACKAGE}"]
    plane.refuse = [(422, {}, {"code": "invalid", "detail": "no data"})]
    assert cli.main(command) == 1 and "no data" in capsys.readouterr().err
