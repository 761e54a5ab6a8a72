"""Profiles: of this process, of its children, and of graphics processors that a program tells about."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
import support

from signalbox import gpu, profile


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_time_and_memory_of_this_process() -> None:
    with profile.Profile() as measured:
        burn(0.3)
        held = bytearray(b"x") * (100 << 20)
        del held
    figures = measured.figures()
    assert 0.3 <= figures["profile.cpu_seconds"] < 3
    assert figures["profile.wall_seconds"] >= 0.3
    assert figures["profile.peak_memory_bytes"] > 100 << 20
    assert figures["profile.mean_memory_bytes"] <= figures["profile.peak_memory_bytes"]
    assert not any("gpu" in name for name in figures)


def test_peak_between_two_samples_is_seen_and_does_not_leak_into_the_next_profile() -> None:
    with profile.Profile(interval=60) as first:
        held = bytearray(b"x") * (200 << 20)
        del held
    with profile.Profile(interval=60) as second:
        pass
    peaks = [p.figures()["profile.peak_memory_bytes"] for p in (first, second)]
    assert peaks[0] - peaks[1] > 150 << 20


def test_children_count_while_they_live_and_after() -> None:
    code = "import time; held = b'x' * (150 << 20)\nwhile time.process_time() < 0.5: pass\nprint(flush=True); input()"
    with profile.Profile(interval=0.02) as measured:
        child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        alive = profile.cpu_seconds()
        child.communicate(b"\n", timeout=30)
        assert profile.cpu_seconds() >= alive - 0.05
    figures = measured.figures()
    assert figures["profile.cpu_seconds"] >= 0.45
    assert figures["profile.peak_memory_bytes"] > 150 << 20


def test_descendants_of_descendants() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(flush=True); input()'])"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    found = profile.descendants()
    child.communicate(b"\n", timeout=30)
    (grandchild,) = [p for p in found if p.parent == child.pid]
    assert grandchild.pages > 0 and child.pid in {p.pid for p in found}


def test_names_of_processes_may_hold_anything() -> None:
    tail = " ".join(["S", "7", *["0"] * 9, "1", "2", "3", "4", *["0"] * 6, "99"])
    process = profile.Process(f"42 (a) S 1 (b c) {tail}\n")
    assert (process.pid, process.parent, process.ticks, process.pages) == (42, 7, 10, 99)


def test_without_proc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "_PROC", "/nowhere")
    with profile.Profile() as measured:
        burn(0.05)
    figures = measured.figures()
    assert figures["profile.cpu_seconds"] >= 0.05 and figures["profile.peak_memory_bytes"] > 1 << 20


SMI = """#!/bin/sh
case "$*" in *-lms\\ 500*) ;; *) exit 2 ;; esac
echo '0, 50, 1024'
echo '1, [N/A], [N/A]'
echo 'nonsense'
sleep 0.1
echo '0, 100, 3072'
touch "$DONE"
exec sleep 60
"""


def test_graphics_processors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(SMI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("DONE", str(tmp_path / "done"))
    devices = gpu.Devices(0.5)
    support.until(lambda: devices.read())
    with profile.Profile(devices, interval=0.01) as measured:
        support.until(lambda: devices.read()[0].memory_bytes == 3072 << 20)
        support.until(lambda: (tmp_path / "done").exists())
    devices.close()
    figures = measured.figures()
    assert 0.5 <= figures["profile.gpu_0_utilization"] <= 1
    assert figures["profile.gpu_0_peak_memory_bytes"] == 3072 << 20
    assert not any("gpu_1" in name for name in figures)


@pytest.mark.parametrize("line", ["", "0", "a, b, c", "0, nan, nan", "0, 1, inf", "1, 2, 3, 4", "0, [N/A], 5"])
def test_lines_that_say_nothing(line: str) -> None:
    assert gpu.parse(line) is None


def test_machine_without_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    devices = gpu.Devices(0.5)
    assert devices.read() == []
    devices.close()
