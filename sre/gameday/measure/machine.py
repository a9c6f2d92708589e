"""What measured figures depend on: the machine they were taken on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def machine_facts(cpuinfo: Path = _CPUINFO) -> str:
    """Processor, cores that may be used, system and Python: two reports with the same words are of like machines.

    Not the load of the moment: that is no property of the machine, see `load_words`.
    """
    cores = len(os.sched_getaffinity(0))
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{cores} x {_processor(cpuinfo)}, {system}, Python {platform.python_version()}"


def load_words() -> str:
    """How busy the machine was in the last minute, by its own count of runnable tasks."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores when it began"


def _processor(cpuinfo: Path) -> str:
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next((" ".join(name.split()) for name in names if name), platform.processor() or "unknown processor")
