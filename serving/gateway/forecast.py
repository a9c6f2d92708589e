"""What a request that arrives now has to expect: the wait for a place, and the time to its first token.

The autoscaler scales on the prediction, so it must rise with the queue, before first tokens are late, and fall when the
queue is gone. It is also what `Retry-After` is computed from.
"""

from __future__ import annotations

import math
from collections import deque
from statistics import median, quantiles

_HALF_LIFE_S = 10.0
_FOLD_S = 0.1
_RECENT_S = 30.0
_SAMPLES = 256
_SHORTEST_RETRY_S, _LONGEST_RETRY_S = 1, 60


class TokenRate:
    """Tokens (prompt and generated) a second of everything that runs.

    Measured per running request, then multiplied by how many run now: a burst after a quiet time is not judged by the
    few tokens a second of the quiet time. Both sums decay with a half-life of 10 s of *busy* time; idle time forgets
    nothing. Times are seconds of one monotonic clock.
    """

    def __init__(self, now: float) -> None:
        self._at = now
        self._tokens = 0.0
        self._request_s = 0.0
        self._running = 0

    def begin(self, now: float) -> None:
        """A request got its place."""
        self._fold(now)
        self._running += 1

    def end(self, now: float) -> None:
        """A request gave its place back."""
        self._fold(now)
        self._running -= 1

    def add(self, tokens: int, now: float) -> None:
        """Tokens were computed; called once a token, hence cheap."""
        self._tokens += tokens
        if now - self._at >= _FOLD_S:
            self._fold(now)

    def per_s(self, now: float) -> float | None:
        """None while nothing has been measured."""
        self._fold(now)
        if not self._tokens or not self._request_s:
            return None
        return max(1, self._running) * self._tokens / self._request_s

    def _fold(self, now: float) -> None:
        elapsed = max(0.0, now - self._at)
        self._at = now
        if self._running:
            kept = 0.5 ** (elapsed / _HALF_LIFE_S)
            self._tokens *= kept
            self._request_s = (self._request_s + elapsed * self._running) * kept


class FirstTokens:
    """First-token times since admission, seconds: those of late, and those still outstanding."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=_SAMPLES)
        self._waiting: dict[object, float] = {}

    def begin(self, key: object, now: float) -> None:
        """The request `key` (any hashable) got its place."""
        self._waiting[key] = now

    def arrived(self, key: object, now: float) -> None:
        begun = self._waiting.pop(key, None)
        if begun is not None:
            self._samples.append((now, now - begun))

    def end(self, key: object) -> None:
        """It is over, with or without a token."""
        self._waiting.pop(key, None)

    def expected_s(self, now: float) -> float:
        """The median of the last 30 s or, when greater, of the ages of those that still wait (they lead).

        With nothing in the last 30 s the lower decile of what is remembered: the time of an unloaded replica. 0 before
        the first token of all.
        """
        recent = [took for at, took in self._samples if now - at <= _RECENT_S]
        outstanding = median(now - begun for begun in self._waiting.values()) if self._waiting else 0.0
        return max(median(recent) if recent else self._unloaded_s(), outstanding)

    def _unloaded_s(self) -> float:
        times = [took for _, took in self._samples]
        if len(times) < 2:
            return times[0] if times else 0.0
        return quantiles(times, n=10, method="inclusive")[0]


class Forecast:
    """Both measures, and the two answers made of them."""

    def __init__(self, now: float) -> None:
        self.rate = TokenRate(now)
        self.first_tokens = FirstTokens()

    def begin(self, key: object, now: float) -> None:
        """A request got its place on a replica."""
        self.rate.begin(now)
        self.first_tokens.begin(key, now)

    def end(self, key: object, now: float) -> None:
        """It gave the place back."""
        self.rate.end(now)
        self.first_tokens.end(key)

    def wait_s(self, now: float, *, queued_tokens: int, head_age_s: float, longest_s: float) -> float:
        """Time until a newcomer gets its place: everything queued at the present rate, at least as long as the head has
        waited already, at most `longest_s` (then it would be refused), which is also the answer for an unknown rate.
        """
        if not queued_tokens:
            return 0.0
        rate = self.rate.per_s(now)
        drain_s = longest_s if rate is None else queued_tokens / rate
        return min(longest_s, max(drain_s, head_age_s))

    def ttft_s(self, now: float, *, queued_tokens: int, head_age_s: float, longest_s: float) -> float:
        """Predicted time to first token = expected first-token time of an admitted request + `wait_s`."""
        wait_s = self.wait_s(now, queued_tokens=queued_tokens, head_age_s=head_age_s, longest_s=longest_s)
        return self.first_tokens.expected_s(now) + wait_s

    def retry_after_s(self, now: float, *, tokens: int) -> int:
        """Whole seconds until `tokens` (queued and outstanding) are done, 1 to 60; 1 while no rate is known."""
        rate = self.rate.per_s(now)
        if rate is None:
            return _SHORTEST_RETRY_S
        return max(_SHORTEST_RETRY_S, min(_LONGEST_RETRY_S, math.ceil(tokens / rate)))
