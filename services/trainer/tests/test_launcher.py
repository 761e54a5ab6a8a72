"""The launcher as a process, with real children and a control plane that is not always there."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import support

from signalbox.cgroup import Memory

SRC = str(Path(__file__).resolve().parents[1] / "src")
QUICK = """
import sys, signalbox.child, signalbox.launcher
signalbox.child.GRACE = 0.2
sys.exit(signalbox.launcher.main(sys.argv[1:]))
"""


class Launched:
    """A launcher whose output goes to a file, so that nobody has to read it in time."""

    def __init__(self, folder: Path, plane: support.Control, child: str, *how: str, **env: str) -> None:
        if not (folder / "job.json").exists():
            support.write_job(folder, plane, support.BOOSTER, [], support.request())
        self.folder = folder
        self.cause_file = folder / "cause.json"
        command = [sys.executable, *(how or ("-m", "signalbox.launcher")), str(folder / "job.json")]
        command += [sys.executable, "-c", child] if child else []
        known = {"PATH": os.environ["PATH"], "PYTHONPATH": SRC, "SIGNALBOX_TERMINATION_LOG": str(self.cause_file)}
        with open(folder / "out", "wb") as out, open(folder / "err", "wb") as err:
            self.process = subprocess.Popen(command, env={**known, **env}, cwd=folder, stdout=out, stderr=err)

    def wait(self, seconds: float = 60) -> int:
        return self.process.wait(seconds)

    @property
    def out(self) -> bytes:
        return (self.folder / "out").read_bytes()

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text()

    @property
    def cause(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.cause_file.read_text())
        return found


@contextmanager
def launched(folder: Path, plane: support.Control, child: str, *how: str, **env: str) -> Iterator[Launched]:
    """Run a launcher and leave nothing of it behind."""
    run = Launched(folder, plane, child, *how, **env)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.process.send_signal(signal.SIGTERM)
            run.process.wait(30)


# A child waits for the test, which creates the file "go" in the folder that both know.
GATE = """
import os, signal, sys, time
def gate(name="go", limit=time.monotonic() + 60):
    while not os.path.exists(name) and time.monotonic() < limit:
        time.sleep(0.01)
def say(text):
    print(text, flush=True)
"""


def test_output_is_the_same_everywhere_to_the_byte(tmp_path: Path) -> None:
    child = """
import os, random
data = random.Random(1).randbytes(700_000)
for at in range(0, len(data), 9_973):
    os.write(1 + at % 2, data[at:at + 9_973])
