"""The memory accounts of this process's control group, of either version of the interface."""

from __future__ import annotations

import os

ROOT = "/sys/fs/cgroup"
_UNLIMITED = 1 << 60  # version 1 spells "no limit" as a huge number


class Memory:
    """Kills, limit and peak of a control group; all unknown where there is none."""

    def __init__(self, folder: str) -> None:
        """Read the files of this folder; the empty name is no folder."""
        self._folder = folder

    @classmethod
    def own(cls) -> Memory:
        """Find the group of this process. SIGNALBOX_CGROUP names another folder."""
        if named := os.environ.get("SIGNALBOX_CGROUP"):
            return cls(named)
        for folder in _candidates():
            if any(os.path.exists(f"{folder}/{name}") for name in ("memory.events", "memory.oom_control")):
                return cls(folder)
        return cls("")

    def kills(self) -> int:
        """Return how many processes have been killed for want of memory."""
        return self._field("memory.events", "oom_kill") or self._field("memory.oom_control", "oom_kill") or 0

    def limit(self) -> int | None:
        """Return the limit in bytes."""
        found = self._number("memory.max", "memory.limit_in_bytes")
        return found if found is not None and found < _UNLIMITED else None

    def peak(self) -> int | None:
        """Return the highest use so far in bytes."""
        return self._number("memory.peak", "memory.max_usage_in_bytes")

    def _read(self, name: str) -> str:
        try:
            with open(f"{self._folder}/{name}", encoding="ascii") as file:
                return file.read()
        except (OSError, UnicodeDecodeError):
            return ""

    def _number(self, *names: str) -> int | None:
        for name in names:
            text = self._read(name).strip()
            if text.isdigit():
                return int(text)
        return None

    def _field(self, name: str, key: str) -> int | None:
        for line in self._read(name).splitlines():
            found, _, value = line.partition(" ")
            if found == key and value.strip().isdigit():
                return int(value)
        return None


def _candidates() -> list[str]:
    """Return folders to look at: where this process says it is, then where a container mounts its own group."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
    except OSError:
        return []
    found = []
    for _, controllers, path in lines:
        if not controllers:
            found += [f"{ROOT}{path}", ROOT]
        elif "memory" in controllers.split(","):
            found += [f"{ROOT}/memory{path}", f"{ROOT}/memory"]
    return found
