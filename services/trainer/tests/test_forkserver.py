"""The warm parent as a process on a socket pair: what a forked job is, and that it trains as any other."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import support

SRC = str(Path(__file__).resolve().parents[1] / "src")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a parent forks on Linux only")

# What a job may see of itself. Sets are sorted, ids that differ from process to process are left out.
PROBE = """
import json, os, random, signal, subprocess, sys, threading
def main(argv):
    import numpy
    print(json.dumps({
        "argv": argv, "sys_argv": sys.argv[1:], "main": sys.modules["__main__"].__spec__.name, "path": sys.path,
        "cwd": os.getcwd(), "env": dict(os.environ), "umask": os.umask(0),
        "real": subprocess.check_output(["env"]).count(b"\\n"),
        "files": files(), "stdin": os.readlink("/proc/self/fd/0"),
        "leads": os.getpgrp() == os.getpid(), "session": os.getsid(0), "threads": len(os.listdir("/proc/self/task")),
        "signals": [str(signal.getsignal(s)) for s in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD)],
        "main_thread": threading.current_thread() is threading.main_thread(), "line": sys.stdout.line_buffering,
        "blas": blas(numpy), "random": [random.random(), numpy.random.rand()], "hash": hash("a"),
    }), flush=True)
    import atexit
    atexit.register(print, "at exit")
    return int(os.environ.get("STATUS", "0"))
def blas(numpy):
    import ctypes, pathlib
    for path in (pathlib.Path(numpy.__file__).parent.parent / "numpy.libs").glob("*openblas*"):
        return ctypes.CDLL(path).scipy_openblas_get_num_threads64_()
def files():
    with os.scandir("/proc/self/fd") as found:
        return sorted(name for f in found if not (name := os.readlink(f.path)).startswith("/proc/"))
def warm():
    import numpy
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""

STAYS = """
import signal
def main(argv):
    signal.pause()
"""


class Parent:
    """A warm parent, and the messages it answers."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        self.process, self.connection, self.asked = process, connection, 0
        self.ends: dict[int, int] = {}

    def hear(self) -> dict[str, Any]:
        """Return the next message."""
        ready, _, _ = select.select([self.connection], [], [], 120)
        assert ready, "the parent says nothing"
        message: dict[str, Any] = json.loads(self.connection.recv(1 << 16) or b'{"gone": true}')
        return message

    def start(self, folder: Path, args: list[str], **env: str) -> int:
        """Start a job with its output in the folder's file ``log``, and return its pid."""
        self.asked += 1
        order = {"id": self.asked, "args": args, "dir": str(folder), "env": environment(**env)}
        with open(folder / "log", "wb") as log:
            socket.send_fds(self.connection, [json.dumps(order).encode()], [log.fileno()])
        while (message := self.hear()).get("id") != self.asked:
            self._end(message)
        pid: int = message["pid"]
        return pid

    def wait(self, pid: int) -> int:
        """Return the exit status of a job, negative for the signal that killed it."""
        while pid not in self.ends:
            self._end(self.hear())
        return self.ends.pop(pid)

    def _end(self, message: dict[str, Any]) -> None:
        self.ends[message["pid"]] = message["status"]
        assert Path(f"/proc/{message['pid']}").exists(), "its number could be another process's already"
        self.connection.send(json.dumps({"reap": message["pid"]}).encode())


