"""Who belongs to the platform while it runs: replicas join, drain, come back and leave.

Each change is a task of its own, so that a drain of thirty seconds blocks nobody. What the gateway must know is also
repeated by `rotation.py` until it does, so a call that is lost here costs a moment, not the outcome.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from serving.errors import BadInput, ServingError
from serving.fleet.critical import Critical
from serving.fleet.gateway import Capacity, GatewayCalls, GatewaySilent, replica_entries
from serving.fleet.journal import Journal
from serving.fleet.model import DRAIN_MARGIN_S, SCALE_IN_GRACE_S, ReplicaInfo
from serving.fleet.plan import PortPicker, new_replica
from serving.fleet.ports import free_ports
from serving.fleet.replica import ReplicaKeeper

_POLL_S = 0.1


class UnknownReplica(BadInput):
    """No replica of this platform has that name."""


class Refused(ServingError):  # noqa: N818  (reads as a sentence)
    """The platform will not do it in its present condition; the message says what to wait for or to add."""

    exit_code = 1


@dataclass(slots=True)
class _Member:
    keeper: ReplicaKeeper
    life: asyncio.Task[None] | None = None
    change: asyncio.Task[None] | None = None
    leaving: bool = False
    scraped: bool = True

    @property
    def info(self) -> ReplicaInfo:
        return self.keeper.info

    @property
    def halting(self) -> bool:
        return self.life is not None and (self.life.cancelling() > 0 or self.life.done())

    async def halt(self) -> None:
        """End its process. May be given up half way and called again: a second cancel would cut its orderly stop."""
        if self.life is None:
            return
        if not self.halting:
            self.life.cancel()
        await asyncio.wait({self.life})
        self.life = None


class Membership:
    """The replicas of one platform. `on_targets` is told when the set of pages to scrape has changed; `pick` finds the
    ports of one that joins.
    """

    def __init__(
        self,
        journal: Journal,
        *,
        keeper_of: Callable[[ReplicaInfo], ReplicaKeeper],
        gateway: GatewayCalls,
        capacity: Capacity,
        critical: Critical,
        on_targets: Callable[[], None],
        pick: PortPicker = free_ports,
    ) -> None:
        self._journal = journal
        self._keeper_of = keeper_of
        self._gateway = gateway
        self._capacity = capacity
        self._critical = critical
        self._on_targets = on_targets
        self._pick = pick
        self._members: dict[str, _Member] = {}

    def start(self) -> None:
        """Start the replicas the platform was planned with."""
        for info in self._journal.state.replicas:
            self._start(info)

    def scraped(self) -> list[ReplicaInfo]:
        """The replicas whose metrics pages are meant to answer, oldest first."""
        return [member.info for member in self._members.values() if member.scraped]

    def entries(self) -> list[dict[str, Any]]:
        """What the gateway is to route to."""
        return replica_entries(self._journal.state.replicas, self._capacity)

    def late(self) -> list[str]:
        """Replicas that do not serve yet, each with the end of its log."""
        return [f"{m.info.name} ({m.keeper.last_words()})" for m in self._members.values() if m.info.state != "ready"]

    async def scale(self, wanted: int, *, reason: str) -> int:
        """Have `wanted` replicas, at most the platform's `max_replicas`; returns at once how many it will be.

        Those that serve not leave first, then the youngest. Raises BadInput below 1.
        """
        state = self._journal.state
        if wanted < 1:
            raise BadInput(f"replicas is {wanted}: use 1 to {state.spec.max_replicas}; `sre down` ends the platform")
        wanted = min(wanted, state.spec.max_replicas)  # an autoscaler's policy may know a larger fleet than this one
        staying = [member for member in self._members.values() if not member.leaving]
        if wanted != len(staying):
            state.desired_replicas = wanted
            detail: dict[str, Any] = {"from": len(staying), "to": wanted, "reason": reason}
            self._journal.event("scaled", **detail)
        youngest_first = staying[::-1]
        surplus = sorted(youngest_first, key=lambda m: m.info.serving)[: max(0, len(staying) - wanted)]
        for member in surplus:  # all at once, before anything is waited for: nobody may count on them meanwhile
            member.leaving = True
            self._show_leaving(member)
        for member in surplus:
            await self._change(member, self._leave(member))
        for _ in range(wanted - len(staying)):
            info = new_replica(state, pick=self._pick)
            self._start(info)
            state.replicas.append(info)
        if wanted > len(staying):
            self._on_targets()
            await self.tell_gateway()
        return wanted

    async def drain(self, name: str, *, grace_s: float, restart: bool = False, force: bool = False) -> None:
        """Begin to take a replica out of service; its process ends when it is empty. Raises Refused for the last one
        that serves, unless forced; idempotent while it drains.
        """
        member = self._staying(name)
        if member.info.state == "drained" and not restart:
            return
        others = (m for m in self._members.values() if m is not member and not m.keeper.draining)
        if not force and not any(other.info.serving for other in others):
            raise Refused(f"replica {name} is the last one that serves: start another first (`sre scale`), or force it")
        self._show_leaving(member)  # now: another drain in this moment must see it
        await self._change(member, self._take_out(member, grace_s=grace_s, restart=restart))

    async def undrain(self, name: str) -> None:
        """Give a draining or drained replica its work back."""
        member = self._staying(name)
        if member.keeper.draining:
            await self._change(member, self._bring_back(member))

    def replace(self, name: str, *, down_s: float) -> None:
        """Kill a replica that the gateway holds out although its process lives; its keeper starts it again."""
        member = self._members[name]
        self._journal.event("replica_unhealthy", replica=name, pid=member.info.pid, down_s=round(down_s, 3))
        member.keeper.kill()

    async def stop(self) -> None:
        """End every replica, whatever is being done with it."""
        changes = [member.change for member in self._members.values() if member.change is not None]
        for change in changes:
            change.cancel()
        await asyncio.gather(*changes, return_exceptions=True)
        await asyncio.gather(*(member.halt() for member in self._members.values()))

    def _start(self, info: ReplicaInfo) -> None:
        member = self._members[info.name] = _Member(self._keeper_of(info))
        self._live(member)

    def _live(self, member: _Member) -> None:
        member.life = self._critical.start(member.keeper.run(), name=member.info.name)

    def _scrape(self, member: _Member, wanted: bool) -> None:
        if member.scraped != wanted:
            member.scraped = wanted
            self._on_targets()

    def _staying(self, name: str) -> _Member:
        member = self._members.get(name)
        if member is None:
            raise UnknownReplica(f"replica {name!r} does not exist: use one of {', '.join(sorted(self._members))}")
        self._refuse_leaving(member)
        return member

    @staticmethod
    def _refuse_leaving(member: _Member) -> None:
        if member.leaving:
            name = member.info.name
            raise Refused(f"replica {name} is leaving (scale-in): it cannot be kept, scale out again instead")

    @staticmethod
    def _show_leaving(member: _Member) -> None:
        if member.life is not None:
            member.keeper.leave()

    async def _change(self, member: _Member, work: Coroutine[Any, Any, None]) -> None:
        """Do this with the member, instead of what is being done with it. Of several that wait here for the same end
        the last one counts; once the member is leaving, only that does.
        """
        may_stay = not member.leaving
        while member.change is not None and not member.change.done():
            member.change.cancel()
            await asyncio.wait({member.change})
        if may_stay and member.leaving:
            work.close()
            self._refuse_leaving(member)
        member.change = self._critical.start(work, name=member.info.name)

    async def _leave(self, member: _Member) -> None:
        await self._empty_and_halt(member, grace_s=SCALE_IN_GRACE_S)
        self._members.pop(member.info.name)
        self._journal.state.replicas.remove(member.info)
        self._journal.save()
        await self.tell_gateway()

    async def _take_out(self, member: _Member, *, grace_s: float, restart: bool) -> None:
        await self._empty_and_halt(member, grace_s=grace_s)
        if restart:
            await self._bring_back(member)

    async def _bring_back(self, member: _Member) -> None:
        if member.halting:
            await member.halt()
        member.keeper.stay()
        if member.life is None:
            self._live(member)
        self._scrape(member, True)
        with contextlib.suppress(GatewaySilent):
            await self._gateway.undrain(member.info.name)
        self._journal.save()

    async def _empty_and_halt(self, member: _Member, *, grace_s: float) -> None:
        info, now = member.info, asyncio.get_running_loop().time
        if member.life is None:
            return
        began = now()
        member.keeper.leave()
        self._journal.event("replica_drain_started", replica=info.name, pid=info.pid, grace_s=grace_s)
        left = await self._until_empty(member, grace_s=grace_s)
        self._scrape(member, False)  # before its page is gone: a replica that left is not one that is down
        await member.halt()
        info.state = "drained"
        self._journal.event("replica_drained", replica=info.name, inflight_left=left, seconds=round(now() - began, 3))

    async def _until_empty(self, member: _Member, *, grace_s: float) -> int:
        """Returns the requests still in flight when the grace ended; they were moved elsewhere, or cut with the end."""
        now = asyncio.get_running_loop().time
        name, began, left, told = member.info.name, now(), 0, False
        while now() < began + grace_s + DRAIN_MARGIN_S and not member.halting:
            with contextlib.suppress(GatewaySilent):
                if not told:
                    await self._gateway.drain(name, grace_s=max(0.0, began + grace_s - now()))
                    told = True
                view = next((view for view in await self._gateway.replicas() if view.name == name), None)
                inflight = 0 if view is None else view.inflight
                told = view is None or not view.serves  # a gateway restarted meanwhile knows nothing of the drain
                if told and inflight == 0:
                    return left if now() > began + grace_s else 0
                left = inflight if now() <= began + grace_s else left
            await asyncio.sleep(_POLL_S)
        return left

    async def tell_gateway(self) -> None:
        """Tell it whom to route to, and where they are reached."""
        with contextlib.suppress(GatewaySilent):  # `rotation.py` tells it again
            await self._gateway.put(self.entries())
