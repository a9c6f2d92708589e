"""What a gateway has one of, however many processes carry its bytes: limits, waiting line, pool, metrics, control."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from serving.errors import EnvironmentLacks
from serving.gateway.admission import Admission, Clocks
from serving.gateway.backend import ReplicaChannel
from serving.gateway.config import ControlConfig, GatewayConfig, ReplicaConfig
from serving.gateway.connection import listen
from serving.gateway.control import ControlApi
from serving.gateway.cost import CostGauges
from serving.gateway.entrance import Entrance
from serving.gateway.forecast import Forecast
from serving.gateway.front import Page, serving
from serving.gateway.gate import Gate
from serving.gateway.log import emit
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.openai_backend import OpenAIChannel
from serving.gateway.pool import Pool, PoolRules
from serving.gateway.prober import Patience, Watcher, probe_job
from serving.gateway.replica import Channel
from serving.gateway.tenants import load_tenants

CLOCKS = Clocks(time.monotonic, time.time)
_DRAIN_POLL_S = 0.02


class Core:
    """Create it in the running event loop, `start` it, `drain`, `close`. `connect` opens the way to a replica."""

    def __init__(
        self, config: GatewayConfig, connect: Callable[[ReplicaConfig], Channel], *, clocks: Clocks = CLOCKS
    ) -> None:
        self.config = config
        self.clocks = clocks
        self.started_at = int(clocks.unix())
        self.tenants = load_tenants(Path(config.tenants)) if config.tenants else ()
        self.metrics = GatewayMetrics(
            ttft_threshold_s=config.ttft_threshold_s, tpot_threshold_s=config.tpot_threshold_s
        )
        rules = PoolRules(config.health, config.failover, config.admission, config.routing)
        clock = clocks.monotonic
        self.pool = Pool(rules, self.metrics, connect=connect, clock=clock)
        if config.cost is not None:
            self.metrics.registry.register(CostGauges(config.cost, config.model, self.pool, self.metrics, clock))
        self.forecast = Forecast(clock())
        admission = Admission(self.pool, config.admission, self.metrics, self.forecast, clocks=clocks)
        self.gate = Gate(
            self.tenants,
            max_inflight=config.max_inflight,
            retry_after_s=admission.retry_after_s,
            metrics=self.metrics,
            clock=clock,
        )
        self.entrance = Entrance(self.gate, admission, self.forecast, self.pool, clock=clock)
        self._control: web.AppRunner | None = None
        self._watch: asyncio.Task[None] | None = None
        self._leaving = False
        self.control_port = 0

    async def start_control(self) -> None:
        """Listen for the control API, if there is to be one. Raises EnvironmentLacks when its port is taken."""
        if self.config.control is not None:
            self._control, self.control_port = await self._start_control(self.config.control)

    async def _start_control(self, control: ControlConfig) -> tuple[web.AppRunner, int]:
        runner = serving(ControlApi(self.pool, control.token, self.clocks.monotonic).application())
        try:
            return runner, await listen(runner, "127.0.0.1", control.port, self.config.header_timeout_s)
        except EnvironmentLacks:
            await runner.cleanup()
            raise

    def watch(self) -> None:
        """Take in the configured replicas and begin to watch them."""
        config = self.config
        self.pool.put(config.replicas)
        patience = Patience(config.health.probe_timeout_s, config.idle_timeout_s)
        watcher = Watcher(self.pool, probe_job(config.model), patience, self.clocks.monotonic)
        self._watch = asyncio.create_task(watcher.run(), name="watch")

    def started(self, port: int) -> None:
        """Say in the log that the gateway serves."""
        config = self.config
        emit(
            "gateway_started",
            platform_id=config.platform_id,
            url=f"http://{config.host}:{port}",
            replicas=[r.name for r in config.replicas],
        )

    async def wait(self, stopped: asyncio.Event, *others: asyncio.Task[None]) -> None:
        """Return when `stopped` is set; raise what the watcher, or one of the `others`, died of."""
        waiter = asyncio.create_task(stopped.wait())
        watch = [self._watch] if self._watch else []
        try:
            done, _ = await asyncio.wait({waiter, *watch, *others}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        for task in done:
            task.result()

    async def drain(self, notice_s: float, stop_listening: Callable[[], Awaitable[None]]) -> int:
        """Not ready first, `notice_s` later no new work; what runs may finish for `drain_timeout_s`.

        Returns how many requests are still in flight then.
        """
        self._leaving = True
        emit("gateway_stopping", inflight=self.gate.inflight)
        await asyncio.sleep(notice_s)
        self.gate.draining = True
        await stop_listening()
        deadline = self.clocks.monotonic() + self.config.drain_timeout_s
        while self.gate.inflight and self.clocks.monotonic() < deadline:
            await asyncio.sleep(_DRAIN_POLL_S)
        return self.gate.inflight

    async def close(self) -> None:
        if self._control is not None:
            await self._control.cleanup()
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self.pool.close()

    async def page(self, path: str, accept: str) -> Page:
        return self.show(path, accept)

    def show(self, path: str, accept: str) -> Page:
        """What `/health`, `/ready` and `/metrics` say."""
        if path == "/health":
            return Page.of({"status": "ok", "platform_id": self.config.platform_id})
        if path == "/ready":
            up = [replica.name for replica in self.pool if replica.up]
            ready = bool(up) and not self._leaving
            return Page.of({"ready": ready, "replicas_up": up}, status=200 if ready else 503)
        encode, content_type = choose_encoder(accept)
        return Page(200, content_type, encode(self.metrics.registry).decode())


def open_channel(config: ReplicaConfig) -> Channel:
    """The way to a replica, by the kind of its address."""
    return OpenAIChannel(config.url) if config.url is not None else ReplicaChannel(config.grpc_address or "")
