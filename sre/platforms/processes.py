"""Whose process is it? A bare pid proves nothing: pids are recycled, so every kill is preceded by one of two proofs.

Either the creation time is the one noted when the process was started, or its environment carries the platform's marks.
A process whose environment may not be read belongs to somebody else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

from serving.fleet.process import PLATFORM_ID as PLATFORM_ID
from serving.fleet.process import STATE_DIR as STATE_DIR

CREATED_TOLERANCE_S = 2.0  # psutil derives it from the boot time, which shifts when the clock is set
_POLL_S = 0.02
_START_TICK = 19  # of the fields of /proc/PID/stat behind the name


@dataclass(frozen=True, slots=True)
class ProcessRef:
    """A process as it was noted: `created` is its creation time, Unix seconds."""

    pid: int
    created: float


@dataclass(frozen=True, slots=True)
class MarkedProcess:
    """A live process that carries our marks in its environment."""

    process: psutil.Process
    platform_id: str
    label: str


def find(ref: ProcessRef | None) -> psutil.Process | None:
    """The live process behind `ref`; None when it is gone, a zombie, or another process got its pid."""
    if ref is None:
        return None
    try:
        process = psutil.Process(ref.pid)
        same = abs(process.create_time() - ref.created) <= CREATED_TOLERANCE_S
        return process if same and _runs(process) else None
    except psutil.Error:
        return None


def birth_of(pid: int) -> str | None:
    """Which boot and which clock tick it began at: the same for as long as it lives, also when the clock is set.

    None when it is gone, or where there is no /proc.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")[:8]
        after_name = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2]
        return f"{boot}:{after_name.split()[_START_TICK]}"
    except (OSError, IndexError):
        return None


def find_born(pid: int, birth: str) -> psutil.Process | None:
    """The live process that was noted with its `birth_of`; None when it is gone or another one got its pid."""
    try:
        process = psutil.Process(pid)
        return process if birth_of(pid) == birth and _runs(process) else None
    except psutil.Error:
        return None


def wait_gone(process: psutil.Process, *, timeout_s: float) -> str | None:
    """How the process was found gone, or None when it still runs after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while True:
        if not process.is_running():
            return "no longer in the process table"
        if not _runs(process):
            return "dead, waiting for its parent to collect it (zombie)"
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_S)


def marked(state_dir: Path, platform_id: str | None) -> list[MarkedProcess]:
    """Every live process started for the platform in `state_dir`, or with this platform id.

    Both marks must be there: a person may well export SRE_STATE_DIR in a shell. We and our ancestors are never in it.
    """
    ours = _lineage()
    found = []
    for process in psutil.process_iter():
        if process.pid in ours:
            continue
        try:
            mark, directory = _marks(process)
            if mark and (mark == platform_id or directory == str(state_dir)) and _runs(process):
                found.append(MarkedProcess(process, mark, f"{process.name()} ({process.pid})"))
        except (psutil.Error, OSError):
            continue
    return found


def kill_all(processes: Iterable[psutil.Process], *, timeout_s: float = 5.0) -> list[psutil.Process]:
    """SIGKILL each; return those still running after `timeout_s`. psutil refuses a pid that was recycled meanwhile."""
    targets = list(processes)
    for process in targets:
        try:
            process.kill()
        except psutil.Error:
            continue
    deadline = time.monotonic() + timeout_s
    return [p for p in targets if wait_gone(p, timeout_s=max(0.0, deadline - time.monotonic())) is None]


def _marks(process: psutil.Process) -> tuple[str, str]:
    environment = process.environ()
    return environment.get(PLATFORM_ID, ""), environment.get(STATE_DIR, "")


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running()) and process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False


def _lineage() -> set[int]:
    """Our pid and those of our ancestors, as far as they can be seen."""
    pids = {os.getpid(), os.getppid()}
    try:
        pids.update(parent.pid for parent in psutil.Process().parents())
    except psutil.Error:
        return pids
    return pids
