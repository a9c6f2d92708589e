"""The gateway in one process: the public routes beside the core, from start to drain."""

from __future__ import annotations

import asyncio
import os

from serving.errors import EnvironmentLacks
from serving.gateway.config import GatewayConfig, ReplicaConfig
from serving.gateway.connection import listen
from serving.gateway.core import CLOCKS, Core, open_channel
from serving.gateway.front import Front, serving
from serving.gateway.handler import GenerationHandler
from serving.gateway.log import emit
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.pool import Pool
from serving.gateway.replica import Channel
from serving.gateway.tracing import open_tracing
from serving.gateway.workers.coordinator import Coordinator

_NOTICE_S = 0.3
"""How long a stopping gateway still serves while /ready says 503: who routes to it hears before it stops listening."""


class Gateway:
    """One gateway in the running event loop: `start`, serve, `stop`."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self._tracing = open_tracing(os.environ)
        self.core = core = Core(config, self._connect)
        self._handler = GenerationHandler(
            config, core.entrance, core.metrics, CLOCKS, forecast=core.forecast, tracing=self._tracing
        )
        self._runner = serving(Front(config, self._handler, core, started_at=core.started_at).application())
        self.port = config.port

    @property
    def pool(self) -> Pool:
        return self.core.pool

    @property
    def metrics(self) -> GatewayMetrics:
        return self.core.metrics

    @property
    def control_port(self) -> int:
        return self.core.control_port

    async def start(self) -> None:
        """Listen and begin to watch the replicas. Raises EnvironmentLacks when a port is taken."""
        config = self._config
        try:
            self.port = await listen(self._runner, config.host, config.port, config.header_timeout_s)
            await self.core.start_control()
        except EnvironmentLacks:
            await self._close()
            raise
        self.core.watch()
        self.core.started(self.port)

    def _connect(self, config: ReplicaConfig) -> Channel:
        return self._tracing.channel(config.name, open_channel(config))

    async def wait(self, stopped: asyncio.Event) -> None:
        """Return when `stopped` is set; raise what the watcher died of."""
        await self.core.wait(stopped)

    async def stop(self, *, notice_s: float = 0.0) -> None:
        """Not ready first, `notice_s` later no new work; let what runs finish for `drain_timeout_s`, then close."""
        cut = await self.core.drain(notice_s, self._stop_listening)
        self._handler.closing = True
        await self._close()
        emit("gateway_stopped", cut=cut)

    async def _stop_listening(self) -> None:
        for site in list(self._runner.sites):
            await site.stop()

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self.core.close()
        await self._tracing.close()


async def run(config: GatewayConfig, stopped: asyncio.Event) -> None:
    """Serve until `stopped` is set. A watcher that dies is a bug and would leave health stale: it ends the gateway."""
    gateway = Gateway(config) if config.workers == 1 else Coordinator(config)
    await gateway.start()
    try:
        await gateway.wait(stopped)
    finally:
        await gateway.stop(notice_s=_NOTICE_S)
