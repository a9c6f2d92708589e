"""Helper processes that take CPU or memory away from the platform, until their fault's deadline.

`python -m sre.chaos.processes.pressure cpu WORKERS LOAD_PERCENT` or `... memory MEMORY_MB`. The kernel's timer and a
limit of their own end them even when nothing else of us is left, and the kernel's out-of-memory killer takes the eater
first.
"""

from __future__ import annotations

import math
import mmap
import os
import resource
import sys
import time
from pathlib import Path

from sre.chaos.faults.memory import MIB, memory_now
from sre.chaos.processes.lifetime import end_at, own_deadline

PERIOD_S = 0.1
CHUNK_MB = 64
HOLDS = "holds"
_SPARE_MB = 256  # address space of the interpreter itself
_MARGIN_S = 5


def burn(workers: int, load_percent: float, deadline_at: float) -> None:
    """Keep `workers` cores busy for so much of each 0.1 s. Never returns."""
    for _ in range(workers - 1):
        if os.fork() == 0:
            break
    end_at(deadline_at)
    _limit(resource.RLIMIT_CPU, math.ceil(max(0.0, deadline_at - time.time())) + _MARGIN_S)
    busy_s = PERIOD_S * load_percent / 100
    while True:
        began = time.perf_counter()
        while time.perf_counter() - began < busy_s:
            pass
        time.sleep(max(0.0, began + PERIOD_S - time.perf_counter()))


def hold(memory_mb: int, deadline_at: float) -> None:
    """Take so much memory, touch every page of it, and keep it. Never returns; takes no more when it becomes scarce."""
    end_at(deadline_at)
    Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")
    _limit(resource.RLIMIT_AS, _address_space() + (memory_mb + _SPARE_MB) * MIB)
    held, left_mb = [], memory_mb
    while left_mb > 0:
        size_mb = min(CHUNK_MB, left_mb)
        memory = memory_now()
        if memory.available - size_mb * MIB < memory.floor:
            _say(f"stopped {left_mb} MiB short: only {memory.available // MIB} MiB are available")
            break
        held.append(_touched(size_mb * MIB))
        left_mb -= size_mb
    else:
        _say(f"{HOLDS} {memory_mb} MiB")
    while True:
        time.sleep(1.0)


def _say(what: str) -> None:
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def _touched(size: int) -> mmap.mmap:
    block = mmap.mmap(-1, size)
    for offset in range(0, size, mmap.PAGESIZE):
        block[offset] = 1
    return block


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[0])
    return pages * mmap.PAGESIZE


def _limit(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(which, (most, hard))


def main() -> None:
    kind, *numbers = sys.argv[1:]
    if kind == "cpu":
        burn(int(numbers[0]), float(numbers[1]), own_deadline())
    hold(int(numbers[0]), own_deadline())


if __name__ == "__main__":
    main()
