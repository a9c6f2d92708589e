"""The gateway as several processes: the core here, beside the seats of the workers that carry the bytes."""

from __future__ import annotations

import asyncio
import itertools
import logging

from prometheus_client import Gauge

from serving.errors import EnvironmentLacks
from serving.gateway.config import GatewayConfig
from serving.gateway.core import CLOCKS, Core, open_channel
from serving.gateway.front import Page
from serving.gateway.log import emit
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.pool import Pool
from serving.gateway.workers.handover import Listener
from serving.gateway.workers.seat import Seat

_BEAT_S = 0.05
_START_TIMEOUT_S = 60.0
_CLOSE_TIMEOUT_S = 1.2
_FLUSH_TIMEOUT_S = 0.5
_SILENT_BEATS = 200
"""A worker that says nothing for so many beats hangs, and is replaced. Beats that we miss ourselves do not count."""


class Coordinator:
    """One gateway in the running event loop, as `app.Gateway`: `start`, serve, `stop`."""

    def __init__(self, config: GatewayConfig) -> None:
        self._config = config
        self.core = Core(config, open_channel)
        ledger, registry = self.core.metrics.ledger, self.core.metrics.registry
        exits = ledger.count("sre_gateway_worker_exits_total", "Worker processes that ended unasked.")
        self.seats = [Seat(index, self.core, self.page, exits.inc) for index in range(config.workers)]
        workers = Gauge("sre_gateway_workers", "Worker processes that serve.", registry=registry)
        workers.set_function(lambda: float(sum(seat.serves for seat in self.seats)))
        self._listener = Listener(self._least_busy)
        self._tasks: list[asyncio.Task[None]] = []
        self._beat: asyncio.Task[None] | None = None
        self._flushes = itertools.count(1)
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
        """Listen, start the workers, begin to watch the replicas. Raises EnvironmentLacks when one of it cannot be."""
        config = self._config
        try:
            self.port = await self._listener.bind(config.host, config.port)
            await self.core.start_control()
            self.core.watch()
            self._tasks = [asyncio.create_task(seat.run(), name=f"worker {seat.index}") for seat in self.seats]
            await self._until_all_serve()
        except BaseException:
            await self._close()
            raise
        self._beat = asyncio.create_task(self._beats(), name="beat")
        self._listener.start()
        self.core.started(self.port)

    async def _until_all_serve(self) -> None:
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                await asyncio.gather(*(seat.ready for seat in self.seats))
        except TimeoutError as error:
            raise EnvironmentLacks(f"gateway: its workers did not serve within {_START_TIMEOUT_S:g} s") from error

    async def wait(self, stopped: asyncio.Event) -> None:
        """Return when `stopped` is set; raise what the watcher, a seat or the beat died of."""
        await self.core.wait(stopped, *self._tasks, *([self._beat] if self._beat else []))

    async def stop(self, *, notice_s: float = 0.0) -> None:
        """As one process does: not ready, then no new work, then the end of what runs, in all workers."""
        cut = await self.core.drain(notice_s, self._stop_listening)
        await self._close()
        emit("gateway_stopped", cut=cut)

    async def _stop_listening(self) -> None:
        self._listener.close()

    async def _close(self) -> None:
        self._listener.close()
        for seat in self.seats:
            seat.leave()
        alive = set(self._tasks)
        while alive:
            _, alive = await asyncio.wait(alive, timeout=_CLOSE_TIMEOUT_S)
            for seat in self.seats if alive else ():
                seat.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._beat is not None:
            self._beat.cancel()
            await asyncio.gather(self._beat, return_exceptions=True)
        await self.core.close()

    async def page(self, path: str, accept: str) -> Page:
        """A page for whichever worker was asked for it; counters are as of now, from all of them."""
        if path == "/metrics":
            await self.settle()
        return await self.core.page(path, accept)

    async def settle(self) -> None:
        """Bring home what the workers have counted. One that hangs is not waited for: what it said last holds."""
        number = next(self._flushes)
        flushes = [asyncio.create_task(seat.flush(number)) for seat in self.seats]
        _, late = await asyncio.wait(flushes, timeout=_FLUSH_TIMEOUT_S)
        for flush in late:
            flush.cancel()
        await asyncio.gather(*flushes, return_exceptions=True)

    def _least_busy(self) -> Seat | None:
        takers = [seat for seat in self.seats if seat.takes]
        return min(takers, key=lambda seat: (seat.connections, seat.handed)) if takers else None

    async def _beats(self) -> None:
        """Look after the workers."""
        heard = {seat.index: (seat.pid, seat.messages) for seat in self.seats}
        silent = dict.fromkeys(heard, 0)
        while True:
            await asyncio.sleep(_BEAT_S)
            now = CLOCKS.monotonic()
            for seat in self.seats:
                seat.look(now)
                state = (seat.pid, seat.messages)
                silent[seat.index] = silent[seat.index] + 1 if state == heard[seat.index] else 0
                heard[seat.index] = state
                if silent[seat.index] >= _SILENT_BEATS and seat.serves:
                    emit("worker_hangs", level=logging.ERROR, worker=seat.index, pid=seat.pid)
                    silent[seat.index] = 0
                    seat.kill()
