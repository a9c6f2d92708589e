"""The ways that lead elsewhere for a while: the gateway's to a replica, through a fault proxy; observers' to a page.

Both go by the supervisor's routes, as on the live platform, so the gateway sees another address, and the journal tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from serving.errors import BadInput
from serving.fleet.membership import Refused
from serving.fleet.model import Route
from serving.fleet.routes import GATEWAY
from serving.rehearsal.line import NO_RULES, Proxy
from serving.rehearsal.model import NetworkRules, PageMode
from serving.rehearsal.pages import Read, frozen, nothing, scaled
from serving.rehearsal.site import AUTOSCALER, RECORDER, Site

_FOREVER_S = 86_400.0 * 365
_ROUTED_S, _RUNNING_S, _LOOK_S = 2.0, 1.0, 0.1


class Ways:
    """`inflight` counts the gateway's attempts by replica."""

    def __init__(self, site: Site, inflight: Callable[[], Mapping[str, int]]) -> None:
        self._site = site
        self._inflight = inflight
        self._proxies: dict[str, tuple[str, Proxy]] = {}
        self._arming: dict[str, asyncio.Task[None]] = {}
        self._crash_loops: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []

    def end(self) -> None:
        """Nothing goes on."""
        for task in self._tasks:
            task.cancel()

    # to a replica

    def network(self, name: str, rules: NetworkRules | None) -> None:
        known = self._proxies.pop(name, None)
        if (arming := self._arming.pop(name, None)) is not None:
            arming.cancel()
        if known is not None and rules is None:
            known[1].arm(NO_RULES)  # what still runs through it may end in peace
            self._arming[name] = self._spawn(self._unroute(name, known[0]))
        elif known is not None and rules is not None:
            self._proxies[name] = known
            known[1].arm(rules)
        elif rules is not None:
            self._require_free(name)
            address = f"127.0.0.1:{self._site.pick(1)[0]}"
            proxy = self._site.replicas.put_proxy(address, name)
            self._proxies[name] = (address, proxy)
            self._arming[name] = self._spawn(self._route(name, address, proxy, rules))

    async def _route(self, name: str, address: str, proxy: Proxy, rules: NetworkRules) -> None:
        """Lead the gateway through the proxy; its rules hold once work goes through it, or soon."""
        await self._put_route(name, Route(address, self._site.clock.unix() + _FOREVER_S, grpc_address=address))
        await self._until(lambda: proxy.accepted > 0, _ROUTED_S)
        await self._until(lambda: self._inflight().get(name, 0) > 0, _RUNNING_S)
        proxy.arm(rules)

    def _require_free(self, name: str) -> None:
        """Raises Refused, as the supervisor would a moment later, where no other way can be put to a replica."""
        info = self._site.replicas.seat(name).info
        if info.state != "ready":
            raise Refused(f"replica {name} is {info.state}: only one that is ready gets another way to it")
        if info.route is not None:
            raise Refused(f"{name} has another way to it already (of {info.route.owner}): end that one first")

    async def _unroute(self, name: str, owner: str) -> None:
        if self._site.routes is not None:
            await self._site.routes.drop(name, owner=owner)

    async def _put_route(self, name: str, route: Route) -> None:
        if self._site.routes is None:
            raise RuntimeError("the platform is not wired")
        await self._site.routes.put(name, route)

    async def _until(self, holds: Callable[[], bool], within_s: float) -> None:
        deadline = self._site.clock.unix() + within_s
        while not holds() and self._site.clock.unix() < deadline:
            await asyncio.sleep(_LOOK_S)

    # to a page

    def metrics(self, target: str, mode: PageMode, *, factor: float = 1.0, prefix: str = "") -> None:
        if target == RECORDER:
            self._record(mode)
            return
        own, owner = self.page_url(target, routed=False), f"metrics of {target}"
        if mode == "true":
            self._spawn(self._unroute(target, owner))
            return
        if target != GATEWAY:
            self._require_free(target)
        true = partial(self._site.pages.read, own)
        way = f"http://127.0.0.1:{self._site.pick(1)[0]}/metrics"
        false: dict[PageMode, Read] = {
            "down": nothing,
            "frozen": frozen(true),
            "scaled": scaled(true, factor, prefix),
        }
        self._site.pages.put(way, false[mode])
        self._spawn(self._put_route(target, Route(owner, self._site.clock.unix() + _FOREVER_S, metrics_url=way)))

    def _record(self, mode: PageMode) -> None:
        """Of the recorder itself: stopped, or ended as often as it is started."""
        if mode == "scaled":
            raise BadInput("rehearsal: a recorder has no page that could be scaled: name a target")
        self._crash_loops.discard(RECORDER)
        process = self._site.observer(RECORDER)
        if mode == "true":
            process.thaw()
        elif mode == "frozen":
            process.freeze()
        else:
            self._crash_loops.add(RECORDER)
            self._spawn(self._keep_down(RECORDER))

    async def _keep_down(self, name: str) -> None:
        while name in self._crash_loops:
            self._site.observer(name).kill_session()
            await asyncio.sleep(_LOOK_S)

    def page_url(self, target: str, *, routed: bool = True) -> str:
        """Where the target's page is read; by those that follow routes, or its own address."""
        state = self._site.state
        if target == GATEWAY:
            own, route = f"{state.gateway.url}/metrics", state.gateway.route
        elif target == AUTOSCALER and state.autoscaler is not None:
            own, route = f"{state.autoscaler.url}/metrics", None
        else:
            info = self._site.replicas.seat(target).info
            own, route = info.metrics_url, info.route
        way = route.metrics_url if route is not None and routed else None
        return way or own

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(_hear)
        self._tasks.append(task)
        return task


def _hear(task: asyncio.Task[None]) -> None:
    """What went wrong where nobody waits is an error of the rehearsal."""
    if not task.cancelled():
        task.result()
