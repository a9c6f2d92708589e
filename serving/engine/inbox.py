"""What other threads leave for the engine's thread: requests, cancellations, faults, the order to stop."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from serving.engine.faults import NO_FAULTS, Faults
from serving.engine.live import Live


@dataclass(slots=True)
class Inbox:
    """Every method may be called from any thread. `stopping` is set for good by `close`."""

    failure: str | None = None
    stopping: threading.Event = field(default_factory=threading.Event)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _submitted: list[Live] = field(default_factory=list)
    _cancelled: list[str] = field(default_factory=list)
    _faults: Faults = NO_FAULTS
    _has_new_faults: bool = False

    def submit(self, live: Live) -> bool:
        """False when the engine is closed: nobody would ever look."""
        with self._changed:
            if self.failure is not None:
                return False
            self._submitted.append(live)
            self._changed.notify()
            return True

    def cancel(self, request_id: str) -> None:
        with self._changed:
            self._cancelled.append(request_id)
            self._changed.notify()

    def set_faults(self, faults: Faults) -> None:
        with self._changed:
            self._faults, self._has_new_faults = faults, True
            self._changed.notify()

    def close(self, reason: str) -> None:
        """Accept nothing more and wake the engine; the first reason counts."""
        with self._changed:
            self.failure = self.failure or reason
            self.stopping.set()
            self._changed.notify()

    def take(self) -> tuple[list[Live], list[str]]:
        """Requests and cancellations since the last call."""
        with self._changed:
            submitted, self._submitted = self._submitted, []
            cancelled, self._cancelled = self._cancelled, []
        return submitted, cancelled

    def take_faults(self) -> Faults | None:
        """The faults when they were set anew since the last call."""
        if not self._has_new_faults:
            return None
        with self._changed:
            self._has_new_faults = False
            return self._faults

    def is_due(self, *, is_hanging: bool) -> bool:
        """Whether there is something to do; a hanging engine takes note of faults and the end alone."""
        if self.stopping.is_set() or self._has_new_faults:
            return True
        return not is_hanging and bool(self._submitted or self._cancelled)

    def wait(self, *, is_hanging: bool, timeout_s: float | None) -> None:
        """Until there is something to do, or for so long."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_due(is_hanging=is_hanging), timeout_s)
