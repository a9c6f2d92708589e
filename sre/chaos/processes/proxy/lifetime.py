"""How a helper of this kind lives: it reads its rules anew when their file changes, tells what it does in a state file,
and ends by itself.

Two ways lead to its end, and on both it does no harm from then on: SIGTERM (it takes no new connections), and its
deadline in $SRE_FAULT_DEADLINE_AT (it goes on accepting for 3 s, since the way through it may not have been taken back
yet). It then waits until the open connections are gone or have been silent for 2 s (gRPC keeps a connection of which it
needs nothing more for up to its keepalive time), at most 30 s, and cuts what is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from sre.errors import SreError

LOOK_EVERY_S = 0.05
LINGER_S = 30.0
LEAST_LINGER_S = 3.0  # after the deadline: so long it may take until the way through it is taken back
SILENT_S = 2.0


class Helper(Protocol):
    """What `live` keeps."""

    @property
    def open_connections(self) -> int: ...
    def tune(self, text: str) -> None: ...
    def clear(self) -> None: ...
    def stop_listening(self) -> None: ...
    def facts(self) -> dict[str, Any]: ...


@dataclass(slots=True)
class Lifetime:
    """`deadline_at` and `now` are Unix time. `listen` is what the state file says of where it listens."""

    helper: Helper
    rules: Path
    state: Path
    listen: str
    deadline_at: float
    now: Callable[[], float] = time.time
    _stamp: tuple[int, int] | None = None
    _written: dict[str, Any] = field(default_factory=dict)
    _told_to_end: bool = False
    _ending_since: float | None = None
    _moved_at: float = 0.0

    async def run(self) -> None:
        """Until its end."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.end)
        try:
            while not self.look():
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            loop.remove_signal_handler(signal.SIGTERM)

    def end(self) -> None:
        """From now on harmless, closed to new connections, and gone with the last open one."""
        self._told_to_end = True
        self.helper.clear()
        self.helper.stop_listening()

    def look(self) -> bool:
        """One round; True when all is over."""
        now = self.now()
        if self._ending_since is None and (self._told_to_end or now >= self.deadline_at):
            self._ending_since = now
            self.helper.clear()
        if self._ending_since is None:
            self._read_rules()
        if self._tell():
            self._moved_at = now
        return self._ending_since is not None and self._may_go(now, now - self._ending_since)

    def _may_go(self, now: float, lingered_s: float) -> bool:
        if lingered_s >= LINGER_S:
            return True
        idle = not self.helper.open_connections or now - self._moved_at >= SILENT_S
        return idle and (self._told_to_end or lingered_s >= LEAST_LINGER_S)

    def _read_rules(self) -> None:
        try:
            status = self.rules.stat()
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self.helper.tune(self.rules.read_text("utf-8"))
        except (OSError, UnicodeDecodeError):
            return
        except SreError as error:
            sys.stderr.write(f"{error}; goes on with the rules it has\n")

    def _tell(self) -> bool:
        """Write what is news; whether anything was. A full disk is no reason to end."""
        facts = {"listen": self.listen, "ending": self._ending_since is not None, **self.helper.facts()}
        if facts == self._written:
            return False
        self._written = facts
        temporary = self.state.with_name(f".{self.state.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(facts), encoding="utf-8")
            temporary.replace(self.state)
        return True
