"""Unix time that never steps: the wall clock read once, then the monotonic clock, so that gaps are never negative."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]


def steady_clock() -> Clock:
    """A clock of Unix seconds, anchored now."""
    anchor = time.time() - time.perf_counter()
    return lambda: anchor + time.perf_counter()
