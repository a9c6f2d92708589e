"""The lock under which faults are applied and undone, one at a time.

The kernel frees it when its holder dies. A holder that lives and never lets go (stopped by a signal, or hung) would
keep a fault from being undone; who undoes an overdue fault may therefore end it. The kernel is asked who the holder is,
never a file: a pid in a file may be that of somebody who let go long ago.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from sre.errors import PlatformError

LOCK_FILE = "chaos.lock"
WAIT_S = 10.0
STOPPED_WAIT_S = 1.0
"""A stopped holder can do nothing, so it is given this long to be continued; one that works gets `WAIT_S`."""
_POLL_S = 0.02
_LOCKS = Path("/proc/locks")
_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)


@contextlib.contextmanager
def alone(state_dir: Path, *, wait_s: float = WAIT_S, end_holder: bool = False) -> Iterator[None]:
    """Hold the lock. Raises PlatformError when somebody keeps it longer than `wait_s`.

    With `end_holder` somebody who keeps it is killed instead: after `wait_s`, or soon when it is stopped.
    """
    path = state_dir / LOCK_FILE
    try:
        file = path.open("a")
    except OSError as error:
        raise PlatformError(f"{path}: cannot be opened ({error.strerror}): is a platform up here?") from error
    with file:
        _take(file.fileno(), path, wait_s=wait_s, end_holder=end_holder)
        yield


def holder(descriptor: int) -> psutil.Process | None:
    """The process that holds the lock on this open file; None when nobody does, or the kernel does not show whom."""
    status = os.fstat(descriptor)
    for pid in _locking(status.st_ino):
        try:
            if any(os.path.samestat(status, opened.stat()) for opened in Path(f"/proc/{pid}/fd").iterdir()):
                return psutil.Process(pid)
        except (OSError, psutil.Error):
            continue
    return None


def is_stopped(process: psutil.Process) -> bool:
    """Whether it was stopped by a signal or a debugger: it does nothing until it is continued."""
    try:
        return process.status() in _STOPPED
    except psutil.Error:
        return False


def _locking(inode: int) -> list[int]:
    """Pids that hold a lock on a file of that inode number, of whatever device: its number may differ from stat's."""
    try:
        rows = [line.split() for line in _LOCKS.read_text("ascii").splitlines()]
    except OSError:
        return []
    return [int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].rpartition(":")[2] == str(inode)]


def _take(descriptor: int, path: Path, *, wait_s: float, end_holder: bool) -> None:
    began = since = time.monotonic()
    seen = None
    while not _taken(descriptor):
        at, now = time.monotonic(), holder(descriptor)
        if now != seen:
            seen, since = now, at
        if end_holder and seen is not None and at - since > (STOPPED_WAIT_S if is_stopped(seen) else wait_s):
            _end(descriptor, seen)
        if at - began > wait_s + STOPPED_WAIT_S:
            who = "somebody" if seen is None else f"process {seen.pid}"
            raise PlatformError(f"{path}: {who} applies or undoes a fault for more than {wait_s:g} s: end it")
        time.sleep(_POLL_S)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _end(descriptor: int, found: psutil.Process) -> None:
    """Kill it, if it still is the holder; psutil refuses when its pid was reused since it was found."""
    if found.pid != os.getpid() and holder(descriptor) == found:
        with contextlib.suppress(psutil.Error):
            found.kill()
