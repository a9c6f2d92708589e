"""A worker: the public routes for the connections it is handed, everything else asked of the coordinator."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from collections.abc import Callable

from serving.gateway.config import GatewayConfig, ReplicaConfig
from serving.gateway.connection import Connection, connections
from serving.gateway.core import CLOCKS, open_channel
from serving.gateway.front import Front, serving
from serving.gateway.handler import GenerationHandler
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.replica import Channel
from serving.gateway.tenants import Tenant
from serving.gateway.tracing import open_tracing
from serving.gateway.workers.handover import receive
from serving.gateway.workers.line import Line
from serving.gateway.workers.messages import (
    PROTOCOL,
    Close,
    Flush,
    Flushed,
    Hello,
    Known,
    Leave,
    Lost,
    Message,
    Ready,
    Report,
)
from serving.gateway.workers.mirror import Mirror
from serving.gateway.workers.remote import RemoteEntrance

Connections = Callable[[], Connection]
_BEAT_S = 0.04
_IDLE_BEATS = 10
"""A worker without leases says that it lives at each tenth beat only."""


class Worker:
    """One worker's life in the running event loop: created by the coordinator's greeting, ended by its word."""

    def __init__(self, hello: Hello, line: Line, handed: socket.socket) -> None:
        self._config = config = GatewayConfig.model_validate_json(hello.config)
        self._line = line
        self._handed = handed
        self._tracing = open_tracing(os.environ)
        self._metrics = GatewayMetrics(
            ttft_threshold_s=config.ttft_threshold_s, tpot_threshold_s=config.tpot_threshold_s
        )
        self._mirror = Mirror(config.health, self._connect, line.send)
        tenants = [Tenant.model_validate(tenant) for tenant in hello.tenants]
        self._entrance = RemoteEntrance(tenants, self._mirror, self._send)
        self._handler = GenerationHandler(config, self._entrance, self._metrics, CLOCKS, tracing=self._tracing)
        front = Front(config, self._handler, self._entrance, started_at=hello.started_at)
        self._runner = serving(front.application())
        self._taken = 0
        self._leaves = False

    async def start(self) -> None:
        """Take connections from now on."""
        await self._runner.setup()
        connect = connections(self._runner, self._config.header_timeout_s)
        asyncio.get_running_loop().add_reader(self._handed.fileno(), self._take, connect)
        self._line.send(Ready())

    async def beat(self) -> None:
        """Report, for as long as it lives."""
        closed = 0
        for number in itertools.count():
            await asyncio.sleep(_BEAT_S)
            self._mirror.sweep()
            report = self._report()
            if self._mirror or report.changes or report.closed != closed or number % _IDLE_BEATS == 0:
                closed = report.closed
                self._line.send(report)

    def hear(self, message: Message) -> None:
        """What the coordinator says, but for its greeting and its farewell."""
        match message:
            case Lost():
                self._mirror.lose(message)
            case Known(names, by_text):
                self._mirror.keep(names)
                self._entrance.by_text = by_text
            case Flush(number):
                self._line.send(self._report())
                self._line.send(Flushed(number))
            case _:
                self._entrance.hear(message)

    def first(self) -> Message | None:
        """Before a request is said to be over its counts are told: a worker killed between the two loses neither."""
        if not self._leaves:
            return None
        self._leaves = False
        return self._report()

    async def close(self) -> None:
        """Cut what still runs and count it."""
        self._handler.closing = True
        asyncio.get_running_loop().remove_reader(self._handed.fileno())
        await self._runner.cleanup()
        await self._mirror.close()
        await self._tracing.close()
        self._line.send(self._report())
        self._line.close()

    def _send(self, message: Message) -> None:
        self._leaves = self._leaves or isinstance(message, Leave)
        self._line.send(message)

    def _report(self) -> Report:
        open_connections = len(self._runner.server.connections) if self._runner.server else 0
        return Report(self._taken - open_connections, self._mirror.changed(), self._metrics.ledger.take())

    def _take(self, connect: Connections) -> None:
        for sock in receive(self._handed):
            self._taken += 1
            self._mirror.endings.see_out(_adopt(connect, sock))

    def _connect(self, config: ReplicaConfig) -> Channel:
        return self._tracing.channel(config.name, open_channel(config))


async def _adopt(connect: Connections, sock: socket.socket) -> None:
    try:
        await asyncio.get_running_loop().connect_accepted_socket(connect, sock)
    except OSError:  # the client is gone already
        sock.close()


async def serve(line_socket: socket.socket, handed: socket.socket) -> None:
    """Serve until the coordinator says `Close`, or is gone."""
    loop = asyncio.get_running_loop()
    greeted: asyncio.Future[Hello] = loop.create_future()
    over = asyncio.Event()
    worker: Worker | None = None

    def hear(message: Message) -> None:
        if isinstance(message, Close):
            over.set()
        elif worker is not None:
            worker.hear(message)
        elif isinstance(message, Hello):
            greeted.set_result(message)

    handed.setblocking(False)

    def hung_up() -> None:
        over.set()
        greeted.cancel()

    line = Line(hear, hung_up, first=lambda: worker.first() if worker is not None else None)
    await line.open(line_socket)
    await asyncio.wait([greeted])
    if greeted.cancelled():
        return
    hello = greeted.result()
    if hello.protocol != PROTOCOL:
        raise SystemExit(f"worker: the coordinator speaks protocol {hello.protocol}, this is {PROTOCOL}: restart it")
    worker = Worker(hello, line, handed)
    await worker.start()
    beat = asyncio.create_task(worker.beat(), name="beat")
    ended = asyncio.create_task(over.wait(), name="over")
    done, _ = await asyncio.wait({beat, ended}, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    beat.cancel()
    ended.cancel()
    await asyncio.gather(beat, ended, return_exceptions=True)
    await worker.close()
