"""A warm parent of jobs: ``python -m signalbox.forkserver MODULE FD`` forks a process for each job it is asked for.

It imports MODULE once, and what MODULE's function ``warm`` imports if it has one. A job is then ``MODULE.main(args)``
in a child that is what ``python -m MODULE args`` would have been, without the wait for imports. FD is one end of a
SOCK_SEQPACKET pair; PROTOCOL.md has the messages. It ends with the other end, and its children end with it.

Only a process with one thread may fork: another one's locks would never be released in the child. So libraries that
start threads when they are loaded are told not to; OpenBLAS gets them in the child.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import random
import select
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MAX_MESSAGE = 1 << 17  # bytes
_PR_SET_PDEATHSIG = 1
_BLAS = "OPENBLAS_NUM_THREADS"

# Read when the libraries are loaded: OpenBLAS starts its pool then, and Arrow's jemalloc a thread that returns memory.
_NO_THREADS = {_BLAS: "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}


class NotForkable(Exception):
    """This process may not fork: its children would not be like jobs that were started."""


@dataclass(frozen=True)
class Order:
    """A job to start. ``output`` is a descriptor for both of its outputs."""

    id: int
    args: tuple[str, ...]
    folder: str
    env: dict[str, str]
    output: int


def serve(connection: socket.socket) -> Order | None:
    """Start jobs and report their ends until the other side is gone: then return None. In a child, return its order."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    children: dict[int, int] = {}  # pid by the descriptor that tells of its end
    while True:
        for descriptor, _ in poll.poll():
            if descriptor in children:
                poll.unregister(descriptor)
                _tell_end(connection, children.pop(descriptor))
                os.close(descriptor)
                continue
            data, descriptors, _, _ = socket.recv_fds(connection, _MAX_MESSAGE, 1)
            if not data:
                return None
            message = json.loads(data)
            if "reap" in message:
                os.waitpid(message["reap"], 0)
            elif "args" not in message:
                _send(connection, {"id": message["id"]})
            else:
                order = Order(message["id"], tuple(message["args"]), message["dir"], message["env"], descriptors[0])
                pid = _fork(connection, order)
                if pid == 0:
                    return order
                os.close(order.output)
                if pid > 0:
                    handle = os.pidfd_open(pid)
                    children[handle] = pid
                    poll.register(handle, select.POLLIN)


def _tell_end(connection: socket.socket, pid: int) -> None:
    """Report an end. The pid stays taken until the other side lets go of it: it may be about to signal the group."""
    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ended is not None
    status = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
    _send(connection, {"pid": pid, "status": status})


def _fork(connection: socket.socket, order: Order) -> int:
    """Fork and say so. Return 0 in the child, and -1 where there is none."""
    try:
        check()
        pid = os.fork()
    except (OSError, NotForkable) as err:
        _send(connection, {"id": order.id, "error": str(err)})
        return -1
    if pid:
        with contextlib.suppress(PermissionError):  # it did so itself, and has gone on to another program
            os.setpgid(pid, pid)
        _send(connection, {"id": order.id, "pid": pid})
    return pid


def become(order: Order, parent: int, module: str) -> None:
    """Make a child of ``parent`` what it would be had it been started by itself."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)  # it has died before the kernel knew what that means to us
    os.dup2(order.output, 1)
    os.dup2(order.output, 2)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2:
            with contextlib.suppress(OSError):  # that of the list itself
                os.close(int(name))
    os.chdir(order.folder)
    coerced = os.environ.get("LC_CTYPE")  # Python sets it where there is no locale
    os.environ.clear()
    os.environ.update({"LC_CTYPE": coerced} if coerced else {})
    os.environ.update(order.env)
    time.tzset()
    sys.path[0] = order.folder
    sys.argv = [sys.modules[module].__file__ or module, *order.args]
    sys.orig_argv = [sys.executable, "-m", module, *order.args]
    sys.modules["__main__"] = sys.modules[module]  # what multiprocessing starts its own children by
    importlib.invalidate_caches()
    random.seed()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()
    set_blas_threads(int(order.env.get(_BLAS) or os.cpu_count() or 1))


def check() -> None:
    """Raise NotForkable unless this process has one thread."""
    threads = []
    for task in os.listdir("/proc/self/task"):
        threads.append(Path(f"/proc/self/task/{task}/comm").read_text("utf-8", "replace").strip())
    if len(threads) != 1:
        raise NotForkable(f"it has {len(threads)} threads: {', '.join(sorted(threads))}")


def set_blas_threads(count: int) -> None:
    """Let every copy of OpenBLAS in this process use so many threads: NumPy and SciPy bring one each."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        paths = {line.rstrip().partition("/")[2] for line in maps if "openblas" in line}
    for path in sorted(paths):
        try:
            library = ctypes.CDLL("/" + path, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
        except OSError:
            continue  # a file that is mapped and no library
        for name in ("scipy_openblas_set_num_threads64_", "scipy_openblas_set_num_threads", "openblas_set_num_threads"):
            if function := getattr(library, name, None):
                function(ctypes.c_int(count))


def prepare(module: str) -> Any:
    """Import a module and what it wants to have ready. NotForkable where that left threads behind."""
    os.environ.update(_NO_THREADS)
    loaded = importlib.import_module(module)
    if warm := getattr(loaded, "warm", None):
        warm()
    check()
    os.close(os.pidfd_open(os.getpid()))  # OSError where the kernel has none
    gc.collect()
    gc.freeze()  # or collections in the children would copy every page
    return loaded


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    connection.send(json.dumps(message).encode())


def main(argv: list[str]) -> int:
    """Serve, and return the exit status; in a child, that of its job."""
    if len(argv) != 2 or not argv[1].isdigit():
        print("usage: python -m signalbox.forkserver MODULE FD", file=sys.stderr)
        return 2
    module, connection, parent = argv[0], socket.socket(fileno=int(argv[1])), os.getpid()
    try:
        loaded = prepare(module)
    except (NotForkable, OSError) as err:
        _send(connection, {"error": str(err)})
        return 1
    _send(connection, {"ready": True})
    try:
        order = serve(connection)
    except (BrokenPipeError, ConnectionResetError):
        return 0  # the other side has gone
    if order is None:
        return 0
    connection.detach()  # the number will be another file's
    become(order, parent, module)
    status: int = loaded.main(list(order.args))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
