"""The gateway's prediction of a first token, made of what it sees; the same measure as the live gateway's.

The median first-token time of late or, when greater, the median age of those still waiting for theirs, which leads; and
the wait for a place, when there is a queue. Kept by its own code because the gateway's runs on a wall clock.
"""

from __future__ import annotations

from collections import deque
from statistics import median

from serving.simulator.model import NS

_RECENT_NS = 30 * NS
_SAMPLES = 256


class Expectation:
    """Fed by the fleet's events; times in ns since the start."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._waiting: dict[int, int] = {}
        self._late: deque[tuple[int, int]] = deque(maxlen=_SAMPLES)
        self._done: deque[tuple[int, int]] = deque(maxlen=_SAMPLES)

    def placed(self, id_: int, now_ns: int) -> None:
        """A replica got the request."""
        self._waiting[id_] = now_ns

    def first_token(self, id_: int, now_ns: int) -> None:
        self._late.append((now_ns, now_ns - self._waiting.pop(id_)))

    def finished(self, tokens: int, now_ns: int) -> None:
        """A request of so many tokens gave its place back."""
        self._done.append((now_ns, tokens))

    def ttft_s(self, now_ns: int, *, queued_tokens: int) -> float:
        """What a request that arrives now can expect, seconds."""
        recent = [took for at, took in self._late if now_ns - at <= _RECENT_NS]
        late = median(recent) if recent else min((took for _, took in self._late), default=0)
        outstanding = median(now_ns - begun for begun in self._waiting.values()) if self._waiting else 0
        return round(max(late, outstanding) / NS + self._wait_s(now_ns, queued_tokens), 6)

    def _wait_s(self, now_ns: int, queued_tokens: int) -> float:
        """Everything queued at the rate at which places came free of late."""
        if not queued_tokens:
            return 0.0
        done = [(at, tokens) for at, tokens in self._done if now_ns - at <= _RECENT_NS]
        span_s = (now_ns - done[0][0]) / NS if done else 0.0
        if span_s == 0:
            return self._longest_s
        return min(self._longest_s, queued_tokens / (sum(tokens for _, tokens in done) / span_s))
