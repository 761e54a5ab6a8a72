"""What a container runs: ``python -m signalbox.launcher JOB.json [COMMAND...]`` runs one attempt as its child.

The attempt is claimed first: where another executor has it the child never starts, and the exit status is 3. The
child is the job runner unless a command is given. All it prints goes to standard output and to the attempt's log,
which may fall behind but does not hold the child up. The launcher ends as its child did: with its exit status, or
128 and the number of the signal. It leaves the cause in the file that SIGNALBOX_TERMINATION_LOG names.

Of several workers (SIGNALBOX_RANK) that of rank 0 does so. Any other leaves the claim of its rank to its child, and the
log to rank 0: what it prints goes to standard output, and the last line to the cause.

The launcher shares the memory of the container, so it uses the standard library alone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from . import streams, transport
from .cgroup import Memory
from .child import Child
from .spool import Spool

FENCED = 3
TERMINATION_LOG = "/dev/termination-log"
_LAST = 15.0  # seconds for the rest of the log
_LINE = 1000  # bytes that are remembered of the output


class LauncherError(Exception):
    """The child was not started; ``status`` is the exit status for that."""

    def __init__(self, reason: str, status: int = 1) -> None:
        super().__init__(reason)
        self.status = status


class Attempt:
    """The little that the launcher must know of a job document."""

    def __init__(self, path: str, executor: str) -> None:
        """Read a job document. LauncherError if it is none."""
        try:
            with open(path, encoding="utf-8") as file:
                doc = json.load(file)
            self.api, self.run_id, self.number = str(doc["api"]).rstrip("/"), str(doc["run_id"]), int(doc["attempt"])
            self.header = {"Authorization": f"Bearer {doc['token']}", "Signalbox-Executor": executor}
            if doc.get("traceparent"):
                self.header["traceparent"] = str(doc["traceparent"])
            self.executor = executor
            base = os.path.dirname(os.path.abspath(path))
            self.scratch = (base, os.path.join(base, doc.get("cache_dir") or "cache"), os.environ.get("TMPDIR", "/tmp"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as err:
            raise LauncherError(f"job document {os.path.basename(path)}: {type(err).__name__}: {err}") from err

    def claim(self) -> None:
        """Make this executor the attempt's only one. LauncherError where another has it or nobody answers."""
        body = json.dumps({"attempt": self.number, "executor": self.executor}).encode()
        header = {"Content-Type": "application/json", **self.header}
        url = f"{self.api}/v1/runs/{self.run_id}:start"
        try:
            answer = transport.request("POST", url, header, body, attempts=transport.PATIENT)
        except transport.TransportError as err:
            raise LauncherError(f"claim the attempt: {err}") from err
        if answer.status == 409:
            raise LauncherError("fenced: another executor has this attempt, or the run has moved on", FENCED)
        if answer.status != 200:
            raise LauncherError(str(transport.StatusError("claim the attempt", answer)))

    def log(self) -> streams.Sender:
        """Return the sender of the attempt's log."""
        url = streams.address(self.api, self.run_id, self.number, "log")
        return streams.Sender(url, self.header, Spool(_dropped, self.scratch))


class Output:
    """Standard output and the log, byte for byte the same; without a log, standard output alone."""

    def __init__(self, log: streams.Sender | None) -> None:
        self._log = log
        self._stdout = True
        self._last = b"\n"

    def write(self, data: bytes) -> None:
        """Write to both. Standard output may block; it is let go once nobody reads it any more."""
        if self._log is not None:
            self._log.write(data)
        self._last = (self._last + data)[-_LINE:]
        rest = memoryview(data)
        while self._stdout and rest:
            try:
                rest = rest[os.write(1, rest) :]
            except BlockingIOError:
                select.select([], [1], [])
            except OSError:
                self._stdout = False

    def line(self, text: str) -> None:
        """Write a line of the launcher's own."""
        self.write((b"" if self._last.endswith(b"\n") else b"\n") + text.encode() + b"\n")

    def last_line(self) -> str:
        """Return the last line, or the end of it."""
        return self._last.strip().rpartition(b"\n")[2].decode("utf-8", "replace")

    def close(self) -> None:
        """Send the rest of the log, and say on standard output alone what of it will be missing."""
        if self._log is None:
            return
        left = self._log.close(_LAST)
        for text, said in (
            (f"the control plane refused the log: {self._log.refused}", self._log.refused),
            (f"the last {left} bytes of the log were not delivered", left and not self._log.refused),
        ):
            if said:
                _say(text)


