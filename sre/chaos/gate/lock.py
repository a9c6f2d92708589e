"""Two drills must not overlap: each would call the other's fault its own finding.

The lock is held by the run's process for as long as it lives and freed by the kernel when it dies, whatever way. Who
holds it stands in the file, for the refusal of the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from sre.errors import PlatformError

LOCK_FILE = "run.lock"


class RunLock:
    """Held from `take_lock` to `release`, or to the end of the process."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def release(self) -> None:
        """Harmless to call twice."""
        self._file.close()


def take_lock(state_dir: Path, title: str) -> RunLock:
    """Raises PlatformError, naming who holds it, when another run goes on."""
    path = state_dir / LOCK_FILE
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise PlatformError(f"{path}: cannot be opened ({error.strerror}): is a platform up here?") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        with file:
            holder = _holder(file)
        raise PlatformError(f"another run goes on here, {holder}: wait for its end, or end it") from error
    with contextlib.suppress(OSError):  # a full disk: the lock is held all the same
        file.truncate(0)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        file.write(json.dumps({"pid": os.getpid(), "title": title, "since": since}))
        file.flush()
    return RunLock(file)


def _holder(file: IO[str]) -> str:
    try:
        file.seek(0)
        said = json.load(file)
        return f"{said['title']!r} of process {said['pid']}, since {said['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "which has not said who it is"
