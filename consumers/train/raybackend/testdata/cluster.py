"""A Ray cluster of one node that nobody else can reach, for tests.

    unshare --net --pid --fork --kill-child --mount-proc PYTHON cluster.py FOLDER

It runs in a network of its own, since Ray listens on every address that it finds. Two sockets lead in and out:
FOLDER/api is Ray's dashboard, and what jobs send to 127.0.0.1:8000 arrives at FOLDER/control. It prints "ready" once
jobs are taken, and ends, with all that it started, when its standard input does.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

DASHBOARD = 8265
CONTROL = 8000
IFF_UP = 1
SIOCSIFFLAGS = 0x8914


def loopback_up() -> None:
    """Switch on the only interface of a new network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one side ends."""
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def join(a: tuple[asyncio.StreamReader, asyncio.StreamWriter], dialed) -> None:
    """Connect what was accepted with what is dialed."""
    try:
        b = await dialed
    except OSError:
        a[1].close()
        return
    await asyncio.gather(pump(a[0], b[1]), pump(b[0], a[1]))


async def relay(folder: str) -> None:
    """Pass connections in and out until standard input ends."""

    async def into(reader, writer):
        await join((reader, writer), asyncio.open_connection("127.0.0.1", DASHBOARD))

    async def out(reader, writer):
        await join((reader, writer), asyncio.open_unix_connection(os.path.join(folder, "control")))

    await asyncio.start_unix_server(into, os.path.join(folder, "api"))
    await asyncio.start_server(out, "127.0.0.1", CONTROL)
    print("ready", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def start(folder: str) -> subprocess.Popen[bytes]:
    """Start Ray as the only one on its addresses."""
    options = {
        "port": 6379,
        "node-ip-address": "127.0.0.1",
        "dashboard-host": "127.0.0.1",
        "dashboard-port": DASHBOARD,
        "num-cpus": 2,
        "object-store-memory": 100_000_000,
        "temp-dir": os.path.join(folder, "ray"),
    }
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--disable-usage-stats"]
    command += [f"--{name}={value}" for name, value in options.items()]
    env = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_JOB_START_TIMEOUT_SECONDS": "40"}
    with open(os.path.join(folder, "ray.log"), "wb") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)


def await_jobs(ray: subprocess.Popen[bytes], seconds: float) -> None:
    """Wait until the jobs API answers."""
    headers = {"Authorization": f"Bearer {os.environ['RAY_AUTH_TOKEN']}"}
    request = urllib.request.Request(f"http://127.0.0.1:{DASHBOARD}/api/jobs/", headers=headers)
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except (urllib.error.URLError, OSError) as err:
            if ray.poll() is not None or time.monotonic() > end:
                sys.exit(f"ray did not start: {err}")
        time.sleep(0.2)


def main() -> None:
    """Run until standard input ends. As the first process here, the end of this one is the end of all."""
    folder = sys.argv[1]
    loopback_up()
    await_jobs(start(folder), 120)
    asyncio.run(relay(folder))
    os._exit(0)


if __name__ == "__main__":
    main()
