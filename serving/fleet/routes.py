"""Routes: for a while, the gateway reaches a replica, or observers a metrics page, at another address than its own.

That is how a fault proxy gets in front of a replica. A route belongs to who set it, so that an undo that comes twice
takes nobody else's away, and it ends by itself at its deadline: with its owner dead the platform still comes back.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from serving.errors import BadInput
from serving.fleet.journal import Journal
from serving.fleet.membership import Refused, UnknownReplica
from serving.fleet.model import EndpointInfo, ReplicaInfo, Route

GATEWAY = "gateway"
LOOK_EVERY_S = 0.5

Routed = ReplicaInfo | EndpointInfo


class Routes:
    """The routes of one platform. `now` is Unix time; `tell_gateway` and `on_targets` pass a change on."""

    def __init__(
        self,
        journal: Journal,
        *,
        tell_gateway: Callable[[], Awaitable[None]],
        on_targets: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._tell_gateway = tell_gateway
        self._on_targets = on_targets
        self._now = now

    async def run(self) -> None:
        """End routes at their deadlines, until cancelled."""
        while True:
            await self.expire()
            await asyncio.sleep(LOOK_EVERY_S)

    async def put(self, name: str, route: Route) -> None:
        """Set the route of a replica, or of `gateway` (its metrics page only); its owner may set it anew.

        Raises UnknownReplica, BadInput for a route that leads nowhere or ends in the past, Refused when somebody
        else's is there or the replica does not serve.
        """
        info = self._find(name)
        if route.grpc_address is None and route.metrics_url is None:
            raise BadInput(f"{name}: a route needs grpc_address, metrics_url or both")
        if isinstance(info, EndpointInfo) and route.grpc_address is not None:
            raise BadInput(f"{name}: only its metrics_url can be routed")
        if route.until <= self._now():
            raise BadInput(f"{name}: until is {route.until:g}, which is past: give a time to come (Unix time)")
        if info.route is not None and info.route.owner != route.owner:
            raise Refused(f"{name} has a route already (of {info.route.owner}): end that one first")
        if isinstance(info, ReplicaInfo) and info.state != "ready":
            raise Refused(f"replica {name} is {info.state}: only one that is ready gets a route")
        await self._change(info, route)

    async def drop(self, name: str, *, owner: str) -> bool:
        """Take a route back; False when there is none of this owner any more. Raises UnknownReplica."""
        info = self._find(name)
        if info.route is None or info.route.owner != owner:
            return False
        await self._change(info, None)
        return True

    async def expire(self) -> None:
        """Take back what is past its deadline."""
        now = self._now()
        for info in self._journal.state.routable():
            if info.route is not None and now >= info.route.until:
                with contextlib.suppress(OSError):  # a full disk: at the next look
                    await self._change(info, None)

    async def _change(self, info: Routed, route: Route | None) -> None:
        """Raises OSError when it cannot be written down; it is as before then, so that it can be asked again."""
        before, info.route = info.route, route
        changed = [route for route in (before, route) if route is not None]
        try:
            if any(route.metrics_url is not None for route in changed):
                self._on_targets()
            self._note(info)
        except OSError:
            info.route = before
            raise
        if any(route.grpc_address is not None for route in changed):
            await self._tell_gateway()

    def _note(self, info: Routed) -> None:
        replica = info.name if isinstance(info, ReplicaInfo) else None
        self._journal.event(
            "replica_rerouted" if replica else "gateway_rerouted",
            replica=replica,
            must=True,
            route=None if info.route is None else asdict(info.route),
        )

    def _find(self, name: str) -> Routed:
        if name == GATEWAY:
            return self._journal.state.gateway
        names = {replica.name: replica for replica in self._journal.state.replicas}
        if name not in names:
            raise UnknownReplica(f"replica {name!r} does not exist: use one of {', '.join(sorted(names))}")
        return names[name]
