"""What a step of a job costs: processor time, memory and graphics processors, of the job and all its descendants."""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from types import TracebackType

from .gpu import Devices, Reading

INTERVAL = 0.5  # seconds
PREFIX = "profile."

_PROC = "/proc"


class Profile:
    """Measures from enter to exit; ``figures`` then gives what was measured.

    Memory is resident memory: the sum over the processes, so that pages which forks share count once for each.
    """

    def __init__(self, devices: Devices | None = None, interval: float = INTERVAL) -> None:
        self._devices, self._interval = devices, interval
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="profile", daemon=True)
        self._wall = self._cpu = 0.0
        self._peak = self._sum = self._count = 0
        self._gpus: dict[int, list[Reading]] = {}

    def __enter__(self) -> Profile:
        """Begin to measure."""
        self._high = _forget_high_water()
        self._wall, self._cpu = time.perf_counter(), cpu_seconds()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, err: BaseException | None, tb: TracebackType | None) -> None:
        """End measuring."""
        self._end.set()
        self._thread.join()
        self._sample()  # a step shorter than the interval has this one and the first
        self._wall, self._cpu = time.perf_counter() - self._wall, max(cpu_seconds() - self._cpu, 0.0)
        if self._high:
            self._peak = max(self._peak, _status_bytes("VmHWM"))  # what came and went between two samples

    def figures(self) -> dict[str, float]:
        """Return seconds, bytes and ratios by name."""
        found: dict[str, float] = {
            "wall_seconds": round(self._wall, 6),
            "cpu_seconds": round(self._cpu, 6),
            "peak_memory_bytes": self._peak,
            "mean_memory_bytes": round(self._sum / self._count) if self._count else 0,
        }
        for device, readings in sorted(self._gpus.items()):
            found[f"gpu_{device}_utilization"] = round(sum(r.utilization for r in readings) / len(readings), 4)
            found[f"gpu_{device}_peak_memory_bytes"] = max(r.memory_bytes for r in readings)
        return {PREFIX + name: value for name, value in found.items()}

    def _watch(self) -> None:
        while True:
            self._sample()
            if self._end.wait(self._interval):
                return

    def _sample(self) -> None:
        memory = memory_bytes()
        self._peak, self._sum, self._count = max(self._peak, memory), self._sum + memory, self._count + 1
        for reading in self._devices.read() if self._devices else ():
            self._gpus.setdefault(reading.device, []).append(reading)


def cpu_seconds() -> float:
    """Return the processor time of this process, of the descendants that it waited for, and of those that live."""
    own, waited = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = sum(p.ticks for p in descendants())
    return own.ru_utime + own.ru_stime + waited.ru_utime + waited.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def memory_bytes() -> int:
    """Return the resident memory of this process and its descendants; the peak so far where there is no /proc."""
    own = _status_bytes("VmRSS")
    if not own:
        usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return usage if sys.platform == "darwin" else usage * 1024
    return own + sum(p.pages for p in descendants()) * os.sysconf("SC_PAGE_SIZE")


class Process:
    """A line of /proc/<pid>/stat."""

    __slots__ = ("pages", "parent", "pid", "ticks")

    def __init__(self, stat: str) -> None:
        """Read the line. The name is in parentheses and may hold anything, parentheses too."""
        head, _, tail = stat.rpartition(")")
        fields = tail.split()
        self.pid, self.parent = int(head.split(" ", 1)[0]), int(fields[1])
        self.ticks = sum(int(f) for f in fields[11:15])  # its own and those of children that it waited for
        self.pages = int(fields[21])


def descendants() -> list[Process]:
    """Return the living descendants of this process; none where there is no /proc."""
    found = _children(os.getpid())
    if found is None:
        return _among_all()
    for process in found:  # grows while it is walked
        found.extend(_children(process.pid) or ())
    return found


def _children(pid: int) -> list[Process] | None:
    """Return the children of a process; None where the kernel does not list them."""
    pids: list[str] = []
    with contextlib.suppress(OSError):  # it has ended
        for task in os.listdir(f"{_PROC}/{pid}/task"):
            try:
                with open(f"{_PROC}/{pid}/task/{task}/children", encoding="ascii") as file:
                    pids += file.read().split()
            except OSError:
                if os.path.exists(f"{_PROC}/{pid}/task/{task}/stat"):  # else it is the thread that is gone
                    return None
        return list(_read(pids))
    return None


def _among_all() -> list[Process]:
    """Return the living descendants by looking at every process there is."""
    children: dict[int, list[Process]] = {}
    with contextlib.suppress(OSError):
        for process in _read(name for name in os.listdir(_PROC) if name.isdigit()):
            children.setdefault(process.parent, []).append(process)
    found = children.get(os.getpid(), [])
    for process in found:  # grows while it is walked
        found.extend(children.get(process.pid, ()))
    return found


def _read(pids: Iterable[str]) -> Iterator[Process]:
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):  # it may have ended meanwhile
            with open(f"{_PROC}/{pid}/stat", encoding="utf-8", errors="replace") as file:
                yield Process(file.read())


def _status_bytes(key: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        with open(f"{_PROC}/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith(key + ":"):
                    return int(line.split()[1]) * 1024
    return 0


def _forget_high_water() -> bool:
    """Let the kernel's high-water mark of this process begin anew; False where it does not do that."""
    try:
        with open(f"{_PROC}/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return True
