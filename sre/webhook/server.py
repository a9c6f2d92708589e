"""The HTTP side: who may speak, what is read, what is answered.

The store is synchronous and is touched from one worker thread alone, so that notifications are taken one after another.
A store that does not answer is 503: Alertmanager sends again until it gets a 2xx, and nothing is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from aiohttp import web

from sre.errors import SreError
from sre.webhook.counters import Counters
from sre.webhook.intake import Intake
from sre.webhook.listing import listing
from sre.webhook.payload import Refusal, notification_of
from sre.webhook.receiver import PATH
from sre.webhook.token import Token

T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
log = logging.getLogger("sre.webhook")
_HTTP_REASONS = {401: "auth", 405: "method", 408: "slow", 413: "size", 415: "type"}
_RETRY_AFTER_S = 10
_NOTE = "SRE-Incident"
"""A header of the answer that says what became of the notification; also the end of its line in the log."""


@dataclass(slots=True)
class Webhook:
    """`token` None: nobody has to show one. `sweep_s` is how often silent incidents are looked for."""

    intake: Intake
    token: Token | None
    counters: Counters = field(default_factory=Counters)
    most_bytes: int = 4 * 1024 * 1024
    slowest_body_s: float = 20.0
    sweep_s: float = 60.0
    worker: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "incident-store"))

    def application(self) -> web.Application:
        """An aiohttp application; its clean-up waits for the write that is under way."""
        app = web.Application(middlewares=[self._answer], client_max_size=self.most_bytes)
        app.router.add_post(PATH, self._receive)
        app.router.add_get("/incidents", self._incidents)
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.cleanup_ctx.append(self._sweeping)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        self._require_token(request)
        if (
            request.content_type != "application/json"
            or request.headers.get("Content-Encoding", "identity") != "identity"
        ):
            raise Refusal(415, "type", "send application/json, not compressed")
        try:
            body = await asyncio.wait_for(request.read(), self.slowest_body_s)
        except TimeoutError:
            raise Refusal(408, "slow", f"the body did not come within {self.slowest_body_s:g} s") from None
        told = notification_of(body)
        receipt = await self._in_worker(partial(self.intake.take, told))
        self.counters.taken(receipt, self.intake.clock())
        answer = {"incident": receipt.incident, "result": receipt.result, "added": receipt.added}
        note = f"{receipt.incident} {receipt.result} +{receipt.added}"
        return web.json_response(answer, headers={_NOTE: note})

    async def _incidents(self, request: web.Request) -> web.Response:
        self._require_token(request)
        heads = await self._in_worker(self.intake.heads)
        return web.json_response(listing(heads, as_of=self.intake.clock()))

    async def _health(self, _: web.Request) -> web.Response:
        await self._in_worker(self.intake.store.anchor)
        return web.json_response({"ok": True})

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self.counters.exposition(), headers={"Content-Type": "text/plain; version=0.0.4"})

    def _require_token(self, request: web.Request) -> None:
        if self.token is not None and not self.token.is_shown_by(request.headers.get("Authorization", "")):
            raise Refusal(401, "auth", "the bearer token is missing or wrong: set http_config.authorization")

    async def _in_worker(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.worker, work)

    @web.middleware
    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every refusal is JSON with one line, counted and logged. Neither headers nor the query are logged."""
        began = asyncio.get_running_loop().time()
        is_webhook = request.path == PATH
        if is_webhook:
            self.counters.received()
        response, reason = await self._handled(request, handler)
        if reason and is_webhook:
            self.counters.refused(reason)
        took_ms = (asyncio.get_running_loop().time() - began) * 1000
        note = f"refused: {reason}" if reason else response.headers.get(_NOTE, "")
        path = request.path if request.path.isprintable() else repr(request.path)
        log.info("%s %s %s %d %.1f ms %s", request.remote, request.method, path[:200], response.status, took_ms, note)
        return response

    async def _handled(self, request: web.Request, handler: Handler) -> tuple[web.StreamResponse, str]:
        try:
            return await handler(request), ""
        except Refusal as refusal:
            return _said(refusal.status, str(refusal)), refusal.reason
        except web.HTTPException as error:
            headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            text = f"at most {self.most_bytes:,} bytes are read" if error.status == 413 else error.reason
            return _said(error.status, text, headers), _HTTP_REASONS.get(error.status, "")
        except SreError as error:
            log.warning("the store did not answer: %s", error)
            return _said(503, "the incident store does not answer: send again"), "store"
        except Exception:
            log.exception("a mistake of this program; the sender will try again")
            return _said(500, "a mistake of this program, see its log"), "internal"

    async def _sweeping(self, _: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(self._sweep_for_ever())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await asyncio.to_thread(self.worker.shutdown)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.sweep_s)
            try:
                marked = await self._in_worker(self.intake.sweep)
            except SreError as error:
                log.warning("silent incidents could not be looked for: %s", error)
                continue
            self.counters.went_stale(len(marked))
            for incident in marked:
                log.info("%s is stale: nobody speaks of it any more", incident)


def _said(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    extra = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if status == 503:
        extra["Retry-After"] = str(_RETRY_AFTER_S)
    return web.json_response({"error": text}, status=status, headers={**(headers or {}), **extra})
