"""A bad network between the gateway and one replica, as a fault proxy in the way makes it.

A proxy holds bytes back and never loses or reorders any: latency, jitter and bandwidth shift what passes, a loss is
the silence until its retransmission (200 ms at first, doubled each time, RFC 6298), a cut holds all until it is over.
Messages stand for segments here: one token, one request.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable

from serving.rehearsal.model import NetworkRules

SEGMENT_BYTES = 1460
_FIRST_RTO_S = 0.2
_MOST_RTO_S = 60.0
_BITS = 8
NO_RULES = NetworkRules()


class Line:
    """One direction of one connection."""

    def __init__(self, rules: NetworkRules, chance: random.Random) -> None:
        self._loop = asyncio.get_running_loop()
        self._rules = rules
        self._chance = chance
        self._queue: deque[tuple[float, int, Callable[[], None]]] = deque()
        self._free_at = self._last_due = -math.inf
        self._timer: asyncio.TimerHandle | None = None

    def push(self, size_bytes: int, arrive: Callable[[], None], *, after_s: float) -> None:
        """Call `arrive` when the message has come through; `after_s` is what the way takes without any fault."""
        self._admit(size_bytes, arrive, self._loop.time() + after_s)
        self._set_timer()

    def retune(self, rules: NetworkRules) -> None:
        """Other rules from now on; what waits is treated as if it had come in just now."""
        waiting, now = list(self._queue), self._loop.time()
        self._queue.clear()
        self._rules = rules
        self._free_at = self._last_due = now
        for _, size, arrive in waiting:
            self._admit(size, arrive, now)
        self._set_timer()

    def clear(self) -> None:
        """The connection is gone, with all that is on its way."""
        self._queue.clear()
        self._set_timer()

    def _admit(self, size: int, arrive: Callable[[], None], at: float) -> None:
        rules = self._rules
        if rules.bandwidth_bps:
            at = self._free_at = max(at, self._free_at) + size * _BITS / rules.bandwidth_bps
        late_s = max(0.0, rules.delay_s + self._chance.uniform(-rules.jitter_s, rules.jitter_s))
        segments = math.ceil(size / SEGMENT_BYTES)
        late_s += sum(self._retransmitting_s() for _ in range(segments if rules.loss_ratio else 0))
        self._last_due = max(self._last_due, at + late_s)
        self._queue.append((self._last_due, size, arrive))

    def _retransmitting_s(self) -> float:
        waited_s, rto_s = 0.0, _FIRST_RTO_S
        while self._chance.random() < self._rules.loss_ratio:
            waited_s += rto_s
            rto_s = min(2 * rto_s, _MOST_RTO_S)
        return waited_s

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue and not self._rules.cut:
            self._timer = self._loop.call_at(self._queue[0][0], self._leave)

    def _leave(self) -> None:
        self._timer = None
        now = self._loop.time()
        while self._queue and not self._rules.cut and self._queue[0][0] <= now:
            _, _, arrive = self._queue.popleft()
            arrive()
        self._set_timer()


class Proxy:
    """Stands in front of one replica, transparent until it is given rules; `accepted` counts the connections made."""

    def __init__(self) -> None:
        self.rules = NO_RULES
        self.accepted = 0
        self._told: list[Callable[[NetworkRules], None]] = []

    def arm(self, rules: NetworkRules) -> None:
        self.rules = rules
        for tell in self._told:
            tell(rules)

    def connect(self, tell: Callable[[NetworkRules], None]) -> None:
        """A connection is made; it is told of other rules."""
        self.accepted += 1
        self._told.append(tell)

    def disconnect(self, tell: Callable[[NetworkRules], None]) -> None:
        self._told = [known for known in self._told if known != tell]


def one_way(rules: NetworkRules, way: str) -> NetworkRules:
    """The rules as far as they hold for this way."""
    return rules if rules.direction in ("both", way) else NO_RULES
