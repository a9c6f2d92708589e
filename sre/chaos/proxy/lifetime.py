"""How a helper of this kind lives: it reads its rules anew when their file changes, tells what it does in a state file,
and ends by itself.

Three ways lead to its end, and on each it does no harm from then on: SIGTERM (it takes no new connections and waits
until the open ones are gone), its deadline in $SRE_FAULT_DEADLINE_AT (it goes on accepting, since the way through it
may not have been taken back yet), and 30 s after either, when it cuts what is left.
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
            over = False
        else:
            lingered_s = now - self._ending_since
            may_go = self._told_to_end or lingered_s >= LEAST_LINGER_S
            over = (may_go and not self.helper.open_connections) or lingered_s >= LINGER_S
        self._write_state()
        return over

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

    def _write_state(self) -> None:
        """Never the reason to end: without it the fault cannot be proven, that is all."""
        facts = {"listen": self.listen, "ending": self._ending_since is not None, **self.helper.facts()}
        if facts == self._written:
            return
        temporary = self.state.with_name(f".{self.state.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            temporary.write_text(json.dumps(facts), encoding="utf-8")
            temporary.replace(self.state)
            self._written = facts
