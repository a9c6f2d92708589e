"""The way in, for a worker's requests: the coordinator keeps gate, limits, waiting line and pool for all workers.

What `entrance` and `failover` are in a gateway of one process: `handler` and `generation` do not know which they have.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from serving.gateway.accounting import Account
from serving.gateway.errors import ReplicaFailed
from serving.gateway.front import Page
from serving.gateway.generation import NoPlace, Tried
from serving.gateway.model import Job
from serving.gateway.ratelimit import Allowance
from serving.gateway.replica import Lease
from serving.gateway.tenants import Tenant, Tenants
from serving.gateway.workers.messages import (
    Admit,
    Allowances,
    AskPage,
    Elsewhere,
    Enter,
    Entered,
    Granted,
    Leave,
    Message,
    Paged,
    Refused,
    Spare,
    Unplaced,
    allowances_of,
    error_of,
)
from serving.gateway.workers.mirror import Mirror

_PAGE_TIMEOUT_S = 5.0


class _Call:
    """A question that is not answered yet."""

    __slots__ = ("answer", "job", "tenant", "visit")

    def __init__(self, visit: RemoteEntry | None = None, tenant: str = "", job: Job | None = None) -> None:
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.visit = visit
        self.tenant = tenant
        self.job = job


class RemoteEntrance:
    """`send` speaks to the coordinator, whose answers are handed to `hear`. Who a key belongs to is known here."""

    def __init__(self, tenants: Sequence[Tenant], mirror: Mirror, send: Callable[[Message], None]) -> None:
        self._tenants = Tenants(tenants) if tenants else None
        self._allowances: dict[str, Allowances] = {}
        self._calls: dict[int, _Call] = {}
        self._numbers = itertools.count(1)
        self.mirror = mirror
        self.send = send
        self.by_text = False
        """Some replica goes on from text alone; kept by whoever hears which there are."""

    def identify(self, headers: Mapping[str, str]) -> Tenant | None:
        """Whose request it is. Raises ApiError 401."""
        return self._tenants.authenticate(headers.get("Authorization")) if self._tenants else None

    def allowances(self, tenant: Tenant | None) -> Mapping[str, Allowance]:
        """As the coordinator last said: with its answer to this request, or to a later one."""
        return allowances_of(self._allowances.get(tenant.name, {})) if tenant else {}

    async def enter(self, tenant: Tenant | None, *, body_is_here: bool) -> RemoteEntry:
        """A place for one request. Raises ApiError, maybe only when it is to be admitted.

        A body that is here already costs no memory that could be saved: then the two questions travel together.
        """
        visit = next(self._numbers)
        name = tenant.name if tenant else ""
        entered = self.question(_Call(tenant=name), lambda call: Enter(call, visit, name))
        entry = RemoteEntry(self, visit, name, entered)
        if not body_is_here:
            try:
                await entry.entered()
            except BaseException:
                entry.leave(0)
                raise
        return entry

    async def page(self, path: str, accept: str) -> Page:
        """A page about the whole gateway."""
        try:
            async with asyncio.timeout(_PAGE_TIMEOUT_S):
                page: Page = await self.question(_Call(), lambda call: AskPage(call, path, accept))
        except TimeoutError:
            return Page.of({"error": "the gateway's coordinator does not answer"}, status=503)
        return page

    def question(self, call: _Call, message: Callable[[int], Message]) -> asyncio.Future[Any]:
        """Ask the coordinator. Its answer is an ApiError when it refuses."""
        number = next(self._numbers)
        self._calls[number] = call
        call.answer.add_done_callback(lambda _: self._calls.pop(number))
        self.send(message(number))
        return call.answer

    def hear(self, message: Message) -> None:
        """An answer. Nobody may wait for it any more: then the visit is over, or will be, and gives up what it got."""
        call = self._calls.get(message[0])
        if call is None or call.answer.done():
            return
        match message:
            case Entered(_, allowances):
                self._allowances[call.tenant] = allowances
                call.answer.set_result(None)
            case Granted():
                self._allowances[call.tenant] = message.allowances
                call.answer.set_result(self._lease(call, message))
            case Refused(_, fault, allowances):
                self._allowances[call.tenant] = allowances
                call.answer.set_exception(error_of(fault))
            case Unplaced(_, why):
                call.answer.set_result(why)
            case Paged(_, status, content_type, body):
                call.answer.set_result(Page(status, content_type, body))

    def _lease(self, call: _Call, granted: Granted) -> Lease:
        """At once, not when the asker's turn comes: that it is lost may be the next message."""
        if call.visit is None or call.job is None:
            raise RuntimeError("a lease was given to a question that asked for none")
        lease = self.mirror.lease(granted, call.job)
        call.visit.leases.append(lease)
        return lease


class RemoteEntry:
    """One request inside, and where it goes when a replica fails it."""

    __slots__ = ("_entered", "_entrance", "_tenant", "_visit", "leases")

    def __init__(self, entrance: RemoteEntrance, visit: int, tenant: str, entered: asyncio.Future[Any]) -> None:
        self._entrance = entrance
        self._visit = visit
        self._tenant = tenant
        self._entered = entered
        self.leases: list[Lease] = []

    @property
    def by_text(self) -> bool:
        return self._entrance.by_text

    async def entered(self) -> None:
        """Return when the place is given. Raises ApiError when it is not."""
        await self._entered

    @property
    def failover(self) -> RemoteEntry:
        return self

    async def admit(self, job: Job, key: Account, *, stream: bool) -> Lease:
        """Charge the tenant and wait for a place on a replica. Raises ApiError."""

        def question(call: int) -> Admit:
            return Admit(
                call,
                self._visit,
                job.prompt_tokens_estimate,
                job.max_tokens,
                job.priority,
                job.deadline_at,
                job.prefix,
                job.fingerprint,
                stream,
            )

        admitted = self._ask(job, question)
        try:
            await self.entered()
        except BaseException:
            _forget(admitted)
            raise
        lease: Lease = await admitted
        return lease

    async def elsewhere(self, job: Job, tried: Tried, *, until: float, free: bool) -> Lease | NoPlace:
        def question(call: int) -> Elsewhere:
            return Elsewhere(call, self._visit, tried.lives, tuple(tried.erred), until, free)

        place: Lease | NoPlace = await self._ask(job, question)
        return place

    async def spare(self, job: Job, tried: Tried) -> Lease | None:
        lease: Lease | None = await self._ask(
            job, lambda call: Spare(call, self._visit, tried.lives, tuple(tried.erred))
        )
        return lease

    def report(self, lease: Lease, failure: ReplicaFailed) -> None:
        self._entrance.mirror.report(lease, failure)

    def see_out(self, ending: Coroutine[Any, Any, None]) -> None:
        self._entrance.mirror.endings.see_out(ending)

    def leave(self, used_tokens: int) -> None:
        """It is over. A lease that nobody took, because its asker was cancelled, goes back with it."""
        _forget(self._entered)  # it may have been refused while the body was found to be invalid
        for lease in self.leases:
            lease.release()
        self._entrance.send(Leave(self._visit, used_tokens))

    def _ask(self, job: Job, question: Callable[[int], Message]) -> asyncio.Future[Any]:
        return self._entrance.question(_Call(self, self._tenant, job), question)


def _forget(answer: asyncio.Future[Any]) -> None:
    """Nobody waits for it; a refusal that came already counts as seen."""
    if not answer.cancel() and not answer.cancelled():
        answer.exception()