def environment(**env: str) -> dict[str, str]:
    """Return the environment of a job."""
    fixed = {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    return {"PATH": os.environ["PATH"], "PYTHONPATH": SRC, "OMP_WAIT_POLICY": "PASSIVE", "TZ": "UTC", **fixed, **env}


@contextmanager
def parent(module: str, folder: Path, **env: str) -> Iterator[Parent]:
    """Run a parent; it has to be gone once its connection is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            command = [sys.executable, "-m", "signalbox.forkserver", module, str(theirs.fileno())]
            process = subprocess.Popen(
                command, cwd=folder, env=environment(**env), pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
            )
        yield Parent(process, ours)
    process.wait(timeout=20)


def log_of(folder: Path) -> str:
    """Return what a job has printed."""
    return (folder / "log").read_text()


def made(tmp_path: Path, name: str) -> Path:
    """Make a folder for a job."""
    (folder := tmp_path / name).mkdir()
    return folder


def probed(text: str) -> dict[str, Any]:
    """Read what the probe printed, and check that its end was an ordinary one."""
    first, last = text.splitlines()
    assert last == "at exit"
    found: dict[str, Any] = json.loads(first)
    return found


def test_a_forked_job_is_as_one_that_was_started(tmp_path: Path) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    here, env = made(tmp_path, "job"), {"PYTHONPATH": f"{SRC}:{tmp_path}", "MORE": "than the parent has", "STATUS": "7"}
    started = subprocess.run(
        [sys.executable, "-m", "probe", "job.json"],
        cwd=here,
        env=environment(**env),
        text=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    assert started.returncode == 7
    with parent("probe", tmp_path, PYTHONPATH=env["PYTHONPATH"], LESS="of the parent alone") as warm:
        assert warm.hear() == {"ready": True}
        assert warm.wait(warm.start(here, ["job.json"], **env)) == 7
        first = probed(log_of(here))
        assert warm.wait(warm.start(here, ["job.json"], **env)) == 7
        second = probed(log_of(here))
    wanted = probed(started.stdout)
    assert first["random"][0] != second["random"][0] and first["random"][1] != second["random"][1]
    assert first.pop("leads") and first.pop("main") == "probe"
    assert first.pop("files") == sorted(["/dev/null", str(here / "log"), str(here / "log")])
    for found in (first, wanted):  # the probe was __main__ where it was started
        for name in ("random", "leads", "main", "files"):
            found.pop(name, None)
    assert first == wanted


def test_ends_are_reported_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "ends.py").write_text("import os, sys\ndef main(argv):\n    return eval(argv[0])\n")
    with parent("ends", tmp_path, PYTHONPATH=f"{SRC}:{tmp_path}") as warm:
        assert warm.hear() == {"ready": True}
        for code, status in {"0": 0, "3": 3, "os._exit(200)": 200, "os.kill(os.getpid(), 9)": -9, "1 / 0": 1}.items():
            assert warm.wait(warm.start(made(tmp_path, f"job{warm.asked}"), [code])) == status, code
        folder = tmp_path / "job4"
        assert "ZeroDivisionError" in log_of(folder)
        pids = [warm.start(made(tmp_path, f"many{i}"), [str(i)]) for i in range(8)]
        assert [warm.wait(pid) for pid in reversed(pids)] == list(range(7, -1, -1))
        warm.connection.send(b'{"id": 99}')
        assert warm.hear() == {"id": 99}
        children = Path(f"/proc/{warm.process.pid}/task/{warm.process.pid}/children")
        assert children.read_text() == ""
    assert warm.process.returncode == 0


def test_jobs_die_with_their_parent(tmp_path: Path) -> None:
    (tmp_path / "stays.py").write_text(STAYS)
    with parent("stays", tmp_path, PYTHONPATH=f"{SRC}:{tmp_path}") as warm:
        assert warm.hear() == {"ready": True}
        handle = os.pidfd_open(warm.start(made(tmp_path, "job"), []))
        warm.process.kill()
        assert select.select([handle], [], [], 20)[0], "the job lives on"
        os.close(handle)


def test_who_has_threads_may_not_fork(tmp_path: Path) -> None:
    (tmp_path / "later.py").write_text(
        "import threading\ndef start():\n    threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    (tmp_path / "early.py").write_text("import later\ndef warm():\n    later.start()\n")
    with parent("early", tmp_path, PYTHONPATH=f"{SRC}:{tmp_path}") as warm:
        assert "2 threads" in warm.hear()["error"]
    assert warm.process.returncode == 1


def test_usage() -> None:
    done = subprocess.run([sys.executable, "-m", "signalbox.forkserver"], env=environment(), capture_output=True)
    assert done.returncode == 2 and b"usage" in done.stderr


# Trains with more than one thread, in a library that starts its pool at the first use, and with a matrix product, whose
# pool is OpenBLAS's. A pool that were the parent's would hang it.
THREADS = """
import json, os
import lightgbm as lgb, numpy as np
from signalbox import Workflow

class Flow(Workflow):
    def train(self, training_dataframe, holdout_dataframe):
        product = np.ones((700, 700)) @ np.ones((700, 700))
        params = {"objective": "binary", **self.lightgbm_params, **self.custom_params}
        rounds = params.pop("n_estimators")
        data = lgb.Dataset(training_dataframe[self.classifier_features], training_dataframe[self.classifier_label])
        booster = lgb.train(params, data, rounds)
        names = [open(f"/proc/self/task/{t}/comm").read().strip() for t in os.listdir("/proc/self/task")]
        self.log_metric("threads", len(names))
        self.log_metric("product", float(product[0, 0]))
        return booster
"""


def test_training_in_a_forked_child_is_that_of_a_started_one(tmp_path: Path) -> None:
    with support.control() as plane, parent("signalbox.runner", tmp_path) as warm:
        frame = support.flights()
        parts = [plane.put(f"p{i}", support.parquet(frame.iloc[i * 1500 : (i + 1) * 1500])) for i in range(2)]
        assert warm.hear() == {"ready": True}
        jobs = [support.write_job(tmp_path / n, plane, THREADS, parts, support.request()) for n in ("a", "b", "c")]
        pids = [warm.start(job.parent, [str(job)]) for job in jobs[:2]]  # at once
        for pid, job in zip(pids, jobs):
            assert warm.wait(pid) == 0, log_of(job.parent)
        done = subprocess.run(
            [sys.executable, "-m", "signalbox.runner", str(jobs[2])],
            cwd=jobs[2].parent,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout
        packages = {end["package"] for end in plane.state.completed}
        stored = [json.loads(plane.state.objects[end["artifacts"]["metrics.json"]]) for end in plane.state.completed]
    assert len(plane.state.completed) == 3 and len(packages) == 1
    executors = set(plane.state.executors.values())
    assert len(executors) == 3
    for metrics in stored:
        assert metrics["metrics"]["product"] == 700 and metrics["metrics"]["threads"] > 1
        assert metrics["process"]["peak_memory_bytes"] > 50 << 20


def test_a_job_that_is_killed_leaves_the_parent(tmp_path: Path) -> None:
    (tmp_path / "stays.py").write_text(STAYS)
    with parent("stays", tmp_path, PYTHONPATH=f"{SRC}:{tmp_path}") as warm:
        assert warm.hear() == {"ready": True}
        for _ in range(2):
            pid = warm.start(made(tmp_path, f"job{warm.asked}"), [])
            os.killpg(pid, 9)
            assert warm.wait(pid) == -9
        assert warm.process.poll() is None