"""
    want = random.Random(1).randbytes(700_000)
    with support.control() as plane, launched(tmp_path, plane, child) as run:
        assert run.wait() == 0, run.err
        assert run.out == want and plane.state.stream("log") == want and run.err == ""
        assert all(len(c) <= 256 << 10 for c in plane.state.chunks.values())
        (start,) = plane.state.starts
    assert start["attempt"] == 1 and re.fullmatch(r"[0-9a-f-]{36}", start["executor"])
    assert run.cause == {"reason": "exit status 0"}


def test_child_knows_the_executor_and_has_its_own_group(tmp_path: Path) -> None:
    child = "import os; print(os.environ['SIGNALBOX_EXECUTOR'], os.getpgrp() == os.getpid(), end='')"
    with support.control() as plane, launched(tmp_path, plane, child, SIGNALBOX_EXECUTOR="pod-7") as run:
        assert run.wait() == 0, run.err
        assert plane.state.starts == [{"attempt": 1, "executor": "pod-7"}]
        assert run.out == plane.state.stream("log") == b"pod-7 True"


def test_second_executor_touches_nothing(tmp_path: Path) -> None:
    child = "open('touched', 'w').close()"
    with support.control() as plane:
        support.write_job(tmp_path, plane, support.BOOSTER, [], support.request())
        run_id = json.loads((tmp_path / "job.json").read_text())["run_id"]
        plane.state.executors[run_id, 1] = "the other pod"
        with launched(tmp_path, plane, child) as run:
            assert run.wait() == 3
        assert not (tmp_path / "touched").exists() and not plane.state.chunks
        assert "another executor" in run.cause["reason"] and run.out == b""


def test_claim_whose_answer_was_lost_is_ours(tmp_path: Path) -> None:
    with support.control() as plane:
        plane.state.refuse = [503]
        plane.state.lose = [":start"]
        with launched(tmp_path, plane, "print('ran')") as run:
            assert run.wait() == 0, run.err
        assert len(plane.state.starts) == 2 and plane.state.stream("log") == b"ran\n"


def test_outage_neither_holds_the_job_up_nor_costs_a_byte(tmp_path: Path) -> None:
    child = GATE + "say('one'); gate(); say('two ' * 1000); gate('end'); say('three'); sys.exit(5)"
    with support.control() as plane, launched(tmp_path, plane, child) as run:
        support.until(lambda: plane.state.stream("log") == b"one\n")
        plane.down()
        try:
            (tmp_path / "go").touch()
            support.until(lambda: run.out.endswith(b"two \n"))  # it went on printing
        finally:
            plane.up()
        plane.state.refuse = [503, 500]
        plane.state.lose = ["/log/1", "/log/2"]
        (tmp_path / "end").touch()
        assert run.wait() == 5
        assert run.out == plane.state.stream("log") == b"one\n" + b"two " * 1000 + b"\nthree\n"
        assert run.cause == {"reason": "exit status 5"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_child(tmp_path: Path, number: signal.Signals) -> None:
    child = GATE + (
        f"signal.signal({int(number)}, lambda n, f: (say('asked to stop'), sys.exit(9)))\nsay('ready'); gate()"
    )
    with support.control() as plane, launched(tmp_path, plane, child) as run:
        support.until(lambda: b"ready" in run.out)
        run.process.send_signal(number)
        assert run.wait() == 9
        assert plane.state.stream("log") == b"ready\nasked to stop\n"
    assert run.cause == {"reason": "exit status 9"}


def test_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = GATE + "signal.signal(signal.SIGTERM, signal.SIG_IGN); say('ready'); gate()"
    with support.control() as plane, launched(tmp_path, plane, child, "-c", QUICK) as run:
        support.until(lambda: b"ready" in run.out)
        run.process.send_signal(signal.SIGTERM)
        assert run.wait() == 137
    assert run.cause == {"reason": "stopped by SIGTERM"}


def test_signal_before_the_job_begins_ends_the_launcher(tmp_path: Path) -> None:
    with support.control() as plane:
        plane.state.refuse = [503] * 100
        with launched(tmp_path, plane, "print('never')") as run:
            support.until(lambda: len(plane.state.refuse) < 100)
            run.process.send_signal(signal.SIGTERM)
            assert run.wait(10) == 143
    assert run.cause == {"reason": "stopped by SIGTERM before the job began"} and run.out == b""


# Files of a group: the one that counts kills, its form, the limit and the peak.
CGROUPS = {
    "v1": (
        "memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n",
        "memory.limit_in_bytes",
        "memory.max_usage_in_bytes",
    ),
    "v2": ("memory.events", "low 0\nmax 7\noom 1\noom_kill {}\noom_group_kill 0\n", "memory.max", "memory.peak"),
}


@pytest.mark.parametrize("version", CGROUPS)
def test_kill_for_want_of_memory_is_told(tmp_path: Path, version: str) -> None:
    events, form, limit, peak = CGROUPS[version]
    group = tmp_path / "group"
    group.mkdir()
    (group / events).write_text(form.format(3))
    (group / limit).write_text(f"{512 << 20}\n")
    (group / peak).write_text(f"{511 << 20}\n")
    child = f"""{GATE}
