"""The guard's thread. It lives in the `chaos run` process and ends with it; the watchdog is there for what outlives it.

It is closed in doubt at every level: a look that fails aborts the run, and so does anything that would end the thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from sre.chaos.guard.limits import passed_limits
from sre.chaos.guard.model import GuardSettings, Look

LOOKS_PER_INTERVAL = 2
"""A sample is seen at most half an interval after it was written, which leaves more than one to heal in."""
STOP_WITHIN_S = 40.0
ASK_AGAIN_S = 1.0


class Means(Protocol):
    """What the guard can do. Nothing here but `look` and `ensure_watchdog` may raise."""

    def look(self, at: float) -> Look: ...

    def ensure_watchdog(self) -> None:
        """Raises when nobody would undo the faults of a run that is killed."""
        ...

    def say(self, reason: str, readings: Mapping[str, float]) -> None:
        """Write the abort down: from then on no further fault of the run is begun."""
        ...

    def leave(self) -> None:
        """Make the main thread leave the method."""
        ...

    def heal(self) -> None:
        """Undo every open fault of the run."""
        ...


@dataclass(slots=True, eq=False)
class Guard:
    """Watches from `start` to `stop`. `deadline_at` is when the whole run must be over, Unix time.

    `looks`, `oldest_s` (the oldest newest sample in any look) and `aborted` (why) tell afterwards what it did.
    """

    settings: GuardSettings
    interval_s: float
    deadline_at: float
    means: Means
    now: Callable[[], float] = time.time
    looks: int = 0
    oldest_s: float = 0.0
    aborted: str | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _method_over: bool = False
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="sre-chaos-guard", daemon=True)
        self._thread.start()

    def method_is_over(self) -> None:
        """From here on the main thread is not asked to leave: outside the method that would cut the rollbacks off.

        What it was asked before reaches it in here, or earlier.
        """
        try:
            with self._asking:
                time.sleep(0)  # a signal that was sent is delivered at the latest on the way back from the kernel
        finally:
            self._method_over = True

    def stop(self) -> bool:
        """End the watching; waits until an abort that has begun is done. False when the thread does not end."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(STOP_WITHIN_S)
        return self._thread is None or not self._thread.is_alive()

    def tick(self) -> bool:
        """One look and what follows from it. False: the run was aborted."""
        look: Look | None = None
        try:
            look = self.means.look(self.now())
            self.looks += 1
            self.oldest_s = max(self.oldest_s, look.age_s or 0.0)
            reasons = passed_limits(self.settings, look, interval_s=self.interval_s, deadline_at=self.deadline_at)
            if not reasons:
                self.means.ensure_watchdog()
        except BaseException as error:  # noqa: BLE001  (a guard that dies is no guard: the run ends with it)
            reasons = (f"the guard itself failed ({type(error).__name__}: {error})",)
        if not reasons or self._over.is_set():
            return True
        self._abort("; ".join(reasons), {} if look is None else look.readings())
        return False

    def _abort(self, reason: str, readings: Mapping[str, float]) -> None:
        """Each step closes a door: nothing new is begun, what the main thread is at ends, what was begun is undone."""
        self.aborted = reason
        self.means.say(reason, readings)
        self._ask_to_leave()
        self.means.heal()

    def _ask_to_leave(self) -> None:
        with self._asking:
            if not self._method_over:
                self.means.leave()

    def _watch(self) -> None:
        while self.tick():
            if self._over.wait(self.interval_s / LOOKS_PER_INTERVAL):
                return
        while not self._over.wait(ASK_AGAIN_S):  # the toolkit sleeps through a pause that follows a cut activity
            self._ask_to_leave()
