"""Who gets a place on a replica, who waits for one, and who is sent away.

A thin asynchronous shell around `waiting.WaitingLine`: it gives places as the pool has room for them, wakes those whose
turn it is, and sends away those that waited too long. Work that moves from a failed replica never comes here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from serving.gateway.config import AdmissionConfig
from serving.gateway.errors import ApiError, Rejection, deadline_exceeded, invalid, rejected, unavailable
from serving.gateway.forecast import Forecast
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Job
from serving.gateway.replica import Lease
from serving.gateway.waiting import (
    Patience,
    Ticket,
    WaitingLine,
    has_nobody_to_wait_for,
    has_waited_enough,
    is_expired,
)

_LOOK_S = 0.05
_PLACE_RETRY_S = 1.0


class Load(Protocol):
    """What is read of a replica."""

    @property
    def outstanding_tokens(self) -> int: ...


class Places(Protocol):
    """What is asked of the pool."""

    def __iter__(self) -> Iterator[Load]: ...
    def has_room(self, job: Job) -> bool: ...
    def could_ever_fit(self, job: Job) -> bool: ...
    def any_up(self) -> bool: ...
    def acquire(self, job: Job) -> Lease | None: ...
    def on_change(self, tell: Callable[[], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """`monotonic` times requests, `unix` dates them; both in seconds."""

    monotonic: Callable[[], float]
    unix: Callable[[], float]


class Admission:
    """Gives places on replicas. Create it inside a running event loop."""

    def __init__(
        self, pool: Places, config: AdmissionConfig, metrics: GatewayMetrics, forecast: Forecast, *, clocks: Clocks
    ) -> None:
        self._pool = pool
        self._patience = Patience(config.queue_timeout_s, config.no_replica_wait_s)
        self._line = WaitingLine(config.max_queue)
        self._forecast = forecast
        self._metrics = metrics
        self._clocks = clocks
        self._arrivals = 0
        self._waiters: dict[Ticket, tuple[Job, asyncio.Future[Lease]]] = {}
        self._outage_since: float | None = None
        self._look: asyncio.TimerHandle | None = None
        self._serve_soon: asyncio.Handle | None = None
        metrics.queue_depth.set_function(lambda: float(len(self._line)))
        metrics.queue_tokens.set_function(lambda: float(self._line.tokens))
        metrics.predicted_ttft.set_function(self.predicted_ttft_s)
        pool.on_change(self._room_appeared)

    async def admit(self, job: Job) -> Lease:
        """A lease on a replica, at once or after a wait.

        Raises ApiError: 400 (it fits no replica), 429 (line full, shed for a better one, waited too long), 503 (no
        replica is up) or 504 (the client's deadline passed). A cancelled caller gives its place up.
        """
        if not self._pool.could_ever_fit(job):
            message = f"the prompt and max_tokens need {job.cost_tokens} tokens of KV cache, more than any replica has"
            raise invalid(message, param="max_tokens", code="context_length_exceeded")
        since = self._clocks.monotonic()
        if job.deadline_at is not None and self._clocks.unix() >= job.deadline_at:
            raise deadline_exceeded("queue")
        lease = self._take(job) if self._line.outranks_all(job.priority) else None
        if lease is None:
            lease = await self._wait(job, since)
        self._metrics.queue_seconds.observe(self._clocks.monotonic() - since)
        return lease

    def retry_after_s(self) -> int:
        """When all that is queued and outstanding should be done, seconds from now."""
        tokens = self._line.tokens + sum(replica.outstanding_tokens for replica in self._pool)
        return self._forecast.retry_after_s(self._clocks.monotonic(), tokens=tokens)

    def predicted_ttft_s(self) -> float:
        """First-token time for a request that arrives now at the lowest priority (formula: `Forecast.ttft_s`)."""
        now = self._clocks.monotonic()
        head = self._line.head
        return self._forecast.ttft_s(
            now,
            queued_tokens=self._line.tokens,
            head_age_s=now - head.since if head else 0.0,
            longest_s=self._patience.queue_timeout_s,
        )

    async def _wait(self, job: Job, since: float) -> Lease:
        ticket = self._ticket(job, since)
        place: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        loser = self._line.join(ticket)
        if loser is ticket:
            raise self._refused("the queue is full", "queue_full")
        self._waiters[ticket] = (job, place)
        if loser is not None:
            self._end(loser, self._refused("the queue is full and gave its place to a higher priority", "shed"))
        self._look_round()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                place.result().release()
            raise
        finally:
            self._line.leave(ticket)
            self._waiters.pop(ticket, None)

    def _ticket(self, job: Job, since: float) -> Ticket:
        self._arrivals += 1
        expires_at = None if job.deadline_at is None else since + job.deadline_at - self._clocks.unix()
        return Ticket(job.priority, self._arrivals, job.cost_tokens, since, expires_at)

    def _take(self, job: Job) -> Lease | None:
        return self._pool.acquire(job) if self._pool.has_room(job) else None

    def _room_appeared(self) -> None:
        """Called by the pool, in the midst of its own work: serve the line when it is done."""
        if self._serve_soon is None and self._line.head is not None:
            self._serve_soon = asyncio.get_running_loop().call_soon(self._serve)

    def _serve(self) -> None:
        self._serve_soon = None
        now = self._clocks.monotonic()
        while (ticket := self._line.head) is not None:
            if is_expired(ticket, now):
                self._end(ticket, deadline_exceeded("queue"))
                continue
            job, place = self._waiters[ticket]
            lease = None if place.done() else self._take(job)
            if lease is None and not place.done():
                return
            self._line.leave(ticket)
            if lease is not None:
                place.set_result(lease)

    def _look_round(self) -> None:
        """Send away who has waited enough, and look again while anybody waits."""
        if self._look is not None:
            self._look.cancel()
            self._look = None
        now = self._clocks.monotonic()
        if self._pool.any_up():
            self._outage_since = None
        elif self._outage_since is None:
            self._outage_since = now
        for ticket, error in self._overdue(now):
            self._end(ticket, error)
        self._serve()  # room may also appear by time alone
        if self._line.head is not None:
            self._look = asyncio.get_running_loop().call_later(_LOOK_S, self._look_round)
        else:
            self._outage_since = None

    def _overdue(self, now: float) -> Iterable[tuple[Ticket, ApiError]]:
        for ticket in self._line.tickets():
            if is_expired(ticket, now):
                yield ticket, deadline_exceeded("queue")
            elif has_nobody_to_wait_for(ticket, self._patience, now, outage_since=self._outage_since):
                yield ticket, _no_replica()
            elif has_waited_enough(ticket, self._patience, now):
                waited = f"no place became free within {self._patience.queue_timeout_s:g} s"
                yield ticket, self._refused(waited, "queue_timeout")

    def _end(self, ticket: Ticket, error: ApiError) -> None:
        self._line.leave(ticket)
        _, place = self._waiters[ticket]
        if not place.done():
            place.set_exception(error)

    def _refused(self, why: str, reason: Rejection) -> ApiError:
        return rejected(f"{why}: try again", reason=reason, code=reason, retry_after_s=self.retry_after_s())


def _no_replica() -> ApiError:
    return unavailable("no replica is healthy: try again", code="no_healthy_replica", retry_after_s=_PLACE_RETRY_S)
