"""What the autoscaler sees of the world, and does to it: one supervisor, metrics pages, a Prometheus.

Here over HTTP. A rehearsal has its own, in which a page is read without a network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import aiohttp

from serving.autoscale.prometheus import instant_value
from serving.autoscale.scrape import Row, read_page
from serving.autoscale.signals import Unavailable
from serving.autoscale.supervisor import FleetState, SupervisorClient


class Surroundings(Protocol):
    """`state` and `scale` raise EnvironmentLacks; what cannot be read or asked is said, not raised."""

    async def state(self) -> FleetState: ...
    async def scale(self, replicas: int, reason: str) -> None: ...
    async def read(self, url: str) -> list[Row] | str:
        """The kept samples of a metrics page, or why there are none."""

    async def query(self, url: str, promql: str) -> float | Unavailable | None:
        """The one value of an instant query to the Prometheus at `url`; None for an empty result."""


class HttpSurroundings:
    """`control` is the path of the supervisor's `control.json`. The caller closes `session`."""

    def __init__(self, session: aiohttp.ClientSession, control: Path) -> None:
        self._session = session
        self._supervisor = SupervisorClient(session, control)

    async def state(self) -> FleetState:
        return await self._supervisor.state()

    async def scale(self, replicas: int, reason: str) -> None:
        await self._supervisor.scale(replicas, reason)

    async def read(self, url: str) -> list[Row] | str:
        return await read_page(self._session, url)

    async def query(self, url: str, promql: str) -> float | Unavailable | None:
        return await instant_value(self._session, url, promql)
