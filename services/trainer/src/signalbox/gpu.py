"""Graphics processors: how busy they are and what memory they use, if the machine has any that answer."""

from __future__ import annotations

import shutil
import subprocess
import threading
from typing import IO, Any, NamedTuple

_QUERY = "--query-gpu=index,utilization.gpu,memory.used"


class Reading(NamedTuple):
    """One device at one time."""

    device: int
    utilization: float  # 0 to 1
    memory_bytes: int


class Devices:
    """Reads all devices, through NVML where Python has it, else from one nvidia-smi that runs as long as we do."""

    def __init__(self, interval: float) -> None:
        """Look for devices. ``interval`` is how often nvidia-smi looks, in seconds."""
        self._latest: dict[int, Reading] = {}
        self._nvml = _nvml()
        self._process: subprocess.Popen[str] | None = None
        program = None if self._nvml else shutil.which("nvidia-smi")
        if program:
            command = [program, _QUERY, "--format=csv,noheader,nounits", "-lms", str(int(interval * 1000))]
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
                )
            except OSError:
                return
            threading.Thread(target=self._follow, args=(self._process.stdout,), name="gpu", daemon=True).start()

    def read(self) -> list[Reading]:
        """Return the latest reading of each device."""
        return _read_nvml(self._nvml) if self._nvml else list(self._latest.values())

    def close(self) -> None:
        """Stop looking."""
        if self._process:
            self._process.kill()
            self._process.wait()

    def _follow(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                if (reading := parse(line)) is not None:
                    self._latest[reading.device] = reading


def parse(line: str) -> Reading | None:
    """Read ``index, percent, MiB`` as nvidia-smi writes it; None for what a device does not support."""
    try:
        index, percent, mebibytes = (field.strip() for field in line.split(","))
        return Reading(int(index), float(percent) / 100, int(float(mebibytes) * (1 << 20)))
    except (ValueError, OverflowError):
        return None


def _nvml() -> Any:
    try:
        import pynvml

        pynvml.nvmlInit()
        return pynvml
    except Exception:  # not installed, no driver, no device: each has an error of its own
        return None


def _read_nvml(nvml: Any) -> list[Reading]:
    found = []
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            device = nvml.nvmlDeviceGetHandleByIndex(index)
            busy = nvml.nvmlDeviceGetUtilizationRates(device).gpu
            found.append(Reading(index, busy / 100, int(nvml.nvmlDeviceGetMemoryInfo(device).used)))
    except nvml.NVMLError:
        pass  # a device that was lost must not end the job
    return found