print("no newline", end="", flush=True)
open({str(group / events)!r}, "w").write({form.format(4)!r})
os.kill(os.getpid(), signal.SIGKILL)
"""
    with support.control() as plane, launched(tmp_path, plane, child, SIGNALBOX_CGROUP=str(group)) as run:
        assert run.wait() == 137
        want = b"no newline\nkilled: out of memory (limit 512 MiB, peak 511 MiB)\n"
        assert run.out == plane.state.stream("log") == want
    assert run.cause == {"reason": "out of memory", "oom_kills": 1, "limit_bytes": 512 << 20, "peak_bytes": 511 << 20}


@pytest.mark.parametrize(
    ("child", "status", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137, "killed by SIGKILL"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 139, "killed by SIGSEGV"),
        ("import sys; sys.exit(2)", 2, "exit status 2"),
    ],
)
def test_ends_as_the_child_does(tmp_path: Path, child: str, status: int, reason: str) -> None:
    group = tmp_path / "group"
    group.mkdir()
    (group / "memory.events").write_text("oom_kill 3\n")  # of earlier processes
    with support.control() as plane, launched(tmp_path, plane, child, SIGNALBOX_CGROUP=str(group)) as run:
        assert run.wait() == status
        assert run.cause == {"reason": reason}


def test_processes_that_outlive_the_child_hold_nothing_up(tmp_path: Path) -> None:
    child = """
import os, subprocess, sys
same = subprocess.Popen(["sleep", "60"])
away = subprocess.Popen(["sleep", "60"], start_new_session=True)
print(same.pid, away.pid, flush=True)
"""
    with support.control() as plane, launched(tmp_path, plane, child) as run:
        assert run.wait(20) == 0
        same, away = (int(pid) for pid in plane.state.stream("log").split())
        os.kill(away, signal.SIGKILL)  # it left the group: a container's end would end it
        support.until(lambda: gone(same))


def gone(pid: int) -> bool:
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


def test_child_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    child = GATE + "say('bye'); os.close(1); os.close(2); gate(); os._exit(4)"
    with support.control() as plane, launched(tmp_path, plane, child) as run:
        support.until(lambda: plane.state.chunks)
        assert run.process.poll() is None
        (tmp_path / "go").touch()
        assert run.wait() == 4


def test_flood_during_an_outage_stays_in_bounds_and_is_accounted_for(tmp_path: Path) -> None:
    total = 80 << 20
    child = f"""{GATE}
line = b"%015d\\n"
for at in range(0, {total}, 1 << 20):
    sys.stdout.buffer.write(b"".join(line % n for n in range(at, at + (1 << 20), 16)))
