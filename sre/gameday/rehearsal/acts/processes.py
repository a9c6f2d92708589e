"""Faults of processes: a replica's server and its model process, the gateway, the autoscaler."""

from __future__ import annotations

from sre.chaos.faults.model import Lease, Plan
from sre.gameday.rehearsal.acts.model import Act, revive, why_silent
from sre.gameday.rehearsal.stage import WouldFail

GONE_WITHIN_S = 5.0


class Crash(Act):
    """kill -9 of a server."""

    def plan(self) -> Plan:
        return Plan(replicas=(self.chosen().name,))

    async def apply(self, lease: Lease) -> None:
        self.platform.crash(lease.plan.replicas[0])

    async def prove(self, lease: Lease) -> str:
        return f"{lease.plan.target}: its server is gone"


class StubCrash(Crash):
    """kill -9 of the model process alone."""

    async def apply(self, lease: Lease) -> None:
        self.platform.crash(lease.plan.replicas[0], "stub")

    async def prove(self, lease: Lease) -> str:
        (name,) = lease.plan.replicas
        silence = await _require_silent(self, name)
        return f"{name}: its model process is gone; an inference: {silence}"

    async def undo(self, lease: Lease) -> None:
        revive(self.scene, lease.plan.replicas[0])


class Hang(Act):
    """SIGSTOP. A server whose model process hung is killed by the undo, as the real one is."""

    def plan(self) -> Plan:
        return Plan(replicas=(self.chosen().name,), handles={"part": self.param("part")})

    async def apply(self, lease: Lease) -> None:
        if self.param("part") == "stub":
            self.platform.freeze(lease.plan.replicas[0], "stub")
        else:
            self.platform.freeze(lease.plan.replicas[0])

    async def prove(self, lease: Lease) -> str:
        (name,) = lease.plan.replicas
        silence = await _require_silent(self, name)
        return f"{name}: its {self.param('part')} is stopped; an inference: {silence}"

    async def undo(self, lease: Lease) -> None:
        (name,) = lease.plan.replicas
        if self.param("part") == "server":
            if self.platform.condition(name) == "stopped":
                self.platform.thaw(name)
        elif self.platform.condition(name, "stub") == "stopped":
            self.platform.crash(name)


class GatewayCrash(Act):
    """kill -9 of the gateway."""

    def plan(self) -> Plan:
        return Plan(components=("gateway",))

    async def apply(self, lease: Lease) -> None:
        del lease
        self.platform.kill_gateway()

    async def prove(self, lease: Lease) -> str:
        del lease
        return "gateway: its process is gone"

    async def recovered(self, lease: Lease, *, timeout_s: float) -> float:
        if not await self.scene.until(self.platform.gateway_ready, within_s=timeout_s, poll_s=0.05):
            raise WouldFail(f"the gateway is not ready after {timeout_s:g} s")
        back = (float(e["at"]) for e in self.platform.events() if e.get("event") == "gateway_restarted")
        return next((at for at in back if at > lease.begin), self.scene.now())


class AutoscalerDown(Act):
    """The autoscaler is stopped, or killed."""

    def plan(self) -> Plan:
        return Plan(components=("autoscaler",), handles={"how": self.param("how")})

    async def apply(self, lease: Lease) -> None:
        del lease
        if self.param("how") == "kill":
            self.platform.kill_autoscaler()
        else:
            self.platform.stop_autoscaler()

    async def prove(self, lease: Lease) -> str:
        del lease
        return "the autoscaler decides nothing" if self.param("how") == "stop" else "autoscaler: its process is gone"

    async def undo(self, lease: Lease) -> None:
        del lease
        if self.param("how") == "stop":
            self.platform.start_autoscaler()

    async def recovered(self, lease: Lease, *, timeout_s: float) -> float:
        del lease
        if not await self.scene.until(lambda: self.platform.page("autoscaler") is not None, within_s=timeout_s):
            raise WouldFail(f"the autoscaler does not answer after {timeout_s:g} s")
        return self.scene.now()


async def _require_silent(act: Act, name: str) -> str:
    silence = await why_silent(act.scene, name)
    if silence is None:
        raise WouldFail(f"{name}: an inference straight at it still succeeds")
    return silence
