"""Machines that are taken away, and a replica count that does not come to rest."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import cast

from sre.chaos.faults.capacity import youngest
from sre.chaos.faults.machines import drawn
from sre.chaos.faults.model import Lease, Plan
from sre.errors import PlatformError, SreError
from sre.gameday.rehearsal.acts.model import Act, serving_again
from sre.gameday.rehearsal.stage import Scene, WouldFail
from sre.platforms.local.errors import serving_errors_as_ours

GONE_WITHIN_S = 5.0
AFTER_NOTICE_S = 10.0
MOVED_WITHIN_S = 15.0


class AwayAct(Act):
    """What comes back when it is undone."""

    async def undo(self, lease: Lease) -> None:
        there = {replica.name for replica in self.scene.replicas()}
        for name in lease.plan.replicas:
            if name in there:
                await self.platform.undrain(name)

    async def recovered(self, lease: Lease, *, timeout_s: float) -> float:
        names = lease.plan.replicas

        def asked_back() -> bool:
            return not any(r.name in names and r.state == "drained" for r in self.scene.replicas())

        await self.scene.until(asked_back, within_s=min(timeout_s, GONE_WITHIN_S), poll_s=0.05)
        return await serving_again(self.scene, names, timeout_s=timeout_s)


class SpotPreemption(AwayAct):
    """A notice, a drain, and the end whatever still runs."""

    killing: asyncio.Task[None] | None = None

    def plan(self) -> Plan:
        return Plan(replicas=(self.chosen().name,), handles={"notice_s": self.param("notice_s")})

    async def apply(self, lease: Lease) -> None:
        notice_s = float(self.param("notice_s"))
        if lease.begin + notice_s >= lease.deadline_at:
            raise PlatformError(f"spot-preemption: undone before its notice of {notice_s:g} s ends: lengthen lease_s")
        self.killing = asyncio.ensure_future(self._killed(lease, lease.begin + notice_s))
        await self.platform.drain(lease.plan.target, grace_s=notice_s, force=True)

    async def prove(self, lease: Lease) -> str:
        (name,), within_s = lease.plan.replicas, float(self.param("notice_s")) + AFTER_NOTICE_S
        if not await self.scene.until(lambda: self.platform.condition(name) == "gone", within_s=within_s, poll_s=0.05):
            raise WouldFail(f"{name}: it still runs {AFTER_NOTICE_S:g} s after its notice ended")
        return f"{name}: was drained, and was gone {self.scene.now() - lease.begin:.1f} s after the notice"

    async def undo(self, lease: Lease) -> None:
        if self.killing is not None:
            self.killing.cancel()
        await super().undo(lease)

    async def _killed(self, lease: Lease, at: float) -> None:
        await self.platform.sleep(max(0.0, at - self.scene.now()))
        if self.platform.condition(lease.plan.target) != "gone":
            self.platform.crash(lease.plan.target)


class ZoneLoss(AwayAct):
    """kill -9 of several at once."""

    def plan(self) -> Plan:
        names = drawn(self.scene.replicas(), self.param("replicas"), seed=int(self.param("seed")))
        return Plan(replicas=names, handles={"stay_away": self.param("stay_away")})

    async def apply(self, lease: Lease) -> None:
        for name in lease.plan.replicas:
            self.platform.crash(name)
        if self.param("stay_away"):
            for name in lease.plan.replicas:
                await self.platform.drain(name, grace_s=0.0, force=True)

    async def prove(self, lease: Lease) -> str:
        return f"{lease.plan.target}: their server processes are gone"

    async def undo(self, lease: Lease) -> None:
        if self.param("stay_away"):
            await super().undo(lease)


class Thrash(Act):
    """Out and in, one change each `period_s`."""

    scaling: asyncio.Task[None] | None = None
    before = 0

    def plan(self) -> Plan:
        there, self.before = self.scene.replicas(), self.platform.desired_replicas()
        if self.before > int(self.param("high")):
            raise PlatformError(
                f"autoscaler-thrash: {self.before} replicas run, high is {self.param('high')}: raise it"
            )
        leaving = youngest(there, len(there) - int(self.param("low")))
        return Plan(replicas=leaving, components=("autoscaler",))

    async def apply(self, lease: Lease) -> None:
        await self.platform.sleep(self.scene.paces.helper_start_s)
        self.scaling = asyncio.ensure_future(self._thrash(lease))

    async def prove(self, lease: Lease) -> str:
        del lease
        within_s = MOVED_WITHIN_S + float(self.param("period_s"))

        def moved() -> bool:
            return len(self.scene.replicas()) != self.before

        if not await self.scene.until(moved, within_s=within_s, poll_s=0.05):
            raise WouldFail(f"autoscaler-thrash: still {self.before} replicas after {within_s:g} s")
        return f"replicas went from {self.before} to {len(self.scene.replicas())}"

    async def undo(self, lease: Lease) -> None:
        if self.scaling is not None:
            self.scaling.cancel()
        await scale_to(self.scene, self.before, reason=f"undo of fault {lease.fault_id}")

    async def recovered(self, lease: Lease, *, timeout_s: float) -> float:
        del lease

        def settled() -> bool:
            there = self.scene.replicas()
            return len(there) == self.before and all(r.state == "ready" and r.serving is not False for r in there)

        if not await self.scene.until(settled, within_s=timeout_s, poll_s=0.05):
            raise WouldFail(f"not {self.before} serving replicas after {timeout_s:g} s")
        return max((replica.ready_at or 0.0 for replica in self.scene.replicas()), default=0.0)

    async def _thrash(self, lease: Lease) -> None:
        for wanted in itertools.cycle((int(self.param("high")), int(self.param("low")))):
            with contextlib.suppress(SreError):  # refused: the real one writes it to its log, and tries the next
                await scale_to(self.scene, wanted, reason=f"fault {lease.fault_id}")
            await self.platform.sleep(cast("float", self.param("period_s")))


async def scale_to(scene: Scene, replicas: int, *, reason: str) -> None:
    """Ask for so many. Raises SreError when it is refused."""
    with serving_errors_as_ours():
        await scene.platform.scale(replicas, reason=reason)
