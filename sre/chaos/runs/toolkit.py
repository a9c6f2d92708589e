"""`chaos run` as a child: watched, told of, asked to leave when it must.

Asked once, the toolkit still waits for the pause behind the activity it is at. It is asked again there, and only there:
during the rollbacks the same signal would cut them short.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sre.chaos.runs.run import LEAVE, leave

CHAOS_GRACE_S = 45.0
CHAOS_LIMIT_S = 1800.0
POLL_S = 0.25
_LOG_PREFIX = re.compile(r"^(\[[^\]]*\]\s*)+")  # date and level, and the place in the toolkit's code
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SETTLE_S = 1.0


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
            leave_now(process, log)
        note_new(log, shown, progress)
    return int(process.returncode)


def leave_now(process: subprocess.Popen[bytes], log: Path, *, timeout_s: float = CHAOS_GRACE_S) -> int:
    """Ask it to play its rollbacks and leave, without the pause it may be at; returns its exit code."""
    process.send_signal(LEAVE)
    with contextlib.suppress(subprocess.TimeoutExpired):
        return process.wait(_SETTLE_S)
    again = _is_in_a_pause(log)
    return leave(process, timeout_s=timeout_s) if again else _wait_or_kill(process, timeout_s)


def _is_in_a_pause(log: Path) -> bool:
    """Whether the method waits behind an activity, by the toolkit's last line."""
    said = [_LOG_PREFIX.sub("", line) for line in _lines(log) if " INFO]" in line or " WARNING]" in line]
    return bool(said) and said[-1].startswith("Pausing after") and "Let's rollback..." not in said


def _wait_or_kill(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def note_new(log: Path, shown: int, progress: Notes) -> int:
    """Tell the toolkit's new INFO lines; returns how many lines have been looked at."""
    lines = _lines(log)
    for line in lines[shown:]:
        if " INFO]" in line or " ERROR]" in line or " CRITICAL]" in line:
            progress.note(_LOG_PREFIX.sub("", line))
    return len(lines)


def _lines(log: Path) -> list[str]:
    """The whole lines of the log: one still being written waits for its end."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    return uncoloured(text).split("\n")[:-1]


def uncoloured(text: str) -> str:
    """The toolkit's log without the terminal colours it puts around each line, also into a file."""
    return _COLOUR.sub("", text)
