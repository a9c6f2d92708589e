"""Restart delays: exponential, capped, forgiven after a process has served for a while."""

from __future__ import annotations

from dataclasses import dataclass

_MOST_DOUBLINGS = 64  # beyond any cap; a float overflows at 1024, a night of failures


@dataclass(slots=True)
class Backoff:
    """Delay before restart n is min(cap, first * 2^n); n returns to 0 after `forgive_after_s` of service. Seconds."""

    first_s: float = 0.5
    cap_s: float = 30.0
    forgive_after_s: float = 60.0
    failures: int = 0

    def next_delay(self, *, served_s: float) -> float:
        """Delay before the next start, given how long the last life served (0 when it never became ready)."""
        if served_s >= self.forgive_after_s:
            self.failures = 0
        delay = min(self.cap_s, self.first_s * 2.0 ** min(self.failures, _MOST_DOUBLINGS))
        self.failures += 1
        return delay
