"""One worker's business with the core: its requests, its questions, its leases. All of it is given back when it dies.

A request whose worker died is counted here, as its client saw it: cut, or failed.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from serving.gateway.accounting import Account
from serving.gateway.core import CLOCKS, Core
from serving.gateway.entrance import Entry
from serving.gateway.errors import ApiError, ReplicaFailed, unavailable
from serving.gateway.generation import NoPlace, Tried
from serving.gateway.model import Job
from serving.gateway.replica import Lease, Moved
from serving.gateway.tenants import Tenant
from serving.gateway.workers.messages import (
    Admit,
    Elsewhere,
    Enter,
    Entered,
    Failed,
    Granted,
    Leave,
    Lost,
    Message,
    Progress,
    Refused,
    Release,
    Report,
    Spare,
    Unplaced,
    fault_of,
    plain,
)

_ON_TIME_S = 0.1
"""A worker that has said nothing for longer is late itself: what its leases wait is not the replicas' silence then."""

_Work = Callable[[], Awaitable[Lease | NoPlace | None]]


@dataclass(slots=True, eq=False)
class _Guest:
    """One request of the worker's. `pieces` is what was told of its answer."""

    entry: Entry
    tenant: Tenant | None
    since: float
    job: Job | None = None
    stream: bool = False
    pieces: int = 0
    leases: set[int] = field(default_factory=set)
    questions: set[asyncio.Task[None]] = field(default_factory=set)


@dataclass(slots=True)
class _Held:
    """A lease the worker has. `told` is the last loss it heard of; `silence_s` its wait when the worker fell late."""

    lease: Lease
    guest: _Guest
    waiting: bool = False
    told: ReplicaFailed | None = None
    silence_s: float = 0.0


