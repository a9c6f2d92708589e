"""Keeps the gateway running on its port: clients of a crashed one must find the next at the same address."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp

from serving.backoff import Backoff
from serving.errors import EnvironmentLacks
from serving.fleet.gateway import GATEWAY_DRAIN_S
from serving.fleet.journal import Journal
from serving.fleet.model import EndpointInfo
from serving.fleet.process import Process

GRACE_S = GATEWAY_DRAIN_S + 2.0  # else it is killed before it has counted what it had to cut
QUICK_DEATH_S = 10.0
MOST_QUICK_DEATHS = 5
_ASK_PAUSE_S = 0.05
_ASK_TIMEOUT_S = 2.0


async def answers(url: str) -> bool:
    """Whether the gateway's process answers at all."""
    timeout = aiohttp.ClientTimeout(total=_ASK_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(f"{url}/health") as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False


@dataclass(slots=True)
class GatewayKeeper:
    """Supervises the gateway. `spawn` writes its configuration and starts it; `last_words` is the end of its log.

    While the platform starts, its death is the platform's: a wrong configuration does not get better by repeating it.
    """

    info: EndpointInfo
    journal: Journal
    spawn: Callable[[], Awaitable[Process]]
    last_words: Callable[[], str]
    now: Callable[[], float]
    ask: Callable[[str], Awaitable[bool]] = answers
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.1, cap_s=5.0, forgive_after_s=QUICK_DEATH_S))
    _child: Process | None = None
    _quick_deaths: int = 0

    async def run(self) -> None:
        """One iteration is one life. Raises EnvironmentLacks after too many quick deaths in a row."""
        while True:
            lived_s, returncode = await self._one_life()
            self._quick_deaths = self._quick_deaths + 1 if lived_s < QUICK_DEATH_S else 0
            if self.journal.state.phase == "starting" or self._quick_deaths >= MOST_QUICK_DEATHS:
                often = f", {self._quick_deaths} times in a row" if self._quick_deaths > 1 else ""
                raise EnvironmentLacks(f"gateway exited with {returncode}{often}: {self.last_words()}")
            await asyncio.sleep(self.backoff.next_delay(served_s=lived_s))
            self.info.restarts += 1

    async def stop(self) -> None:
        """End it in order: it finishes what is in flight. Cancel `run` first."""
        if self._child is not None:
            await self._child.stop(grace_s=GRACE_S)
            self.info.state, self.info.pid, self.info.created = "stopped", None, None

    async def _one_life(self) -> tuple[float, int]:
        began = self.now()
        child = self._child = await self.spawn()
        self.info.pid, self.info.created = child.pid, child.created
        self.journal.save()
        ready = asyncio.create_task(self._until_it_answers())
        try:
            returncode = await child.wait()
        finally:
            ready.cancel()
            await asyncio.wait({ready})
        if not ready.cancelled():
            ready.result()
        self._child = None
        self.info.state, self.info.pid, self.info.created = "backoff", None, None
        self.journal.event("gateway_exited", pid=child.pid, returncode=returncode)
        return self.now() - began, returncode

    async def _until_it_answers(self) -> None:
        """The first life is called ready by the supervisor, once it routes; later ones as soon as they answer."""
        if not self.info.restarts:
            return
        while not await self.ask(self.info.url):
            await asyncio.sleep(_ASK_PAUSE_S)
        self.info.state = "ready"
        self.journal.event("gateway_restarted", pid=self.info.pid, restarts=self.info.restarts)
