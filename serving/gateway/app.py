"""Puts the gateway together: routes, watcher, channels, control listener, and its life from start to drain."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import time
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client.exposition import choose_encoder

from serving.errors import EnvironmentLacks
from serving.gateway.backend import ReplicaChannel
from serving.gateway.config import ControlConfig, GatewayConfig, ReplicaConfig
from serving.gateway.connection import Site, timed_headers
from serving.gateway.control import ControlApi
from serving.gateway.delivery import error_response
from serving.gateway.errors import ApiError, invalid, unavailable
from serving.gateway.handler import Clocks, GenerationHandler
from serving.gateway.log import emit
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.openai_backend import OpenAIChannel
from serving.gateway.pool import Pool, PoolRules
from serving.gateway.prober import Patience, Watcher, probe_job
from serving.gateway.replica import Channel
from serving.gateway.tenants import load_tenants
from serving.gateway.tracing import open_tracing

_DRAIN_POLL_S = 0.02
_SHUTDOWN_TIMEOUT_S = 0.5
_KEPT_HEADERS = ("Allow",)
_NOTICE_S = 0.3
"""How long a stopping gateway still serves while /ready says 503: who routes to it hears before it stops listening."""


class Gateway:
    """One gateway in the running event loop: `start`, serve, `stop`."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._started_at = int(time.time())
        self.metrics = GatewayMetrics(
            ttft_threshold_s=config.ttft_threshold_s, tpot_threshold_s=config.tpot_threshold_s
        )
        rules = PoolRules(config.health, config.failover, config.admission, config.routing)
        self._tracing = open_tracing(os.environ)
        self.pool = Pool(rules, self.metrics, connect=self._connect, clock=time.monotonic)
        self._handler = GenerationHandler(
            config,
            self.pool,
            self.metrics,
            Clocks(time.monotonic, time.time),
            tenants=load_tenants(Path(config.tenants)) if config.tenants else (),
            tracing=self._tracing,
        )
        self._runner = self._serving(self._application())
        self._control: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None
        self._leaving = False
        self.port = config.port
        self.control_port = 0

    async def start(self) -> None:
        """Listen and begin to watch the replicas. Raises EnvironmentLacks when a port is taken."""
        config = self._config
        try:
            self.port = await _listen(self._runner, config.host, config.port, config.header_timeout_s)
            if config.control is not None:
                self._control, self.control_port = await self._start_control(config.control)
        except EnvironmentLacks:
            await self._close()
            raise
        self.pool.put(config.replicas)
        patience = Patience(config.health.probe_timeout_s, config.idle_timeout_s)
        watcher = Watcher(self.pool, probe_job(config.model), patience, time.monotonic)
        self._watch = asyncio.create_task(watcher.run(), name="watch")
        emit(
            "gateway_started",
            platform_id=config.platform_id,
            url=f"http://{config.host}:{self.port}",
            replicas=[r.name for r in config.replicas],
        )

    async def _start_control(self, control: ControlConfig) -> tuple[web.AppRunner, int]:
        runner = self._serving(ControlApi(self.pool, control.token, time.monotonic).application())
        try:
            return runner, await _listen(runner, "127.0.0.1", control.port, self._config.header_timeout_s)
        except EnvironmentLacks:
            await runner.cleanup()
            raise

    def _connect(self, config: ReplicaConfig) -> Channel:
        return self._tracing.channel(config.name, open_channel(config))

    def _serving(self, app: web.Application) -> web.AppRunner:
        return web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)

    async def wait(self, stopped: asyncio.Event) -> None:
        """Return when `stopped` is set; raise what the watcher died of."""
        waiter = asyncio.create_task(stopped.wait())
        watch = [self._watch] if self._watch else []
        try:
            done, _ = await asyncio.wait({waiter, *watch}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        for task in done:
            task.result()

    async def stop(self, *, notice_s: float = 0.0) -> None:
        """Not ready first, `notice_s` later no new work; let what runs finish for `drain_timeout_s`, then close."""
        self._leaving = True
        emit("gateway_stopping", inflight=self._handler.inflight)
        await asyncio.sleep(notice_s)
        self._handler.draining = True
        for site in list(self._runner.sites):
            await site.stop()
        deadline = time.monotonic() + self._config.drain_timeout_s
        while self._handler.inflight and time.monotonic() < deadline:
            await asyncio.sleep(_DRAIN_POLL_S)
        cut = self._handler.inflight
        self._handler.closing = True
        await self._close()
        emit("gateway_stopped", cut=cut)

    async def _close(self) -> None:
        await self._runner.cleanup()
        if self._control is not None:
            await self._control.cleanup()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self.pool.close()
        await self._tracing.close()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=self._config.max_body_bytes, middlewares=[timed_headers, _shape_errors])
        app.router.add_post("/v1/completions", self._handler.completions)
        app.router.add_post("/v1/chat/completions", self._handler.chat)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/v1/models/{model}", self._model)
        app.router.add_get("/health", self._health)
        app.router.add_get("/ready", self._ready)
        app.router.add_get("/metrics", self._metrics_page)
        return app

    def _model_card(self) -> dict[str, object]:
        return {"id": self._config.model, "object": "model", "created": self._started_at, "owned_by": "sre"}

    async def _models(self, http: web.Request) -> web.Response:
        self._handler.authenticate(http.headers)
        return web.json_response({"object": "list", "data": [self._model_card()]})

    async def _model(self, http: web.Request) -> web.Response:
        self._handler.authenticate(http.headers)
        name = http.match_info["model"]
        if name != self._config.model:
            error = invalid(f"The model {name!r} does not exist", param="model", code="model_not_found", status=404)
            return error_response(error, {})
        return web.json_response(self._model_card())

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "platform_id": self._config.platform_id})

    async def _ready(self, _: web.Request) -> web.Response:
        up = [replica.name for replica in self.pool if replica.up]
        ready = bool(up) and not self._leaving
        return web.json_response({"ready": ready, "replicas_up": up}, status=200 if ready else 503)

    async def _metrics_page(self, http: web.Request) -> web.Response:
        encode, content_type = choose_encoder(http.headers.get("Accept", ""))
        return web.Response(body=encode(self.metrics.registry), headers={"Content-Type": content_type})


