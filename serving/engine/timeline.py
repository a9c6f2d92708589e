"""The absolute time axis on which an engine's steps lie, so that late wake-ups do not add up."""

from __future__ import annotations

from collections.abc import Callable

MAX_LAG_S = 0.25


class Timeline:
    """A step begins where the last one ended, however late this thread woke up from it.

    After an idle spell, or a lag above `max_lag_s` (a frozen process, a starved machine), time starts anew: a GPU
    does not make up for lost seconds by running faster.
    """

    def __init__(self, clock: Callable[[], float], *, max_lag_s: float = MAX_LAG_S) -> None:
        self._clock = clock
        self._max_lag_s = max_lag_s
        self._end_s: float | None = None

    def end_of_step(self, duration_s: float) -> float:
        """The clock's value at which a step of this duration ends."""
        now = self._clock()
        if self._end_s is None or now - self._end_s > self._max_lag_s:
            self._end_s = now
        self._end_s += duration_s
        return self._end_s

    def idle(self) -> None:
        """No step follows the last one at once."""
        self._end_s = None
