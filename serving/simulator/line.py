"""Who waits in front of the replicas, and until when: the gateway's own waiting line with exact ends of patience.

The live gateway looks for the overdue each 50 ms; here everybody ends at the very moment. Whoever came first runs out
of patience first, whatever the priorities, so the next end is known without a search.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

from serving.gateway.config import AdmissionConfig
from serving.gateway.waiting import Ticket, WaitingLine
from serving.simulator.flight import Flight
from serving.simulator.model import NS

Refusal = Literal["queue_full", "queue_timeout", "shed", "no_replica"]


class Line:
    """`refuse(flight, ended_ns, why)` is told of each that waited for nothing."""

    def __init__(self, config: AdmissionConfig, refuse: Callable[[Flight, int, Refusal], None]) -> None:
        self._line = WaitingLine(config.max_queue)
        self.patience_s = config.queue_timeout_s
        self._patience_ns = round(config.queue_timeout_s * NS)
        self._outage_patience_ns = round(config.no_replica_wait_s * NS)
        self._refuse = refuse
        self._flights: dict[int, Flight] = {}  # by the number of their ticket
        self._by_age: deque[Flight] = deque()
        self._numbers = 0
        self._outage_since_ns: int | None = 0

    def __len__(self) -> int:
        return len(self._line)

    @property
    def tokens(self) -> int:
        """The most that all of it can occupy."""
        return self._line.tokens

    @property
    def head(self) -> Flight | None:
        ticket = self._line.head
        return None if ticket is None else self._flights[ticket.number]

    def head_age_ns(self, now_ns: int) -> int:
        """How long the next to be served has waited."""
        head = self.head
        return 0 if head is None else now_ns - head.since_ns

    def outranks_all(self, priority: int) -> bool:
        return self._line.outranks_all(priority)

    def join(self, flight: Flight, now_ns: int) -> None:
        """Let it wait; a full line sends its worst away."""
        self._numbers += 1
        ticket = flight.ticket = Ticket(flight.priority, self._numbers, flight.cost, flight.since_ns / NS)
        loser = self._line.join(ticket)
        if loser is ticket:
            flight.ticket = None
            self._refuse(flight, now_ns, "queue_full")
            return
        self._flights[ticket.number] = flight
        self._by_age.append(flight)
        if loser is not None:
            worst = self._flights.pop(loser.number)
            worst.ticket = None
            self._refuse(worst, now_ns, "shed")

    def leave(self, flight: Flight) -> None:
        """It has its place."""
        if flight.ticket is not None:
            self._line.leave(flight.ticket)
            del self._flights[flight.ticket.number]
            flight.ticket = None

    def no_replica_since(self, now_ns: int | None) -> None:
        """No replica takes work from then on, or since before; None: one does again."""
        if now_ns is None or self._outage_since_ns is None:
            self._outage_since_ns = now_ns

    def expire(self, now_ns: int | None) -> None:
        """Send away who has waited enough by `now_ns`; None: all, each at its own end."""
        by_age = self._by_age
        while by_age:
            flight = by_age[0]
            if flight.ticket is not None:
                ends_ns, why = self._end_of(flight)
                if now_ns is not None and ends_ns > now_ns:
                    return
                self.leave(flight)
                self._refuse(flight, ends_ns, why)
            by_age.popleft()

    def _end_of(self, flight: Flight) -> tuple[int, Refusal]:
        """When its patience ends, and with which of its two kinds."""
        ends_ns = flight.since_ns + self._patience_ns
        if self._outage_since_ns is None:
            return ends_ns, "queue_timeout"
        outage_ns = max(self._outage_since_ns, flight.since_ns) + self._outage_patience_ns
        return (outage_ns, "no_replica") if outage_ns <= ends_ns else (ends_ns, "queue_timeout")
