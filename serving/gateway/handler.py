"""The two generation routes: who asks, what for, may it now, and where; each request is counted and logged once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence

from aiohttp import web

from serving.gateway.accounting import Account
from serving.gateway.admission import Admission, Clocks
from serving.gateway.api import Caller, Order, Rules, parse_order
from serving.gateway.config import GatewayConfig
from serving.gateway.delivery import Delivery, Terms, error_response
from serving.gateway.errors import ApiError, invalid
from serving.gateway.forecast import Forecast
from serving.gateway.gate import Gate
from serving.gateway.generation import Generation, Limits
from serving.gateway.headers import client_request_id, timeout_s, traceparent
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Outcome
from serving.gateway.pool import Pool
from serving.gateway.sse import Api, Reply
from serving.gateway.tenants import Tenant
from serving.gateway.tracing import NoTracing, Tracing
from serving.gateway.visit import Visit, operation_of

__all__ = ["Clocks", "GenerationHandler"]


class GenerationHandler:
    """Serves both APIs. While `draining`, new work is refused and what runs may finish; `closing` ends that grace."""

    def __init__(
        self,
        config: GatewayConfig,
        pool: Pool,
        metrics: GatewayMetrics,
        clocks: Clocks,
        *,
        tenants: Sequence[Tenant] = (),
        tracing: Tracing | None = None,
    ) -> None:
        self._config = config
        self._rules = Rules.of(config)
        self._openai_rules = self._rules.for_openai()
        self._limits = Limits.of(config)
        self._pool = pool
        self._metrics = metrics
        self._clocks = clocks
        self._tracing = tracing or NoTracing()
        self._forecast = Forecast(clocks.monotonic())
        self._admission = Admission(pool, config.admission, metrics, self._forecast, clocks=clocks)
        self._gate = Gate(
            tenants,
            max_inflight=config.max_inflight,
            retry_after_s=self._admission.retry_after_s,
            metrics=metrics,
            clock=clocks.monotonic,
        )
        self.closing = False

    @property
    def inflight(self) -> int:
        """Requests that are waiting or running."""
        return self._gate.inflight

    @property
    def draining(self) -> bool:
        return self._gate.draining

    @draining.setter
    def draining(self, value: bool) -> None:
        self._gate.draining = value

    def authenticate(self, headers: Mapping[str, str]) -> None:
        """Raises ApiError 401 when tenants are configured and the request has no key of theirs."""
        self._gate.identify(headers)

    async def completions(self, http: web.Request) -> web.StreamResponse:
        return await self._serve(http, "completion")

    async def chat(self, http: web.Request) -> web.StreamResponse:
        return await self._serve(http, "chat")

    async def _serve(self, http: web.Request, api: Api) -> web.StreamResponse:
        visit = self._arrival(http, api)
        account = visit.account
        try:
            return await self._answer(http, visit)
        except ApiError as error:
            visit.error = error
            self._count(error, account)
            return error_response(error, visit.headers())
        except (asyncio.CancelledError, ConnectionError):
            account.settle(self._outcome_of_cut(visit), self._clocks.monotonic())
            raise
        finally:
            now = self._clocks.monotonic()
            account.settle("error", now)  # whatever nobody thought of is our failure
            visit.close(now)

    def _arrival(self, http: web.Request, api: Api) -> Visit:
        return Visit(
            uuid.uuid4().hex,
            client_request_id(http.headers),
            api,
            Account(self._metrics, self._clocks.monotonic(), self._forecast),
            self._tracing.request(f"{operation_of(api)} {self._rules.model}", traceparent(http.headers)),
            self._gate.allowances,
        )

    async def _answer(self, http: web.Request, visit: Visit) -> web.StreamResponse:
        visit.tenant = tenant = self._gate.identify(http.headers)
        visit.account.tenant = tenant.name if tenant else ""
        limit_s = timeout_s(http.headers)
        deadline_at = None if limit_s is None else self._clocks.unix() + limit_s
        with self._gate.place(tenant):
            caller = Caller(visit.request_id, tenant, deadline_at, visit.span.traceparent)
            order = parse_order(await self._read_body(http), api=visit.api, caller=caller, rules=self._rules_now())
            visit.job, visit.stream = order.job, order.stream
            with self._gate.charge(tenant, order.job, visit.account):
                return await self._generate(http, order, visit, limit_s)

    def _rules_now(self) -> Rules:
        """Replicas come and go, and with them what can be promised."""
        return self._rules if all(replica.config.url is None for replica in self._pool) else self._openai_rules

    async def _read_body(self, http: web.Request) -> bytes:
        try:
            async with asyncio.timeout(self._config.body_timeout_s):
                return await http.read()
        except TimeoutError as error:
            raise invalid("the body did not arrive in time", status=408) from error
        except web.HTTPRequestEntityTooLarge as error:
            message = f"the body is larger than {self._config.max_body_bytes} bytes"
            raise invalid(message, status=413, code="request_too_large") from error
        except web.RequestPayloadError as error:
            raise invalid("the body cannot be decoded: check Content-Encoding and Transfer-Encoding") from error

    async def _generate(
        self, http: web.Request, order: Order, visit: Visit, limit_s: float | None
    ) -> web.StreamResponse:
        clock, account, job = self._clocks.monotonic, visit.account, order.job
        queued_at = clock()
        with visit.span.queue():
            lease = await self._admission.admit(job)
        begun_at = clock()
        visit.queued_s = begun_at - queued_at
        self._forecast.begin(account, begun_at)
        generation = Generation(job, lease, self._pool, self._limits, self._metrics, tried=visit.tried, clock=clock)
        reply = Reply(order.api, job.request_id, int(self._clocks.unix()), job.model)
        deadline_at = None if limit_s is None else account.accepted_at + limit_s
        terms = Terms(visit.headers, self._config.write_timeout_s, deadline_at)
        delivery = Delivery(http, reply, generation, account, terms, clock)
        try:
            return await (delivery.stream(include_usage=order.include_usage) if order.stream else delivery.whole())
        finally:
            account.close_usage(job.prompt_tokens_estimate)
            self._forecast.end(account, clock())
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
