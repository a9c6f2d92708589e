"""How fast an engine makes tokens, measured from outside by small inferences straight at its replica."""

from __future__ import annotations

import time

from sre.chaos.faults.model import NotProven
from sre.chaos.faults.targets import until
from sre.errors import PlatformError
from sre.platforms.model import Platform

TOKENS = 16
_PROMPT = "how long does a step take"
_LOOKS = 3
_TIMEOUT_S = 10.0
_SEEN_WITHIN_S = 10.0


def usual_s(platform: Platform, name: str) -> float:
    """Seconds for so many tokens, the best of several looks. Raises PlatformError when it does not answer."""
    return min(_timed(platform, name, timeout_s=_TIMEOUT_S) for _ in range(_LOOKS))


def require_slower(platform: Platform, name: str, *, usual_s: float, factor: float) -> str:
    """What was seen of an engine whose steps take `factor` times as long. Raises NotProven when it is not slower.

    Half of the difference is enough: the rest of an inference's time is not the engine's.
    """
    slow_s, took_s = usual_s * (1 + factor) / 2, 0.0

    def is_slow() -> bool:
        nonlocal took_s
        took_s = _timed(platform, name, timeout_s=1.5 * slow_s + 0.5)
        return took_s >= slow_s

    if not until(is_slow, within_s=_SEEN_WITHIN_S):
        raise NotProven(f"{name}: {TOKENS} tokens take {took_s:.2f} s, {usual_s:.2f} s before: it is not slow")
    return f"{name}: {TOKENS} tokens take {took_s:.2f} s or more, {usual_s:.2f} s before"


def _timed(platform: Platform, name: str, *, timeout_s: float) -> float:
    """Seconds for a few tokens; so many as were waited when they do not come in time."""
    begun = time.monotonic()
    try:
        answer = platform.infer(name, _PROMPT, max_tokens=TOKENS, timeout_s=timeout_s)
    except PlatformError:
        took_s = time.monotonic() - begun
        if took_s < timeout_s:  # it was no lateness
            raise
        return took_s
    if answer.error is not None:
        raise PlatformError(f"{name}: an inference fails ({answer.error}): its time says nothing")
    return answer.seconds