def _dropped(count: int) -> bytes:
    return f"\nlauncher: {count} bytes were dropped here: the control plane was away for too long\n".encode()


def run(path: str, command: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """Execute a job document and return the exit status and the cause."""
    executor = os.environ.get("SIGNALBOX_EXECUTOR") or _random_id()
    child = Child()  # from here on signals are answered, even as the first process of a container
    try:
        attempt = Attempt(path, executor)
        leads = os.environ.get("SIGNALBOX_RANK", "0") == "0"
        if leads:
            attempt.claim()
        output = Output(attempt.log() if leads else None)
        env = {**os.environ, "SIGNALBOX_EXECUTOR": executor}
        memory = Memory.own()
        kills = memory.kills()
        try:
            status = child.run(command or [sys.executable, "-m", "signalbox.runner", path], env, output.write)
        except OSError as err:
            output.line(f"launcher: start {command[0] if command else sys.executable}: {err}")
            output.close()
            raise LauncherError(f"start the job: {err}", 127) from err
    except LauncherError as err:
        _say(str(err))
        return err.status, {"reason": str(err)}
    except SystemExit as err:
        return int(str(err.code)), {"reason": f"stopped by {child.stopped_by} before the job began"}
    cause = explain(status, child.stopped_by, memory, memory.kills() - kills)
    if cause["reason"] == "out of memory":
        output.line(_killed(cause))
    elif status > 0 and not leads and output.last_line():
        cause["last"] = output.last_line()
    output.close()
    return (status if status >= 0 else 128 - status), cause


def explain(status: int, stopped_by: str, memory: Memory, kills: int) -> dict[str, Any]:
    """Return why a child ended: the reason, and what is known of memory where processes were killed for it.

    A cluster that has the kernel kill the whole group takes the launcher too; then only the cluster can tell.
    """
    if status == -signal.SIGKILL and kills > 0:
        cause: dict[str, Any] = {"reason": "out of memory"}
    elif status >= 0:
        cause = {"reason": f"exit status {status}"}
    elif stopped_by:
        cause = {"reason": f"stopped by {stopped_by}"}
    else:
        cause = {"reason": f"killed by {_signal_name(-status)}"}
    if kills > 0 and status != 0:
        known = {"oom_kills": kills, "limit_bytes": memory.limit(), "peak_bytes": memory.peak()}
        cause.update((k, v) for k, v in known.items() if v is not None)
    return cause


def _killed(cause: Mapping[str, Any]) -> str:
    figures = (("limit", "limit_bytes"), ("peak", "peak_bytes"))
    known = [f"{name} {cause[key] >> 20} MiB" for name, key in figures if key in cause]
    return "killed: out of memory" + (f" ({', '.join(known)})" if known else "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _random_id() -> str:
    import uuid  # a cluster names the executor, so this is rarely needed

    return str(uuid.uuid4())


def _say(text: str) -> None:
    try:
        os.write(2, f"launcher: {text}\n".encode())
    except OSError:
        pass


def leave(cause: Mapping[str, Any]) -> None:
    """Write the cause where the cluster looks for it."""
    named = os.environ.get("SIGNALBOX_TERMINATION_LOG")
    if not named and not os.access(TERMINATION_LOG, os.W_OK):
        return
    try:
        with open(named or TERMINATION_LOG, "w", encoding="utf-8") as file:
            file.write(json.dumps(cause)[:4096])
    except OSError as err:
        _say(f"termination log: {err}")


def main(argv: Sequence[str]) -> int:
    """Run the launcher and return its exit status."""
    if not argv:
        print("usage: python -m signalbox.launcher JOB.json [COMMAND...]", file=sys.stderr)
        return 2
    status, cause = run(argv[0], argv[1:])
    leave(cause)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
