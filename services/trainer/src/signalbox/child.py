"""One child process, its output and its end. For the main thread of a process that has nothing else to do."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from types import FrameType

GRACE = 10.0  # seconds from a signal that asks to the one that does not
_LINGER = 2.0  # seconds for output of processes that left the group and outlive it
_STOPS = (signal.SIGTERM, signal.SIGINT)


class Child:
    """A command in a process group of its own, with one pipe for both of its outputs.

    SIGTERM and SIGINT to this process go to the group, and SIGKILL follows. Before there is a group they end this
    process (SystemExit). ``stopped_by`` names the first of them.
    """

    def __init__(self) -> None:
        """Take over the signals of this process."""
        self.stopped_by = ""
        self._pid = 0
        self._status: int | None = None
        self._wake, wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)  # ends the select, for there is a handler
        signal.signal(signal.SIGALRM, lambda number, frame: self._signal(signal.SIGKILL))
        for number in _STOPS:
            signal.signal(number, self._stop)

    def run(self, command: Sequence[str], env: Mapping[str, str], output: Callable[[bytes], None]) -> int:
        """Run a command to its end and give all it prints to ``output``.

        Return its exit status, negative for the signal that killed it. OSError if it cannot be started.
        """
        pipe = self._spawn(command, env)
        watched = [pipe, self._wake]
        deadline = float("inf")
        while pipe in watched and time.monotonic() < deadline:
            timeout = None if self._status is None else max(deadline - time.monotonic(), 0)
            ready, _, _ = select.select(watched, [], [], timeout)
            if pipe in ready:
                if data := os.read(pipe, 1 << 16):
                    output(data)
                else:
                    watched.remove(pipe)
            if self._wake in ready:
                self._reap()
            if self._status is not None and deadline == float("inf"):
                deadline = time.monotonic() + _LINGER
        os.close(pipe)
        while self._status is None:  # it closed its outputs and runs on
            select.select([self._wake], [], [])
            self._reap()
        signal.setitimer(signal.ITIMER_REAL, 0)
        return self._status

    def _spawn(self, command: Sequence[str], env: Mapping[str, str]) -> int:
        pipe, inner = os.pipe()
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, inner, 1),
            (os.POSIX_SPAWN_DUP2, inner, 2),
        ]
        # A signal between the child's start and our knowing its pid would be forwarded to nobody.
        signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
        try:
            self._pid = os.posix_spawnp(
                command[0],
                list(command),
                dict(env),
                file_actions=actions,
                setpgroup=0,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE, signal.SIGXFSZ),
            )
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
            os.close(inner)
        return pipe

    def _reap(self) -> None:
        """Collect whatever has ended: as the first process of a container this one inherits orphans."""
        os.read(self._wake, 1 << 12)  # first: what ends from here on wakes us again
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            if ended.si_pid == self._pid:
                self._signal(signal.SIGKILL)  # what it left behind, while the group's number is still its own
            pid, status = os.waitpid(ended.si_pid, 0)
            if pid == self._pid:
                self._status = os.waitstatus_to_exitcode(status)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        first, self.stopped_by = not self.stopped_by, self.stopped_by or signal.Signals(number).name
        if not self._pid:
            raise SystemExit(128 + number)
        self._signal(number)
        if first:
            signal.setitimer(signal.ITIMER_REAL, GRACE)

    def _signal(self, number: int) -> None:
        if self._pid and self._status is None:
            try:
                os.killpg(self._pid, number)
            except ProcessLookupError:
                pass
