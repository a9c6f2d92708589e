"""The two generation routes: read, check, admit, generate; each request is counted exactly once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from serving.gateway.accounting import Account
from serving.gateway.api import Order, parse_order
from serving.gateway.config import GatewayConfig
from serving.gateway.delivery import Delivery, error_response, response_headers
from serving.gateway.errors import ApiError, invalid, unavailable
from serving.gateway.generation import Generation, Limits
from serving.gateway.log import emit
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Outcome
from serving.gateway.pool import Pool
from serving.gateway.sse import Api, Reply

_RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Clocks:
    """`monotonic` times requests, `unix` dates them; both in seconds."""

    monotonic: Callable[[], float]
    unix: Callable[[], float]


class GenerationHandler:
    """Serves both APIs. While `draining`, new work is refused and what runs may finish."""

    def __init__(self, config: GatewayConfig, pool: Pool, metrics: GatewayMetrics, clocks: Clocks) -> None:
        self._config = config
        self._pool = pool
        self._metrics = metrics
        self._clocks = clocks
        self._limits = Limits(
            config.failover.max_attempts, config.first_token_timeout_s, config.idle_timeout_s, config.deadline_s
        )
        self.inflight = 0
        self.draining = False

    async def completions(self, http: web.Request) -> web.StreamResponse:
        return await self._serve(http, "completion")

    async def chat(self, http: web.Request) -> web.StreamResponse:
        return await self._serve(http, "chat")

    async def _serve(self, http: web.Request, api: Api) -> web.StreamResponse:
        request_id = uuid.uuid4().hex
        tried: list[str] = []
        account = Account(self._metrics, self._clocks.monotonic())
        try:
            order = await self._read_order(http, api, request_id)
            with self._admitted():
                return await self._generate(http, order, account, tried)
        except ApiError as error:
            account.settle(error.outcome, self._clocks.monotonic())
            _log_failure(request_id, error, tried)
            return error_response(error, response_headers(request_id, tried))
        except (asyncio.CancelledError, ConnectionError):
            account.settle(self._outcome_of_cut(account), self._clocks.monotonic())
            raise
        finally:
            account.settle("error", self._clocks.monotonic())  # whatever nobody thought of is our failure

    async def _read_order(self, http: web.Request, api: Api, request_id: str) -> Order:
        config = self._config
        try:
            async with asyncio.timeout(config.body_timeout_s):
                raw = await http.read()
        except TimeoutError as error:
            raise invalid("the body did not arrive in time", status=408) from error
        except web.HTTPRequestEntityTooLarge as error:
            message = f"the body is larger than {config.max_body_bytes} bytes"
            raise invalid(message, status=413, code="request_too_large") from error
        except web.RequestPayloadError as error:
            raise invalid("the body cannot be decoded: check Content-Encoding and Transfer-Encoding") from error
        return parse_order(
            raw, api=api, request_id=request_id, model=config.model, default_max_tokens=config.default_max_tokens
        )

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        """Hold one of the gateway's places."""
        if self.draining:
            raise unavailable("the gateway is shutting down", code="shutting_down", retry_after_s=_RETRY_AFTER_S)
        if self.inflight >= self._config.max_inflight:
            raise ApiError(
                429,
                f"{self.inflight} requests are in flight, as many as are allowed: try again",
                outcome="rejected",
                kind="rate_limit_error",
                code="rate_limit_exceeded",
                retry_after_s=_RETRY_AFTER_S,
            )
        self.inflight += 1
        try:
            yield
        finally:
            self.inflight -= 1

    async def _generate(
        self, http: web.Request, order: Order, account: Account, tried: list[str]
    ) -> web.StreamResponse:
        clock = self._clocks.monotonic
        generation = Generation(order.job, self._pool, self._limits, self._metrics, tried=tried, clock=clock)
        reply = Reply(order.api, order.job.request_id, int(self._clocks.unix()), order.job.model)
        delivery = Delivery(http, reply, generation, account, clock)
        try:
            return await (delivery.stream(include_usage=order.include_usage) if order.stream else delivery.whole())
        finally:
            account.close_usage(order.job.prompt_tokens_estimate)
            await generation.close()

    def _outcome_of_cut(self, account: Account) -> Outcome:
        """The handler was cancelled: the client went away or, while draining, we could not wait any longer."""
        if not self.draining:
            return "cancelled"
        return "truncated" if account.tokens else "error"


def _log_failure(request_id: str, error: ApiError, tried: list[str]) -> None:
    if error.outcome == "error":
        emit("request_failed", request_id=request_id, status=error.status, code=error.code, replicas=tried)
