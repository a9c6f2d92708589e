"""Token buckets: how much a tenant may ask for, and when it may ask again. Pure; time is an argument, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """`per_s` is earned each second and saved up to `burst`."""

    per_s: float
    burst: float


class Bucket:
    """Starts full. It may go into debt: what costs more than the burst passes a full bucket and is paid off after."""

    __slots__ = ("_at", "_level", "rate")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate = rate
        self._level = rate.burst
        self._at = now

    def level(self, now: float) -> float:
        """What is saved up now; negative is debt."""
        elapsed = max(0.0, now - self._at)
        return min(self.rate.burst, self._level + elapsed * self.rate.per_s)

    def wait_s(self, amount: float, now: float) -> float:
        """Seconds until `amount` may be taken; 0 when it may be now."""
        missing = min(amount, self.rate.burst) - self.level(now)
        return max(0.0, missing / self.rate.per_s)

    def take(self, amount: float, now: float) -> None:
        """Spend, or give back when negative. The caller has asked `wait_s`."""
        self._level = min(self.rate.burst, self.level(now) - amount)
        self._at = max(self._at, now)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a tenant has left: whole units, and the seconds until the bucket is full again."""

    limit: int
    remaining: int
    reset_s: float


class Budget:
    """One tenant's two buckets; None is unlimited. A request passes both or takes from neither."""

    def __init__(self, requests: Rate | None, tokens: Rate | None, now: float) -> None:
        self._requests = Bucket(requests, now) if requests else None
        self._tokens = Bucket(tokens, now) if tokens else None

    def spend(self, tokens: int, now: float) -> float:
        """Take one request and its estimated tokens; else the seconds until that will be possible, above 0."""
        asked = [(bucket, amount) for bucket, amount in ((self._requests, 1), (self._tokens, tokens)) if bucket]
        wait_s = max((bucket.wait_s(amount, now) for bucket, amount in asked), default=0.0)
        if wait_s > 0:
            return wait_s
        for bucket, amount in asked:
            bucket.take(amount, now)
        return 0.0

    def correct(self, estimated_tokens: int, used_tokens: int, now: float) -> None:
        """The request is over: give back what it did not use, or take what it used beyond the estimate."""
        if self._tokens:
            self._tokens.take(used_tokens - estimated_tokens, now)

    def allowances(self, now: float) -> dict[str, Allowance]:
        """What is left, by OpenAI's name of the resource; unlimited ones are absent."""
        named = {"requests": self._requests, "tokens": self._tokens}
        return {name: _allowance(bucket, now) for name, bucket in named.items() if bucket}


def _allowance(bucket: Bucket, now: float) -> Allowance:
    level = bucket.level(now)
    full_in_s = (bucket.rate.burst - level) / bucket.rate.per_s
    return Allowance(int(bucket.rate.burst), max(0, int(level)), full_in_s)
