"""The two generation routes: who asks, what for, may it now, and where; each request is counted and logged once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from typing import Protocol

from aiohttp import web

from serving.gateway.accounting import Account
from serving.gateway.admission import Clocks
from serving.gateway.api import Caller, Order, Rules, parse_order
from serving.gateway.config import GatewayConfig
from serving.gateway.delivery import Delivery, Terms
from serving.gateway.errors import ApiError
from serving.gateway.exchange import Exchange, HttpExchange
from serving.gateway.forecast import Forecast
from serving.gateway.generation import Failover, Generation, Limits
from serving.gateway.headers import client_request_id, timeout_s, traceparent
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Job, Outcome
from serving.gateway.ratelimit import Allowance
from serving.gateway.replica import Lease
from serving.gateway.sse import Api, Reply
from serving.gateway.tenants import Tenant
from serving.gateway.tracing import NoTracing, Tracing
from serving.gateway.visit import Visit, operation_of

__all__ = ["Clocks", "GenerationHandler"]


def _random_id() -> str:
    return uuid.uuid4().hex


class Entry(Protocol):
    """One request inside the gateway: what `entrance.Entry` and `workers.remote.RemoteEntry` offer."""

    @property
    def by_text(self) -> bool: ...
    @property
    def failover(self) -> Failover: ...
    async def admit(self, job: Job, key: Account, *, stream: bool) -> Lease: ...
    def leave(self, used_tokens: int) -> None: ...


class Entrance(Protocol):
    """The way in, wherever the limits are kept that hold for all requests."""

    def identify(self, headers: Mapping[str, str]) -> Tenant | None: ...
    def allowances(self, tenant: Tenant | None) -> Mapping[str, Allowance]: ...
    async def enter(self, tenant: Tenant | None, *, body_is_here: bool) -> Entry: ...


class GenerationHandler:
    """Serves both APIs. `closing` says that the grace of a drain is over.

    `forecast` is where accounts tell how fast tokens come, when it is kept in this process. `new_id` names requests.
    """

    def __init__(
        self,
        config: GatewayConfig,
        entrance: Entrance,
        metrics: GatewayMetrics,
        clocks: Clocks,
        *,
        forecast: Forecast | None = None,
        tracing: Tracing | None = None,
        new_id: Callable[[], str] = _random_id,
    ) -> None:
        self._config = config
        self._rules = Rules.of(config)
        self._openai_rules = self._rules.for_openai()
        self._limits = Limits.of(config)
        self._entrance = entrance
        self._metrics = metrics
        self._clocks = clocks
        self._tracing = tracing or NoTracing()
        self._forecast = forecast
        self._new_id = new_id
        self.closing = False

    def authenticate(self, headers: Mapping[str, str]) -> None:
        """Raises ApiError 401 when tenants are configured and the request has no key of theirs."""
        self._entrance.identify(headers)

    async def completions(self, http: web.Request) -> web.StreamResponse:
        return await self._over_http(http, "completion")

    async def chat(self, http: web.Request) -> web.StreamResponse:
        return await self._over_http(http, "chat")

    async def _over_http(self, http: web.Request, api: Api) -> web.StreamResponse:
        exchange = HttpExchange(http, self.account(), self._config, self._clocks.monotonic)
        await self.serve(exchange, api)
        return exchange.response

    def account(self) -> Account:
        """The account of a request that arrives now."""
        return Account(self._metrics, self._clocks.monotonic(), self._forecast)

    async def serve(self, client: Exchange, api: Api) -> None:
        """One request from arrival to end. Raises only what cuts it: a cancellation, a ConnectionError, or a bug."""
        visit, account = self._arrival(client, api), client.account
        try:
            await self._answer(client, visit)
        except ApiError as error:
            visit.error = error
            self._count(error, account)
            client.refuse(error, visit.headers())
        except (asyncio.CancelledError, ConnectionError):
            account.settle(self._outcome_of_cut(visit), self._clocks.monotonic())
            raise
        finally:
            now = self._clocks.monotonic()
            account.settle("error", now)  # whatever nobody thought of is our failure
            visit.close(now)

    def _arrival(self, client: Exchange, api: Api) -> Visit:
        return Visit(
            self._new_id(),
            client_request_id(client.headers),
            api,
            client.account,
            self._tracing.request(f"{operation_of(api)} {self._rules.model}", traceparent(client.headers)),
            self._entrance.allowances,
        )

    async def _answer(self, client: Exchange, visit: Visit) -> None:
        visit.tenant = tenant = self._entrance.identify(client.headers)
        visit.account.tenant = tenant.name if tenant else ""
        limit_s = timeout_s(client.headers)
        deadline_at = None if limit_s is None else self._clocks.unix() + limit_s
        entry = await self._entrance.enter(tenant, body_is_here=client.body_is_here)
        try:
            caller = Caller(visit.request_id, tenant, deadline_at, visit.span.traceparent)
            body = await client.body()
            rules = self._openai_rules if entry.by_text else self._rules
            order = parse_order(body, api=visit.api, caller=caller, rules=rules)
            visit.job, visit.stream = order.job, order.stream
            await self._generate(client, order, visit, entry, limit_s)
        finally:
            entry.leave(visit.account.prompt_tokens + visit.account.tokens)

    async def _generate(
        self, client: Exchange, order: Order, visit: Visit, entry: Entry, limit_s: float | None
    ) -> None:
        clock, account, job = self._clocks.monotonic, visit.account, order.job
        queued_at = clock()
        with visit.span.queue():
            lease = await entry.admit(job, account, stream=order.stream)
        visit.queued_s = clock() - queued_at
        generation = Generation(job, lease, entry.failover, self._limits, self._metrics, tried=visit.tried, clock=clock)
        reply = Reply(order.api, job.request_id, int(self._clocks.unix()), job.model)
        deadline_at = None if limit_s is None else account.accepted_at + limit_s
        delivery = Delivery(client, reply, generation, account, Terms(visit.headers, deadline_at), clock)
        try:
            await (delivery.stream(include_usage=order.include_usage) if order.stream else delivery.whole())
        finally:
            account.close_usage(job.prompt_tokens_estimate)
            generation.close()

    def _count(self, error: ApiError, account: Account) -> None:
        if error.rejection is not None:
            self._metrics.rejections[error.rejection].inc()
        if error.expired is not None:
            account.expired(error.expired)
        account.settle(error.outcome, self._clocks.monotonic())

    def _outcome_of_cut(self, visit: Visit) -> Outcome:
        """The handler was cancelled: the client went away or, at the end of a drain, we could not wait any longer."""
        if not self.closing:
            return "cancelled"
        return "truncated" if visit.stream and visit.account.tokens else "error"