sys.stdout.buffer.flush()
open("printed", "w").close()
gate()
"""
    with support.control() as plane, launched(tmp_path, plane, child) as run:
        support.until(lambda: plane.state.starts)
        plane.down()
        try:
            support.until(lambda: (tmp_path / "printed").exists(), 60)
            support.until(lambda: os.path.getsize(tmp_path / "out") == total)
            resident = high_water(run.process.pid)
        finally:
            plane.up()
        (tmp_path / "go").touch()
        assert run.wait() == 0, run.err
        log = plane.state.stream("log")
    assert resident < 64 << 20
    assert not [f for f in os.listdir(tmp_path) if f.startswith(".spool")]
    notices = list(re.finditer(rb"\nlauncher: (\d+) bytes were dropped here[^\n]*\n", log))
    assert len(notices) == 1
    before, after = log[: notices[0].start()], log[notices[0].end() :]
    want = run.out
    assert len(before) + int(notices[0][1]) + len(after) == total
    assert want.startswith(before) and want.endswith(after) and len(before) > 70 << 20 and len(after) >= 64 << 10


def high_water(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


def test_log_that_cannot_be_delivered_is_told_on_standard_output_alone(tmp_path: Path) -> None:
    with support.control() as plane:
        child = GATE + "say('one'); gate(); say('two')"
        with launched(tmp_path, plane, child) as run:
            support.until(lambda: plane.state.chunks)
            plane.state.fenced = True
            (tmp_path / "go").touch()
            assert run.wait() == 0
        assert run.out == b"one\ntwo\n" and plane.state.stream("log") == b"one\n"
        assert "refused the log: HTTP 409" in run.err


@pytest.mark.parametrize(
    ("document", "words"),
    [("{", "JSONDecodeError"), ("{}", "KeyError: 'api'"), ("[]", "TypeError"), (None, "FileNotFound")],
)
def test_bad_job_document(tmp_path: Path, document: str | None, words: str) -> None:
    with support.control() as plane:
        support.write_job(tmp_path, plane, support.BOOSTER, [], support.request())
        if document is None:
            (tmp_path / "job.json").unlink()
            os.mkdir(tmp_path / "other")
        else:
            (tmp_path / "job.json").write_text(document)
        env = {"PYTHONPATH": SRC, "SIGNALBOX_TERMINATION_LOG": str(tmp_path / "cause.json")}
        command = [sys.executable, "-m", "signalbox.launcher", str(tmp_path / "job.json")]
        done = subprocess.run(command, env=env, capture_output=True, timeout=30)
        assert done.returncode == 1 and words in json.loads((tmp_path / "cause.json").read_text())["reason"]
        assert not plane.state.starts and words.encode() in done.stderr


def test_command_that_does_not_exist(tmp_path: Path) -> None:
    with support.control() as plane:
        job = support.write_job(tmp_path, plane, support.BOOSTER, [], support.request())
        command = [sys.executable, "-m", "signalbox.launcher", str(job), "/absent/program"]
        done = subprocess.run(command, env={"PYTHONPATH": SRC}, capture_output=True, timeout=30)
        assert done.returncode == 127 and b"/absent/program" in plane.state.stream("log")


def test_launcher_is_light() -> None:
    code = "import signalbox.launcher, sys; print(*sorted(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": SRC}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not {"numpy", "pandas", "pyarrow", "lightgbm", "subprocess", "tempfile"} & set(done.stdout.split())


@pytest.mark.parametrize("version", CGROUPS)
def test_unlimited_groups(tmp_path: Path, version: str) -> None:
    events, form, limit, _ = CGROUPS[version]
    (tmp_path / events).write_text(form.format(2))
    (tmp_path / limit).write_text({"v1": "9223372036854771712\n", "v2": "max\n"}[version])
    memory = Memory(str(tmp_path))
    assert (memory.kills(), memory.limit(), memory.peak()) == (2, None, None)
    assert (Memory("").kills(), Memory("").limit()) == (0, None)


def test_real_runner_under_the_launcher(tmp_path: Path) -> None:
    more = "        self.log_metric('auc', 0.5, 1)\n"
    source = support.BOOSTER.replace("        self.log_metric", more + "        self.log_metric")
    with support.control() as plane:
        parts = [plane.put("p0", support.parquet(support.flights()))]
        support.write_job(tmp_path, plane, source, parts, support.request())
        with launched(tmp_path, plane, "", SIGNALBOX_EXECUTOR="pod-1") as run:
            assert run.wait(120) == 0, run.out + run.err.encode()
        assert [s["executor"] for s in plane.state.starts] == ["pod-1", "pod-1"]
        assert len(plane.state.completed) == 1
        assert plane.state.stream("log") == run.out and b"run complete" in run.out
        series = [json.loads(line) for line in plane.state.stream("series").splitlines()]
    assert [(p["name"], p["value"], p.get("step")) for p in series] == [("auc", 0.5, 1), ("rounds", 20.0, None)]


def test_start_takes_a_moment(tmp_path: Path) -> None:
    """The best of some, for other work on the machine must not count."""
    with support.control() as plane:
        took = [seconds_to_claim(tmp_path / str(n), plane) for n in range(5)]
    assert min(took) < 0.5


def seconds_to_claim(folder: Path, plane: support.Control) -> float:
    before, began = len(plane.state.starts), time.monotonic()
    with launched(folder, plane, "pass") as run:
        support.until(lambda: len(plane.state.starts) > before)
        took = time.monotonic() - began
        assert run.wait() == 0
    return took
