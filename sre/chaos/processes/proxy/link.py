"""One direction of one connection: when what came in may go out. Pure: the time is passed in.

What a proxy sees of TCP is a stream of bytes: it can hold it back, never lose or reorder any of it. Hence

- latency and jitter shift segments, evenly from latency - jitter to latency + jitter; all behind a late one wait;
- bandwidth is a wire that is busy with one segment at a time;
- loss is what the receiver of a stream sees of it, silence until the retransmission: a segment is lost with
  `loss_ratio`, and each time it is, it comes one retransmission timeout later, 200 ms at first (Linux' minimum; RFC
  6298 section 2.4 asks for 1 s), doubled each time it is lost again (section 5.5), 60 s at most (section 2.5). Fast
  retransmission (RFC 5681) is left out: it needs three segments in flight behind the lost one, and a stream of tokens
  has one every few milliseconds. Bulk traffic suffers more here than it would from a real loss of that ratio;
- a partition holds everything, as retransmissions do: what was on its way arrives when it is over.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass

from sre.chaos.processes.proxy.rules import LinkRules

SEGMENT_BYTES = 1460  # what an Ethernet frame carries of a TCP stream over IPv4 without options
FIRST_RTO_S = 0.2
MOST_RTO_S = 60.0


@dataclass(slots=True)
class LinkCounts:
    """What happened so far in one direction, over all connections. `delayed_bytes` were held back for any reason."""

    bytes: int = 0
    delayed_bytes: int = 0
    throttled_bytes: int = 0
    held_bytes: int = 0
    segments: int = 0
    lost_segments: int = 0


class Link:
    """A queue of segments with the times at which they may leave. Times are seconds of one clock."""

    __slots__ = ("_counts", "_last_due", "_queue", "_random", "_wire_free", "queued_bytes", "rules")

    def __init__(self, rules: LinkRules, chance: random.Random, counts: LinkCounts) -> None:
        self.rules = rules
        self.queued_bytes = 0
        self._random = chance
        self._counts = counts
        self._queue: deque[tuple[float, bytes]] = deque()
        self._last_due = self._wire_free = float("-inf")

    @property
    def is_free(self) -> bool:
        """Nothing waits and nothing has to: bytes may pass by, and need only be counted."""
        return not self._queue and self.rules.is_transparent

    @property
    def is_empty(self) -> bool:
        return not self._queue

    def passed(self, size: int) -> None:
        """So many bytes went by without a stop."""
        self._counts.bytes += size

    def push(self, data: bytes, now: float) -> None:
        """These came in."""
        if self.rules.partition:
            self._counts.held_bytes += len(data)
        self.queued_bytes += len(data)
        self._admit(data, now)

    def take(self, now: float) -> bytes:
        """What may leave by now, in order; empty while nothing may."""
        if self.rules.partition or not self._queue:
            return b""
        leaving = []
        while self._queue and self._queue[0][0] <= now:
            leaving.append(self._queue.popleft()[1])
        data = b"".join(leaving)
        self.queued_bytes -= len(data)
        self._counts.bytes += len(data)
        return data

    def next_at(self) -> float | None:
        """When to ask again; None while nothing waits, or nothing may leave."""
        return self._queue[0][0] if self._queue and not self.rules.partition else None

    def retune(self, rules: LinkRules, now: float) -> None:
        """Other rules from now on; what waits is treated as if it had come in just now."""
        self.rules = rules
        waiting = b"".join(data for _, data in self._queue)
        self._queue.clear()
        self._last_due = self._wire_free = now
        self._admit(waiting, now)

    def _admit(self, data: bytes, now: float) -> None:
        for start in range(0, len(data), SEGMENT_BYTES):
            segment = data[start : start + SEGMENT_BYTES]
            due = self._due(len(segment), now)
            self._counts.segments += 1
            if due > now:
                self._counts.delayed_bytes += len(segment)
            self._queue.append((due, segment))

    def _due(self, size: int, now: float) -> float:
        rules, at = self.rules, now
        if rules.kbit_per_s:
            at = max(now, self._wire_free) + size * 8 / (rules.kbit_per_s * 1000)
            self._wire_free = at
            self._counts.throttled_bytes += size
        jitter_ms = self._random.uniform(-rules.jitter_ms, rules.jitter_ms) if rules.jitter_ms else 0.0
        late_s = max(0.0, rules.latency_ms + jitter_ms) / 1000 + self._retransmitting_s()
        self._last_due = max(self._last_due, at + late_s)
        return self._last_due

    def _retransmitting_s(self) -> float:
        waited_s, rto_s = 0.0, FIRST_RTO_S
        while self.rules.loss_ratio and self._random.random() < self.rules.loss_ratio:
            self._counts.lost_segments += 1
            waited_s += rto_s
            rto_s = min(2 * rto_s, MOST_RTO_S)
        return waited_s
