"""A queue of bytes that is mostly empty: a little memory, then a bounded file, then a count of what was lost."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

MEMORY = 8 << 20
FILE = 64 << 20
TAIL = 64 << 10
_NOTE = 1 << 10  # room that is kept for a notice

Notice = Callable[[int], bytes]


class Spool:
    """First in, first out, in bytes. Not safe for threads; its owner locks.

    The file is a ring without a name: it never outgrows its limit and nobody has to remove it. Once both are full the
    newest bytes are dropped, all but the last ``tail`` of them, and ``notice(dropped)`` takes the place of the lost.
    ``whole``: what one append adds is kept or dropped as a whole.
    """

    def __init__(
        self,
        notice: Notice,
        folders: Sequence[str] = (),
        memory: int = MEMORY,
        file: int = FILE,
        tail: int = TAIL,
        whole: bool = False,
    ) -> None:
        """Keep up to ``memory`` bytes here and up to ``file`` bytes in the first folder that takes a file."""
        self.dropped = 0  # in all
        self._folders, self._notice = folders, notice
        self._memory_limit, self._limit, self._tail_limit, self._whole = memory, file, tail, whole
        self._memory = bytearray()
        self._fd = -1
        self._read = self._written = 0  # positions in the ring, counted from its beginning of time
        self._lost = 0  # not yet noted
        self._tail = bytearray()
        self._dropping = False

    def __len__(self) -> int:
        """Return how many bytes can be taken now."""
        return len(self._memory) + self._written - self._read

    def append(self, data: bytes) -> None:
        """Add bytes at the end. Never fails and never waits for anything but the disk."""
        if self._dropping:
            self._drop(data)
        elif rest := self._store(data, self._tail_limit + _NOTE):
            self._dropping = True
            self._drop(rest)

    def head(self, limit: int) -> bytes:
        """Return up to ``limit`` of the oldest bytes and leave them where they are."""
        if self._memory:
            return bytes(self._memory[:limit])  # the next ones may be in the file: they come with the next call
        size = min(limit, self._written - self._read)
        at = self._read % self._limit if size else 0
        first = min(size, self._limit - at)
        return os.pread(self._fd, first, at) + os.pread(self._fd, size - first, 0) if size else b""

    def discard(self, size: int) -> None:
        """Forget that many of the oldest bytes: what head gave, or less."""
        if self._memory:
            del self._memory[:size]
        else:
            self._read += size
        capacity = self._memory_limit + (self._limit if self._folders else 0)
        if self._dropping and len(self) <= capacity // 2:
            self.settle()  # half is free again: what comes now is not dropped a moment later

    def settle(self) -> None:
        """Put the notice of what was dropped, and the tail, in their place at the end."""
        if not self._dropping:
            return
        self._dropping = False
        tail, self._tail = bytes(self._tail), bytearray()
        note = self._notice(self._lost) if self._lost else b""
        self.dropped, self._lost = self.dropped + self._lost, 0
        self.dropped += len(self._store(note + tail, 0))  # something is left only where the disk fails

    def _store(self, data: bytes, reserve: int) -> bytes:
        """Keep what fits with so many bytes to spare, and return the rest."""
        if self._written == self._read:
            room = max(self._memory_limit - reserve - len(self._memory), 0)
            if not self._whole or room >= len(data):
                self._memory += data[:room]
                data = data[room:]
        while data and self._folders:
            at = self._written % self._limit
            room = self._limit - reserve - (self._written - self._read)
            piece = data[: max(min(self._limit - at, room), 0)]
            if not piece or not self._write(piece, at):
                break
            data = data[len(piece) :]
        return data

    def _write(self, piece: bytes, at: int) -> bool:
        try:
            if self._fd < 0:
                self._fd = self._create()
            done = 0
            while done < len(piece):
                done += os.pwrite(self._fd, piece[done:], at + done)
        except OSError:  # a full or a read-only disk: as good as no file
            return False
        self._written += len(piece)
        return True

    def _create(self) -> int:
        import tempfile  # here, because it takes longer to import than most jobs' launchers ever need it

        for folder in self._folders:
            try:
                fd, name = tempfile.mkstemp(prefix=".spool-", dir=folder)
            except OSError:
                continue
            os.unlink(name)
            return fd
        self._folders = ()
        raise OSError("no folder takes a file")

    def _drop(self, data: bytes) -> None:
        self._tail += data
        if (excess := len(self._tail) - self._tail_limit) > 0:
            self._lost += excess
            del self._tail[:excess]
