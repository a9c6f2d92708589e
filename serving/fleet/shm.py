"""Shared memory a killed Triton server leaves behind."""

from __future__ import annotations

from pathlib import Path

SHM = Path("/dev/shm")  # noqa: S108  (the kernel's fixed mount point, not a temporary file of ours)


def remove_segments(prefix: str) -> list[str]:
    """Unlink the segments whose names start with `prefix`; returns the names. A prefix that short is refused."""
    if len(prefix) < 8:
        raise ValueError(f"shared-memory prefix {prefix!r} is too short to be safe")
    removed = []
    for path in SHM.glob(f"{prefix}*") if SHM.is_dir() else ():
        path.unlink(missing_ok=True)
        removed.append(path.name)
    return removed
