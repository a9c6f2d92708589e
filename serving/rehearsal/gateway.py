"""The gateway's process in a rehearsal: the live core and handler, without HTTP around them, and its control calls."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import aiohttp

from serving.fleet.gateway import GatewaySilent, Rotation, rotation_of
from serving.gateway.admission import Clocks
from serving.gateway.config import GatewayConfig, ReplicaConfig
from serving.gateway.control import describe
from serving.gateway.core import Core
from serving.gateway.handler import GenerationHandler
from serving.gateway.log import emit
from serving.gateway.replica import Channel
from serving.rehearsal.clock import VirtualClock
from serving.rehearsal.exchange import VirtualExchange

_NOTICE_S = 0.3
_KILLED = -9
_PAGE_FORMAT = "text/plain;version=0.0.4"


class Gateway:
    """One life of the gateway (`serving.fleet.process.Process`). `failed` is told of what no handler should raise."""

    def __init__(
        self,
        config: GatewayConfig,
        connect: Callable[[ReplicaConfig], Channel],
        *,
        pid: int,
        clock: VirtualClock,
        start_s: float,
        ids: Iterator[int],
        failed: Callable[[BaseException], None],
    ) -> None:
        self.name = "gateway"
        self.pid = pid
        self.created: float | None = clock.unix()
        self.returncode: int | None = None
        self.core: Core | None = None
        self._config = config
        self._connect = connect
        self._clock = clock
        self._ids = ids
        self._failed = failed
        self._handler: GenerationHandler | None = None
        self._tasks: dict[asyncio.Task[None], VirtualExchange] = {}
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._life = asyncio.create_task(self._live(start_s), name="gateway")

    async def _live(self, start_s: float) -> None:
        await asyncio.sleep(start_s)
        try:
            await self._serve()
        except Exception as error:  # noqa: BLE001  live it would be the end of the process: whatever it is, it is told
            self._failed(error)

    async def _serve(self) -> None:
        config, clocks = self._config, Clocks(self._clock.monotonic, self._clock.unix)
        core = Core(config, self._connect, clocks=clocks)
        self._handler = GenerationHandler(
            config, core.entrance, core.metrics, clocks, forecast=core.forecast, new_id=self._new_id
        )
        self.core = core
        core.watch()
        core.started(config.port)
        await core.wait(asyncio.Event())

    def _new_id(self) -> str:
        return f"{next(self._ids):032x}"

    # what its keeper asks of it

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def stop(self, *, grace_s: float) -> None:
        if self.core is not None and self._handler is not None and self.returncode is None:
            await self.core.drain(_NOTICE_S, _nothing)
            self._handler.closing = True
            await self._hang_up_on_all()
            await self.core.close()
            emit("gateway_stopped", cut=len(self._tasks))
        self._end(0)

    def kill_session(self) -> None:
        self._end(_KILLED)

    def _end(self, returncode: int) -> None:
        if self.returncode is not None:
            return
        self.returncode = returncode
        self._life.cancel()
        for task, exchange in self._tasks.items():
            exchange.break_off(aiohttp.ClientOSError(104, "Connection reset by peer"))
            task.cancel()
        self._ended.set_result(returncode)

    async def _hang_up_on_all(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # what clients and observers ask of it

    @property
    def listens(self) -> bool:
        return self.core is not None and self.returncode is None

    def accept(self, body: bytes, headers: Mapping[str, str]) -> VirtualExchange:
        """A request for a completion. Raises OSError while nobody listens."""
        if self._handler is None or not self.listens or self._handler.closing:
            raise ConnectionRefusedError(111, f"Cannot connect to host {self._config.host}:{self._config.port}")
        exchange = VirtualExchange(body, headers, self._handler.account(), self._config)
        exchange.task = task = asyncio.create_task(self._handler.serve(exchange, "completion"))
        self._tasks[task] = exchange
        task.add_done_callback(self._handled)
        return exchange

    def _handled(self, task: asyncio.Task[None]) -> None:
        exchange = self._tasks.pop(task)
        exchange.handled(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self._failed(error)

    def page(self) -> str | None:
        """Its metrics page; None when nobody answers."""
        if self.core is None or not self.listens:
            return None
        return self.core.show("/metrics", _PAGE_FORMAT).body

    @property
    def is_ready(self) -> bool:
        return self.core is not None and self.listens and self.core.show("/ready", "").status == HTTPStatus.OK


class ControlCalls:
    """The supervisor's calls of whichever gateway lives (`serving.fleet.gateway.GatewayCalls`)."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.gateway: Gateway | None = None

    async def replicas(self) -> list[Rotation]:
        core, now = self._core(), self._clock.monotonic()
        return [rotation_of(describe(replica, now)) for replica in core.pool]

    async def put(self, entries: Sequence[dict[str, Any]]) -> list[Rotation]:
        self._core().pool.put([ReplicaConfig.model_validate(entry) for entry in entries])
        return await self.replicas()

    async def drain(self, name: str, *, grace_s: float) -> None:
        pool = self._core().pool
        replica = pool.get(name)
        if replica is None:
            raise GatewaySilent(f"gateway: there is no replica {name!r}")
        pool.drain(replica, grace_s)

    async def undrain(self, name: str) -> None:
        pool = self._core().pool
        replica = pool.get(name)
        if replica is None:
            raise GatewaySilent(f"gateway: there is no replica {name!r}")
        pool.undrain(replica)

    def _core(self) -> Core:
        if self.gateway is None or self.gateway.core is None or not self.gateway.listens:
            raise GatewaySilent("gateway: the control API does not answer")
        return self.gateway.core


async def _nothing() -> None:
    """No listener has to be closed."""


_CREATED = re.compile(r"^(\w+_created(?:\{[^}]*\})?) .*$", re.MULTILINE)


def dated(page: str, created_at: float) -> str:
    """The page with its `_created` samples, which prometheus_client takes from the wall clock, at virtual time."""
    return _CREATED.sub(lambda found: f"{found[1]} {created_at!r}", page)
