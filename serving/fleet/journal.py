"""Writes the platform's state file and its event log: the only channel by which others learn what happened."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serving.fleet.model import PlatformState, StateFiles


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
    """`state.json` and `events.jsonl` of one platform. `now` is Unix time, seconds."""

    def __init__(self, files: StateFiles, state: PlatformState, *, now: Callable[[], float]) -> None:
        self._files = files
        self._now = now
        self.state = state

    def event(self, name: str, *, replica: str | None = None, pid: int | None = None, **detail: Any) -> float:
        """Append one event and refresh the state file; returns the event's time."""
        at = self._now()
        line = json.dumps({"at": at, "event": name, "replica": replica, "pid": pid, "detail": detail})
        with self._files.events.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self.save()
        return at

    def save(self) -> None:
        write_atomically(self._files.state, self.state.to_json())
