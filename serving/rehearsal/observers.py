"""The processes that watch and steer in a rehearsal: a recorder that scrapes, the autoscaler with its live loop."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from prometheus_client import generate_latest

from serving.autoscale.config import AutoscaleConfig
from serving.autoscale.documents import load_policy
from serving.autoscale.exporter import AutoscalerMetrics
from serving.autoscale.loop import Loop, require_answerable, within
from serving.autoscale.scrape import TIMEOUT_S, Row, parse_page
from serving.autoscale.signals import Unavailable
from serving.autoscale.supervisor import FleetState
from serving.fleet.observers import ScrapeTarget
from serving.rehearsal.clock import VirtualClock
from serving.rehearsal.gateway import dated
from serving.rehearsal.model import Condition, OnScrape
from serving.rehearsal.pages import Pages

_KILLED = -9
_MS = 3


class Process(ABC):
    """A process that can be stopped and killed (`serving.fleet.process.Process`); what it does is `_work`."""

    def __init__(self, name: str, pid: int, clock: VirtualClock) -> None:
        self.name = name
        self.pid = pid
        self.created: float | None = clock.unix()
        self.returncode: int | None = None
        self._clock = clock
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        self._ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._work(), name=name)

    @abstractmethod
    async def _work(self) -> None: ...

    @property
    def condition(self) -> Condition:
        if self.returncode is not None:
            return "gone"
        return "running" if self._goes_on.is_set() else "stopped"

    def freeze(self) -> None:
        self._goes_on.clear()

    def thaw(self) -> None:
        self._goes_on.set()

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def stop(self, *, grace_s: float) -> None:
        self._end(0)

    def kill_session(self) -> None:
        self._end(_KILLED)

    def _end(self, returncode: int) -> None:
        if self.returncode is None:
            self.returncode = returncode
            self._task.cancel()
            self._ended.set_result(returncode)


class Idle(Process):
    """A sidecar that a rehearsal has no use for."""

    async def _work(self) -> None:
        await asyncio.Event().wait()


class Recorder(Process):
    """Scrapes every target on an absolute timeline, as `sre.metrics.recorder`; a tick that comes late is skipped."""

    def __init__(
        self,
        name: str,
        pid: int,
        clock: VirtualClock,
        *,
        targets: Callable[[], Sequence[ScrapeTarget]],
        pages: Pages,
        start_s: float,
        interval_s: float,
        on_scrape: OnScrape,
    ) -> None:
        self._start_s = start_s
        self._targets = targets
        self._pages = pages
        self._interval_s = interval_s
        self._on_scrape = on_scrape
        super().__init__(name, pid, clock)

    async def _work(self) -> None:
        await asyncio.sleep(self._start_s)
        started, tick, now = self._clock.monotonic(), 0, self._clock.monotonic
        while True:
            await self._goes_on.wait()
            self._tick(round(self._clock.unix(), _MS))
            tick = max(tick + 1, int((now() - started) / self._interval_s) + 1)
            await asyncio.sleep(started + tick * self._interval_s - now())

    def _tick(self, at: float) -> None:
        for target in self._targets():
            self._on_scrape(at, named(target), self._pages.read(target.via or target.url))


def named(target: ScrapeTarget) -> str:
    """`gateway`, `autoscaler`, or the replica's name."""
    return dict(target.labels).get("replica", target.job)


class Around:
    """What the autoscaler sees (`serving.autoscale.surroundings.Surroundings`). Stopped, it waits at its next look."""

    def __init__(
        self,
        *,
        state: Callable[[], str],
        scale: Callable[[int, str], Awaitable[int]],
        pages: Pages,
        is_slow: Callable[[str], bool],
        goes_on: asyncio.Event,
    ) -> None:
        self._state = state
        self._scale = scale
        self._pages = pages
        self._is_slow = is_slow
        self._goes_on = goes_on

    async def state(self) -> FleetState:
        await self._goes_on.wait()
        return FleetState.model_validate_json(self._state())

    async def scale(self, replicas: int, reason: str) -> None:
        await self._goes_on.wait()
        await self._scale(replicas, reason)

    async def read(self, url: str) -> list[Row] | str:
        page = self._pages.read(url)
        if page is not None:
            return parse_page(page)
        if self._is_slow(url):
            await asyncio.sleep(TIMEOUT_S)
            return "TimeoutError"
        return "ClientConnectorError"

    async def query(self, url: str, promql: str) -> float | Unavailable | None:
        return Unavailable("a rehearsal has no Prometheus")


class AutoscalerProcess(Process):
    """The live loop on virtual pages. `log` takes its lines."""

    def __init__(
        self,
        pid: int,
        clock: VirtualClock,
        *,
        config: AutoscaleConfig,
        start_s: float,
        around: Callable[[asyncio.Event], Around],
        log: Callable[[dict[str, Any]], None],
    ) -> None:
        self._config = config
        self._start_s = start_s
        self._around = around
        self._log = log
        self._metrics: AutoscalerMetrics | None = None
        super().__init__("autoscaler", pid, clock)

    async def _work(self) -> None:
        await asyncio.sleep(self._start_s)
        policy = load_policy(self._config.policy)
        require_answerable(policy, None)
        around = self._around(self._goes_on)
        loop = Loop(
            self._config,
            within(policy, (await around.state()).spec.max_replicas),
            around,
            clock=self._clock.monotonic,
            now=self._clock.unix,
            log=lambda line: self._log(json.loads(line)),
        )
        self._metrics = loop.metrics
        await loop.run(asyncio.Event())

    def page(self) -> str | None:
        if self._metrics is None or self.condition != "running":
            return None
        return dated(generate_latest(self._metrics.registry).decode(), self.created or 0.0)


def parse_autoscale_config(text: str) -> AutoscaleConfig:
    """What the supervisor writes for its autoscaler."""
    return AutoscaleConfig.model_validate_json(text)
