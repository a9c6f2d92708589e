"""How much memory there is to take, seen from where we run: a container's limit counts before the machine's size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 2**20
CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUPS = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes. `available` is what can still be taken without anybody being swapped out or killed."""

    total: int
    available: int

    @property
    def floor(self) -> int:
        """What must stay available whatever we do: a fifth, and a GiB at least."""
        return max(self.total // 5, 2**30)


def memory_now(cgroups: Path = CGROUPS, own: Path = OWN_CGROUPS) -> Memory:
    """The machine's memory, or what is left of our control group's limit where that is less."""
    machine = psutil.virtual_memory()
    total, available = int(machine.total), int(machine.available)
    for limit, used in _limits(cgroups, own):
        total, available = min(total, limit), min(available, max(0, limit - used))
    return Memory(total, available)


def _limits(cgroups: Path, own: Path) -> list[tuple[int, int]]:
    """(limit, used) of our control groups, version 2 and 1; a group without a limit says `max` or a huge number."""
    found = []
    for group in _groups(own):
        for folder, limit, used in (
            (cgroups / group, "memory.max", "memory.current"),
            (cgroups / "memory" / group, "memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            pair = _number(folder / limit), _number(folder / used)
            if pair[0] is not None and pair[1] is not None:
                found.append((pair[0], pair[1]))
    return found


def _groups(own: Path) -> set[str]:
    """Our groups' paths below the mount, and the mount itself: inside a container that is where the limit is."""
    try:
        lines = own.read_text("utf-8").splitlines()
    except OSError:
        return {""}
    return {"", *(line.rpartition(":")[2].strip("/") for line in lines)}


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
