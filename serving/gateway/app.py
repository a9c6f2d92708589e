"""Puts the gateway together: routes, prober tasks, channels, and its life from start to drain."""

from __future__ import annotations

import asyncio
import errno
import logging
import time

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client.exposition import choose_encoder

from serving.errors import EnvironmentLacks
from serving.gateway.backend import ReplicaChannel
from serving.gateway.config import GatewayConfig
from serving.gateway.delivery import error_response
from serving.gateway.errors import invalid, unavailable
from serving.gateway.handler import Clocks, GenerationHandler
from serving.gateway.log import emit
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.pool import Pool, Replica
from serving.gateway.prober import Prober, probe_job

_DRAIN_POLL_S = 0.02
_SHUTDOWN_TIMEOUT_S = 0.5


class Gateway:
    """One gateway in the running event loop: `start`, serve, `stop`."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._started_at = int(time.time())
        self.metrics = GatewayMetrics(
            ttft_threshold_s=config.ttft_threshold_s, tpot_threshold_s=config.tpot_threshold_s
        )
        self.pool = Pool([Replica(r.name, ReplicaChannel(r.grpc_address or "")) for r in config.replicas])
        for replica in self.pool:
            self._publish(replica)
        self._handler = GenerationHandler(config, self.pool, self.metrics, Clocks(time.monotonic, time.time))
        self._runner = web.AppRunner(
            self._application(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_TIMEOUT_S,
        )
        self._probers: list[asyncio.Task[None]] = []
        self.port = config.port

    async def start(self) -> None:
        """Listen and begin to probe. Raises EnvironmentLacks when the port is taken."""
        config = self._config
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, config.host, config.port).start()
        except OSError as error:
            await self._close()
            raise _listen_failure(error, config) from error
        self.port = self._runner.addresses[0][1]
        prober = Prober(
            probe_job(config.model),
            interval_s=config.health.probe_interval_s,
            timeout_s=config.health.probe_timeout_s,
            idle_s=config.health.idle_probe_s,
            stall_s=config.health.stall_min_s,
            clock=time.monotonic,
        )
        self._probers = [
            asyncio.create_task(prober.watch(replica), name=f"probe {replica.name}") for replica in self.pool
        ]
        emit(
            "gateway_started",
            platform_id=config.platform_id,
            url=f"http://{config.host}:{self.port}",
            replicas=[r.name for r in config.replicas],
        )

    async def wait(self, stopped: asyncio.Event) -> None:
        """Return when `stopped` is set; raise what a prober died of."""
        waiter = asyncio.create_task(stopped.wait())
        try:
            done, _ = await asyncio.wait({waiter, *self._probers}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Refuse new work, let what runs finish for `drain_timeout_s`, then close."""
        self._handler.draining = True
        emit("gateway_stopping", inflight=self._handler.inflight)
        for site in list(self._runner.sites):
            await site.stop()
        deadline = time.monotonic() + self._config.drain_timeout_s
        while self._handler.inflight and time.monotonic() < deadline:
            await asyncio.sleep(_DRAIN_POLL_S)
        cut = self._handler.inflight
        await self._close()
        emit("gateway_stopped", cut=cut)

    async def _close(self) -> None:
        await self._runner.cleanup()
        for task in self._probers:
            task.cancel()
        await asyncio.gather(*self._probers, return_exceptions=True)
        for replica in self.pool:
            await replica.channel.close()

    def _publish(self, replica: Replica) -> None:
        self.metrics.watch_replica(replica.name, up=lambda: float(replica.up), inflight=lambda: float(replica.inflight))

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=self._config.max_body_bytes, middlewares=[_shape_errors])
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

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [self._model_card()]})

    async def _model(self, http: web.Request) -> web.Response:
        name = http.match_info["model"]
        if name != self._config.model:
            error = invalid(f"The model {name!r} does not exist", param="model", code="model_not_found", status=404)
            return error_response(error, {})
        return web.json_response(self._model_card())

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "platform_id": self._config.platform_id})

    async def _ready(self, _: web.Request) -> web.Response:
        up = [replica.name for replica in self.pool if replica.up]
        ready = bool(up) and not self._handler.draining
        return web.json_response({"ready": ready, "replicas_up": up}, status=200 if ready else 503)

    async def _metrics_page(self, http: web.Request) -> web.Response:
        encode, content_type = choose_encoder(http.headers.get("Accept", ""))
        return web.Response(body=encode(self.metrics.registry), headers={"Content-Type": content_type})


@web.middleware
async def _shape_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever else goes wrong is answered in OpenAI's shape as well."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        return error_response(invalid(f"{error.reason}: {request.method} {request.path}", status=error.status), {})
    except ConnectionError:
        raise
    except Exception:  # the boundary: a bug must not end without an answer and a log line
        logging.getLogger("serving.gateway").exception("internal_error")
        return error_response(unavailable("internal error", status=500, code="internal_error"), {})


def _listen_failure(error: OSError, config: GatewayConfig) -> EnvironmentLacks:
    where = f"{config.host}:{config.port}"
    if error.errno == errno.EADDRINUSE:
        return EnvironmentLacks(f"gateway: {where} is in use: free it or set another port")
    return EnvironmentLacks(f"gateway: cannot listen on {where}: {error.strerror}")


async def run(config: GatewayConfig, stopped: asyncio.Event) -> None:
    """Serve until `stopped` is set. A prober that dies is a bug and would leave a health stale: it ends the gateway."""
    gateway = Gateway(config)
    await gateway.start()
    try:
        await gateway.wait(stopped)
    finally:
        await gateway.stop()
