"""What a replica does before it can serve: the phases of its profile, waited for in real time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

INJECTED_PHASE = "injected"
_LOOK_S = 0.1


def warm_up(
    phases_s: Mapping[str, float],
    scale: float,
    *,
    log: Callable[[str], object],
    pause: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, float]:
    """Wait out each phase times `scale`. Returns what each took, seconds; all 0 when `scale` is 0."""
    taken_s = {}
    for phase, seconds in phases_s.items():
        begun = clock()
        if scale > 0:
            pause(seconds * scale)
            log(f"cold start: {phase} took {clock() - begun:.1f} s")
        taken_s[phase] = clock() - begun if scale > 0 else 0.0
    return taken_s


def wait_longer(
    extra_s: Callable[[], float],
    *,
    pause: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> float:
    """Wait as long as `extra_s` says, which is asked anew at each look: a fault that ends, ends the wait.

    Returns what it took, seconds.
    """
    begun = clock()
    while (left_s := extra_s() - (clock() - begun)) > 0:
        pause(min(left_s, _LOOK_S))
    return clock() - begun
