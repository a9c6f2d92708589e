"""Compares what the gateway does with what the platform wants, twice a second, and mends the difference.

The gateway judges replicas by the work they do; the supervisor owns their processes. A replica that the gateway has
held out of rotation for long although its process lives is beyond waiting for: it is killed and started again. While
it holds out all of them the fault may be its own: then they are replaced one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from serving.fleet.gateway import GatewayCalls, GatewaySilent, Rotation
from serving.fleet.journal import Journal
from serving.fleet.membership import Membership
from serving.fleet.model import SCALE_IN_GRACE_S, ReplicaInfo

LOOK_EVERY_S = 0.5
START_LOOK_EVERY_S = 0.1  # somebody waits
MISSES_FORGIVEN = 3  # a gateway that is late once has not lost its replicas


def held_out_s(replica: ReplicaInfo, seen: Rotation, *, now: float) -> float:
    """How long a living replica has been kept from work, seconds: what came before this life's first answer is its
    cold start. 0 for one that serves, is draining, or does not claim to be ready.
    """
    if replica.state != "ready" or replica.ready_at is None or seen.serves or seen.state == "draining":
        return 0.0
    return max(0.0, min(seen.down_s, now - replica.ready_at))


@dataclass(slots=True)
class RotationWatch:
    """`unhealthy_restart_s` as in the platform's specification; `now` is Unix time. `start_limit_s` is what one start
    may take: so long, and as long again as a replica is held out, the next waits while none serves.
    """

    journal: Journal
    gateway: GatewayCalls
    members: Membership
    unhealthy_restart_s: float
    now: Callable[[], float]
    start_limit_s: float = 60.0
    _misses: int = 0
    _none_before: float = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(START_LOOK_EVERY_S if self.journal.state.phase == "starting" else LOOK_EVERY_S)

    async def look(self) -> None:
        """One comparison."""
        self.journal.catch_up()
        try:
            seen = {view.name: view for view in await self.gateway.replicas()}
        except GatewaySilent:
            self._misses += 1
            if self._misses >= MISSES_FORGIVEN:
                self._note({})
            return
        self._misses = 0
        self._note(seen)
        self._replace_unhealthy(seen)
        with contextlib.suppress(GatewaySilent):
            await self._mend(seen)

    def serving(self) -> int:
        """How many replicas the gateway routes to, as of the last look."""
        return sum(replica.serving for replica in self.journal.state.replicas)

    def _note(self, seen: Mapping[str, Rotation]) -> None:
        news = [r.routed(seen[r.name].state if r.name in seen else None) for r in self.journal.state.replicas]
        if any(news):
            self.journal.save()

    def _replace_unhealthy(self, seen: Mapping[str, Rotation]) -> None:
        now = self.now()
        for replica, held_s in self._due(seen, now=now):
            replica.state = "stopped"  # else it would be killed again before its keeper has seen its end
            self.members.replace(replica.name, down_s=held_s)
            self._none_before = now + self.start_limit_s + self.unhealthy_restart_s

    def _due(self, seen: Mapping[str, Rotation], *, now: float) -> list[tuple[ReplicaInfo, float]]:
        """Whom to replace now, each with the seconds it has been held out; one at most while none serves."""
        replicas = self.journal.state.replicas
        held = [(r, held_out_s(r, seen[r.name], now=now)) for r in replicas if r.name in seen]
        due = [(replica, held_s) for replica, held_s in held if held_s >= self.unhealthy_restart_s]
        if any(view.serves for view in seen.values()):
            self._none_before = 0.0
            return due
        if now < self._none_before:
            return []
        return sorted(due, key=lambda entry: entry[1])[-1:]

    async def _mend(self, seen: Mapping[str, Rotation]) -> None:
        """Calls that were lost, or that a restarted gateway never got."""
        entries = self.members.entries()
        if not _same_replicas(entries, seen):
            await self.gateway.put(entries)
        for replica in self.journal.state.replicas:
            view = seen.get(replica.name)
            if view is None:
                continue
            if replica.state == "draining" and view.serves:
                await self.gateway.drain(replica.name, grace_s=SCALE_IN_GRACE_S)
            elif replica.state == "ready" and view.state == "draining":
                await self.gateway.undrain(replica.name)


def _same_replicas(entries: Sequence[Mapping[str, Any]], seen: Mapping[str, Rotation]) -> bool:
    """Whether the gateway has these replicas and no others, each at the address it is to be reached at."""
    wanted = {str(entry["name"]): entry["grpc_address"] for entry in entries}
    return wanted.keys() == seen.keys() and all(
        view.grpc_address in (None, wanted[name]) for name, view in seen.items()
    )
