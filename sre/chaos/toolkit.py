"""`chaos run` as a child: watched, told of, asked to leave when it must."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sre.chaos.run import leave

CHAOS_GRACE_S = 45.0
CHAOS_LIMIT_S = 1800.0
POLL_S = 0.25
_LOG_PREFIX = re.compile(r"^(\[[^\]]*\]\s*)+")  # date and level, and the place in the toolkit's code
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Notes(Protocol):
    """Where the toolkit's lines are told; `sre.console.Progress` is one."""

    def note(self, text: str) -> None: ...


def follow(process: subprocess.Popen[bytes], log: Path, *, progress: Notes, tick: Callable[[], None]) -> int:
    """Tell what the toolkit says until it ends; returns its exit code. `tick` runs in between and may raise.

    On the way out a toolkit that still runs, also one that outran CHAOS_LIMIT_S, plays its rollbacks and leaves.
    """
    deadline = time.monotonic() + CHAOS_LIMIT_S
    shown = 0
    try:
        while process.poll() is None and time.monotonic() < deadline:
            tick()
            shown = note_new(log, shown, progress)
            time.sleep(POLL_S)
    finally:
        if process.poll() is None:
            leave(process, timeout_s=CHAOS_GRACE_S)
        note_new(log, shown, progress)
    return int(process.returncode)


def note_new(log: Path, shown: int, progress: Notes) -> int:
    """Tell the toolkit's new INFO lines; returns how many lines have been looked at."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    lines = uncoloured(text).split("\n")[:-1]  # a line still being written waits for its end
    for line in lines[shown:]:
        if " INFO]" in line or " ERROR]" in line or " CRITICAL]" in line:
            progress.note(_LOG_PREFIX.sub("", line))
    return len(lines)


def uncoloured(text: str) -> str:
    """The toolkit's log without the terminal colours it puts around each line, also into a file."""
    return _COLOUR.sub("", text)
