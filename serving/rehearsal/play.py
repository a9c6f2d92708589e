"""One rehearsal from the platform's start to its end: the supervisor's own life, a load, a script, in virtual time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import aiohttp

from serving.autoscale.documents import load_policy
from serving.autoscale.loop import require_answerable
from serving.errors import ServingError
from serving.fleet.model import StateFiles
from serving.fleet.supervisor import Supervisor
from serving.loadgen.client import CompletionClient
from serving.loadgen.model import Schedule
from serving.loadgen.runner import OpenLoop
from serving.rehearsal.clock import VirtualClock, run_virtually
from serving.rehearsal.levers import Levers
from serving.rehearsal.model import OnScrape, Pace, Played, Script, VirtualSpec
from serving.rehearsal.site import Site, no_listener

_POLL_S = 0.05
_MODEL = "llm"
_FILES = StateFiles(Path("rehearsal"))


class TooLong(ServingError):  # noqa: N818  (reads as a sentence)
    """The rehearsal did not come to an end in the virtual time it was given."""


def play(
    spec: VirtualSpec,
    schedule: Schedule,
    script: Script | None,
    *,
    seed: int,
    epoch: float,
    on_scrape: OnScrape,
    pace: Pace = Pace(),  # noqa: B008  (frozen)
) -> Played:
    """Start the platform, offer `schedule` (its prompts made with `seed`), play `script`, end. Blocks; no clock but its
    own is read. Raises ServingError when the platform cannot start, and what `script` raises.
    """
    if spec.platform.autoscale is not None:
        require_answerable(load_policy(Path(spec.platform.autoscale)), None)

    async def main() -> Played:
        rehearsal = _Rehearsal(spec, schedule, seed=seed, epoch=epoch, on_scrape=on_scrape, pace=pace)
        with _told(rehearsal.clock.unix) as lines:
            try:
                async with asyncio.timeout(pace.longest_s):
                    played = await rehearsal.run(script)
            except TimeoutError as error:
                raise TooLong(f"rehearsal: no end after {pace.longest_s:g} s of virtual time") from error
            return replace(played, gateway_log=tuple(lines))

    return run_virtually(main())


class _Rehearsal:
    """One platform, load and script. Create it in the virtual loop."""

    def __init__(
        self, spec: VirtualSpec, schedule: Schedule, *, seed: int, epoch: float, on_scrape: OnScrape, pace: Pace
    ) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop(), epoch)
        self._schedule = schedule
        self._seed = seed
        self._pace = pace
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._site = Site(spec, self.clock, on_scrape=on_scrape, failed=self._fail)
        self._levers = Levers(self._site, lambda: self._load.records)
        client = CompletionClient(
            cast("aiohttp.ClientSession", self._levers.session()),
            url=self._site.state.gateway.url,
            model=_MODEL,
            timeout_s=pace.load_timeout_s,
            clock=self.clock.unix,
        )
        self._load = OpenLoop(client, clock=self.clock.unix, on_record=lambda _: None)
        self._load_stop = asyncio.Event()
        self._times: dict[str, float] = {}

    async def run(self, script: Script | None) -> Played:
        """To the end of the platform. What its parts end with, and what the script raises, is raised."""
        site, stop = self._site, asyncio.Event()
        supervisor = Supervisor(_FILES, site.platform, now=self.clock.unix, wire=site.wire, listen=no_listener)
        began_at = site.chronicle.event("platform_starting")
        async with AsyncExitStack() as stack:
            life = asyncio.create_task(supervisor.live(site.chronicle, stop, stack), name="platform")
            drill = asyncio.create_task(self._drill(script), name="drill")
            try:
                await asyncio.wait({life, drill, self._broken}, return_when=asyncio.FIRST_COMPLETED)
                self._require_well(life)
                await drill
                ended_at, replica_s = self.clock.unix(), site.chronicle.replica_s - self._times["paid"]
            finally:
                await self._end(drill, life, stop)
                site.state.phase = "stopping"
                site.chronicle.event("platform_stopping")
        site.state.phase = "stopped"
        site.chronicle.event("platform_stopped")
        return Played(
            records=self._load.records,
            events=tuple(site.chronicle.events),
            began_at=began_at,
            ready_at=self._times["ready"],
            load_began_at=self._times["load"],
            script_began_at=self._times["script"],
            script_ended_at=self._times["script end"],
            ended_at=ended_at,
            replica_s=replica_s,
            autoscaler_log=tuple(site.autoscaler_log),
        )

    async def _drill(self, script: Script | None) -> None:
        pace, times, chronicle = self._pace, self._times, self._site.chronicle
        while self._site.state.phase != "ready":
            await asyncio.sleep(_POLL_S)
        times["ready"] = self.clock.unix()
        await asyncio.sleep(pace.before_load_s)
        times["load"], times["paid"] = self.clock.unix(), chronicle.replica_s
        load = asyncio.create_task(self._offer(), name="load")
        try:
            await asyncio.sleep(pace.warmup_s)
            times["script"] = self.clock.unix()
            if script is not None:
                await script(self._levers)
            times["script end"] = self.clock.unix()
            await asyncio.wait({load}, timeout=pace.tail_s)
        finally:
            self._load_stop.set()
            await asyncio.wait({load})
        load.result()
        await asyncio.sleep(pace.settle_s)

    async def _offer(self) -> None:
        await asyncio.sleep(self._site.spec.starts.load_start_s)
        await self._load.run(self._schedule, seed=self._seed, stop=self._load_stop)

    async def _end(self, drill: asyncio.Task[None], life: asyncio.Task[None], stop: asyncio.Event) -> None:
        drill.cancel()
        self._levers.end()
        stop.set()
        await asyncio.wait({drill, life})

    def _fail(self, error: BaseException) -> None:
        if not self._broken.done():
            self._broken.set_exception(error)

    def _require_well(self, life: asyncio.Task[None]) -> None:
        for part in (self._broken, life):
            if part.done():
                part.result()


@contextmanager
def _told(now: Callable[[], float]) -> Iterator[list[Mapping[str, Any]]]:
    """The gateway's log lines while the block runs, instead of in any log of this process."""
    logger, lines = logging.getLogger("serving.gateway"), _Lines(now)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(lines)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield lines.said
    finally:
        logger.removeHandler(lines)
        logger.setLevel(level)
        logger.propagate = propagate


class _Lines(logging.Handler):
    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self.said: list[Mapping[str, Any]] = []

    def emit(self, record: logging.LogRecord) -> None:
        fields = getattr(record, "fields", {})
        self.said.append({"at": self._now(), "level": record.levelname.lower(), "event": record.msg, **fields})
