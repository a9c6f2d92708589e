"""The fleet-wide retry budget: how much work may be done again, so that an outage does not double its own load.

A token bucket with two sources. Each request adds `ratio` retries, which fade over the window, so that their sum is
ratio x requests within it; on top `min_per_s` drips in up to a window's worth, so that a quiet fleet can retry too.
Times are seconds of one clock, given by the caller.
"""

from __future__ import annotations

import math


class RetryBudget:
    """`spend` before each retry, replay or hedge; it says whether there was one left."""

    def __init__(self, *, ratio: float, min_per_s: float, window_s: float, now: float) -> None:
        self._ratio = ratio
        self._min_per_s = min_per_s
        self._window_s = window_s
        self._earned = 0.0
        self._reserve = min_per_s * window_s
        self._at = now

    def request(self, now: float) -> None:
        """A request was accepted."""
        self._advance(now)
        self._earned += self._ratio

    def balance(self, now: float) -> float:
        """Retries that could be spent now."""
        self._advance(now)
        return self._earned + self._reserve

    def spend(self, now: float) -> bool:
        """Take one retry; False when there is less than one."""
        if self.balance(now) < 1:
            return False
        from_earned = min(1.0, self._earned)
        self._earned -= from_earned
        self._reserve -= 1 - from_earned
        return True

    def _advance(self, now: float) -> None:
        passed_s = max(0.0, now - self._at)
        self._at = max(self._at, now)
        self._earned *= math.exp(-passed_s / self._window_s)
        self._reserve = min(self._min_per_s * self._window_s, self._reserve + self._min_per_s * passed_s)