@web.middleware
async def _shape_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever else goes wrong is answered in OpenAI's shape as well."""
    try:
        return await handler(request)
    except ApiError as error:
        return error_response(error, {})
    except web.HTTPException as error:
        refusal = invalid(f"{error.reason}: {request.method} {request.path}", status=error.status)
        return error_response(refusal, {name: error.headers[name] for name in _KEPT_HEADERS if name in error.headers})
    except ConnectionError:
        raise
    except Exception:  # the boundary: a bug must not end without an answer and a log line
        logging.getLogger("serving.gateway").exception("internal_error")
        return error_response(unavailable("internal error", status=500, code="internal_error"), {})


def open_channel(config: ReplicaConfig) -> Channel:
    """The way to a replica, by the kind of its address."""
    return OpenAIChannel(config.url) if config.url is not None else ReplicaChannel(config.grpc_address or "")


async def _listen(runner: web.AppRunner, host: str, port: int, header_timeout_s: float) -> int:
    """Start to serve; the port, chosen by the system when `port` is 0."""
    await runner.setup()
    try:
        await Site(runner, host, port, header_timeout_s=header_timeout_s).start()
    except OSError as error:
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise EnvironmentLacks(f"gateway: {where} is in use: free it or set another port") from error
        raise EnvironmentLacks(f"gateway: cannot listen on {where}: {error.strerror}") from error
    return int(runner.addresses[0][1])


async def run(config: GatewayConfig, stopped: asyncio.Event) -> None:
    """Serve until `stopped` is set. A watcher that dies is a bug and would leave health stale: it ends the gateway."""
    gateway = Gateway(config)
    await gateway.start()
    try:
        await gateway.wait(stopped)
    finally:
        await gateway.stop(notice_s=_NOTICE_S)