class Desk:
    """`send` speaks to the worker."""

    def __init__(self, core: Core, send: Callable[[Message], None]) -> None:
        self._core = core
        self._send = send
        self._tenants = {tenant.name: tenant for tenant in core.tenants}
        self._guests: dict[int, _Guest] = {}
        self._held: dict[int, _Held] = {}
        self._numbers = itertools.count(1)
        self._heard_at = CLOCKS.monotonic()
        self._is_late = False

    def __len__(self) -> int:
        """Requests the worker has."""
        return len(self._guests)

    def hear(self, message: Message) -> None:
        """A message of the worker's that is about requests."""
        self._on_time()
        match message:
            case Report(_, progress, changes):
                self._report([Progress(*entry) for entry in progress], changes)
            case Progress():
                self._report([message], ())
            case Enter():
                self._enter(message)
            case Admit() if message.visit in self._guests:  # else it was refused a moment ago
                self._admit(message)
            case Elsewhere():
                self._elsewhere(message)
            case Spare():
                self._spare(message)
            case Failed(number, reason, detail) if number in self._held:
                self._core.pool.report(self._held[number].lease, ReplicaFailed(reason, detail))
            case Release(number):
                self._release(number)
            case Leave(visit, used_tokens) if visit in self._guests:
                self._leave(visit, used_tokens)

    def close(self) -> int:
        """The worker is dead. Returns how many requests died with it."""
        now = CLOCKS.monotonic()
        lost = list(self._guests.items())
        for visit, guest in lost:
            account = Account(self._core.metrics, guest.since)
            account.tenant = guest.tenant.name if guest.tenant else ""
            account.tokens = guest.pieces
            account.close_usage(guest.job.prompt_tokens_estimate if guest.job else 0)
            account.settle("truncated" if guest.stream and guest.pieces else "error", now)
            self._leave(visit, account.prompt_tokens + account.tokens)
        return len(lost)

    # requests

    def _enter(self, message: Enter) -> None:
        tenant = self._tenants.get(message.tenant)
        try:
            entry = self._core.entrance.open(tenant)
        except ApiError as error:
            self._refuse(message.call, tenant, error)
            return
        self._guests[message.visit] = _Guest(entry, tenant, CLOCKS.monotonic())
        self._send(Entered(message.call, plain(self._core.gate.allowances(tenant))))

    def _admit(self, message: Admit) -> None:
        guest = self._guests[message.visit]
        guest.stream = message.stream
        guest.job = Job(
            "",
            self._core.config.model,
            "",
            {},
            message.max_tokens,
            message.prompt_tokens,
            priority=message.priority,
            tenant=guest.tenant.name if guest.tenant else "",
            deadline_at=message.deadline_at,
            prefix=tuple(message.prefix),
            fingerprint=message.fingerprint,
        )
        job, stream = guest.job, message.stream
        self._ask(message.call, guest, lambda: guest.entry.admit(job, guest, stream=stream))

    def _elsewhere(self, message: Elsewhere) -> None:
        guest = self._guests[message.visit]
        tried = Tried(message.lives, frozenset(message.erred))
        failover = self._core.entrance.failover
        job, until, free = _job_of(guest), message.until, message.free
        self._ask(message.call, guest, lambda: failover.elsewhere(job, tried, until=until, free=free))

    def _spare(self, message: Spare) -> None:
        guest = self._guests[message.visit]
        tried = Tried(message.lives, frozenset(message.erred))
        job, failover = _job_of(guest), self._core.entrance.failover
        self._ask(message.call, guest, lambda: failover.spare(job, tried))

    def _leave(self, visit: int, used_tokens: int) -> None:
        guest = self._guests.pop(visit)
        for question in guest.questions:
            question.cancel()
        for number in list(guest.leases):
            self._release(number)
        guest.entry.leave(used_tokens)

    def _ask(self, call: int, guest: _Guest, work: _Work) -> None:
        """Answer when the work is done: the worker goes on asking meanwhile."""
        question = asyncio.create_task(self._answer(call, guest, work))
        guest.questions.add(question)
        question.add_done_callback(guest.questions.discard)

    async def _answer(self, call: int, guest: _Guest, work: _Work) -> None:
        try:
            place = await work()
        except ApiError as error:
            self._refuse(call, guest.tenant, error)
        except Exception:  # the boundary: a bug must not end without an answer and a log line
            logging.getLogger("serving.gateway").exception("internal_error")
            self._refuse(call, guest.tenant, unavailable("internal error", status=500, code="internal_error"))
        else:
            if isinstance(place, Lease):
                self._grant(call, guest, place)
            else:
                self._send(Unplaced(call, place))

    def _refuse(self, call: int, tenant: Tenant | None, error: ApiError) -> None:
        self._send(Refused(call, fault_of(error), plain(self._core.gate.allowances(tenant))))

    # leases

    def _grant(self, call: int, guest: _Guest, lease: Lease) -> None:
        number = next(self._numbers)
        self._held[number] = _Held(lease, guest)
        guest.leases.add(number)
        config = lease.replica.config
        replica = {"name": config.name, "grpc_address": config.grpc_address, "url": config.url}
        allowances = plain(self._core.gate.allowances(guest.tenant))
        self._send(Granted(call, number, replica, lease.life, lease.opened_at, allowances))
        lease.on_lost = lambda failure: self._lost(number, failure)
        if lease.lost is not None:  # between the choice and this turn of the loop
            self._lost(number, lease.lost)

    def _lost(self, number: int, failure: ReplicaFailed) -> None:
        """The pool says it again and again; the worker is told once."""
        held = self._held[number]
        if held.told is not failure:
            held.told = failure
            self._send(Lost(number, isinstance(failure, Moved), failure.reason, failure.detail))

    def _release(self, number: int) -> None:
        held = self._held.pop(number, None)
        if held is not None:
            held.guest.leases.discard(number)
            held.lease.on_lost = None
            held.lease.release()

    # progress

    def _report(self, progress: list[Progress], changes: Any) -> None:
        """First pieces in the order they came: what a prefill took is measured from the one before."""
        for entry in sorted(progress, key=lambda entry: entry.first_at):
            held = self._held.get(entry.lease)
            if held is not None:
                self._progress(held, entry)
        if changes:
            metrics = self._core.metrics
            before = metrics.generation_tokens.value + metrics.prompt_tokens.value
            metrics.ledger.add(changes)
            grown = metrics.generation_tokens.value + metrics.prompt_tokens.value - before
            self._core.forecast.rate.add(int(grown), CLOCKS.monotonic())

    def _progress(self, held: _Held, entry: Progress) -> None:
        lease = held.lease
        lease.first_due_at = entry.first_due_at
        lease.prefill_tokens = entry.prefill_tokens
        held.waiting = lease.waiting = entry.waiting
        if entry.pieces > lease.pieces:
            if not held.guest.pieces:
                self._core.forecast.first_tokens.arrived(held.guest, entry.first_at)
            held.guest.pieces += entry.pieces - lease.pieces
            lease.pieces_came(entry.pieces, entry.first_at, entry.last_at)

    def look(self, now: float) -> None:
        """At a beat: is the worker itself late? Then its leases count as not waiting until it is heard again."""
        if self._is_late or now - self._heard_at <= _ON_TIME_S:
            return
        self._is_late = True
        for held in self._held.values():
            held.silence_s = now - held.lease.waiting_from
            held.lease.waiting = False

    def _on_time(self) -> None:
        """It is heard, and what its leases had waited before it fell late counts again."""
        now = self._heard_at = CLOCKS.monotonic()
        if not self._is_late:
            return
        self._is_late = False
        for held in self._held.values():
            held.lease.waiting = held.waiting
            held.lease.waiting_from = now - held.silence_s


def _job_of(guest: _Guest) -> Job:
    if guest.job is None:
        raise RuntimeError("a place elsewhere was asked for before the first one")
    return guest.job
