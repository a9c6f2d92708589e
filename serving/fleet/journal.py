"""Writes the platform's state file and its event log: the only channel by which others learn what happened."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving.fleet.model import PlatformState, StateFiles

_MOST_KEPT = 10_000


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace `path` so that a reader sees the old or the new content, never half of one.

    With `mode` 0600 a secret in `text` is at no moment readable by others.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


class Journal:
    """`state.json` and `events.jsonl` of one platform. `now` is Unix time, seconds.

    A platform that serves does not end because its disk is full: what cannot be written is kept, in order, and written
    when there is room (`catch_up`). While it starts the error is the platform's.
    """

    def __init__(self, files: StateFiles, state: PlatformState, *, now: Callable[[], float]) -> None:
        self._files = files
        self._now = now
        self._unwritten: deque[str] = deque(maxlen=_MOST_KEPT)
        self._behind = False
        self.state = state

    def event(
        self, name: str, *, replica: str | None = None, pid: int | None = None, must: bool = False, **detail: Any
    ) -> float:
        """Append one event and refresh the state file; returns the event's time.

        Raises OSError when that cannot be written, and `must` or the platform does not serve yet; then the event is
        not kept either.
        """
        at = self._now()
        line = json.dumps({"at": at, "event": name, "replica": replica, "pid": pid, "detail": detail})
        self._unwritten.append(line)
        try:
            self._write()
        except OSError as error:
            if must or not self._serves:
                self._unwritten.remove(line)
                raise
            self._fall_behind(error)
        return at

    def save(self) -> None:
        """Refresh the state file. Raises OSError like `event`."""
        try:
            self._write()
        except OSError as error:
            if not self._serves:
                raise
            self._fall_behind(error)

    def catch_up(self) -> None:
        """Write what could not be written before, if there is such and room for it."""
        if self._behind:
            self.save()

    @property
    def _serves(self) -> bool:
        return self.state.phase == "ready"

    def _write(self) -> None:
        while self._unwritten:
            _append(self._files.events, self._unwritten[0])
            self._unwritten.popleft()
        write_atomically(self._files.state, self.state.to_json())
        self._behind = False

    def _fall_behind(self, error: OSError) -> None:
        if not self._behind:
            with contextlib.suppress(OSError):  # the log may lie on the same disk
                sys.stderr.write(f"{self._files.root}: cannot be written ({error.strerror}): make room\n")
                sys.stderr.flush()
        self._behind = True


def _append(path: Path, line: str) -> None:
    """The whole line or nothing of it: half of one would spoil the next."""
    with path.open("ab", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            written = file.write(line.encode() + b"\n")
            if written != len(line.encode()) + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            file.truncate(size)
            raise
