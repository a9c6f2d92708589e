"""The waiting line in front of the replicas: bounded, ordered by (priority, arrival), and pure.

Strict order, no overtaking: a large job at the head is not passed by small ones that would fit, else it could wait for
ever. Equal priorities are first come, first served.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ticket:
    """A place in the line. Times are seconds of one monotonic clock; lower `priority` goes first.

    `number` grows with each arrival, so that no two tickets are equal. `expires_at` is the client's own deadline.
    """

    priority: int
    number: int
    tokens: int
    since: float
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a ticket may wait, seconds: at most, and while no replica is up at all."""

    queue_timeout_s: float
    no_replica_wait_s: float


def _rank(ticket: Ticket) -> tuple[int, int]:
    return ticket.priority, ticket.number


class WaitingLine:
    """At most `capacity` tickets, best first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._tickets: list[Ticket] = []
        self.tokens = 0

    def __len__(self) -> int:
        return len(self._tickets)

    def __contains__(self, ticket: Ticket) -> bool:
        return self._index(ticket) is not None

    @property
    def head(self) -> Ticket | None:
        """The next to be served."""
        return self._tickets[0] if self._tickets else None

    def tickets(self) -> tuple[Ticket, ...]:
        """All that wait, best first."""
        return tuple(self._tickets)

    def outranks_all(self, priority: int) -> bool:
        """Whether a job arriving now with `priority` would be the head."""
        return not self._tickets or priority < self._tickets[0].priority

    def join(self, ticket: Ticket) -> Ticket | None:
        """Let `ticket` wait. Returns who has no place in consequence: the worst of all when the line is full.

        That is `ticket` itself unless it is better than the last one: equals do not push each other out.
        """
        loser = None
        if len(self._tickets) >= self._capacity:
            loser = max([ticket, *self._tickets[-1:]], key=_rank)
            if loser is ticket:
                return ticket
            self.leave(loser)
        insort(self._tickets, ticket, key=_rank)
        self.tokens += ticket.tokens
        return loser

    def leave(self, ticket: Ticket) -> bool:
        """Give up a place; False when it has none."""
        index = self._index(ticket)
        if index is None:
            return False
        del self._tickets[index]
        self.tokens -= ticket.tokens
        return True

    def _index(self, ticket: Ticket) -> int | None:
        index = bisect_left(self._tickets, _rank(ticket), key=_rank)
        found = index < len(self._tickets) and self._tickets[index] == ticket
        return index if found else None


def is_expired(ticket: Ticket, now: float) -> bool:
    """Whether the client's own deadline has passed."""
    return ticket.expires_at is not None and now >= ticket.expires_at


def has_waited_enough(ticket: Ticket, patience: Patience, now: float) -> bool:
    return now - ticket.since >= patience.queue_timeout_s


def has_nobody_to_wait_for(ticket: Ticket, patience: Patience, now: float, *, outage_since: float | None) -> bool:
    """Whether no replica has been up since `outage_since` (None: one is up) for longer than is worth waiting."""
    return outage_since is not None and now - max(outage_since, ticket.since) >= patience.no_replica_wait_s
