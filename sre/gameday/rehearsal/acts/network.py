"""Faults of the network between the gateway and one replica, by the rules of the fault proxy."""

from __future__ import annotations

from sre.chaos.faults.model import Lease, Plan
from sre.gameday.rehearsal.acts.model import Act
from sre.platforms.local.rehearse import NetworkRules

ROUTED_S = 0.2
RUNNING_S = 1.0
ROUND_TRIPS = 6
SILENT_S = 1.5


class NetworkAct(Act):
    """A proxy is put in the way of one replica, transparent at first; its rules hold once work goes through it."""

    fidelity = "approximate"
    note = "the proxy's rules act on messages, not on TCP segments"

    def rules(self) -> NetworkRules:
        raise NotImplementedError

    def proof_s(self) -> float:
        """How long the real fault looks before it says what it saw."""
        return 0.1

    def plan(self) -> Plan:
        return Plan(replicas=(self.chosen().name,))

    async def apply(self, lease: Lease) -> None:
        (name,) = lease.plan.replicas
        await self.platform.sleep(self.scene.paces.helper_start_s + ROUTED_S)
        await self.scene.until(lambda: self.scene.inflight().get(name, 0) > 0, within_s=RUNNING_S)
        self.platform.network(name, self.rules())

    async def prove(self, lease: Lease) -> str:
        await self.platform.sleep(self.proof_s())
        return f"{lease.plan.target}: {self.fault.summary}"

    async def undo(self, lease: Lease) -> None:
        self.platform.network(lease.plan.replicas[0], None)


class Latency(NetworkAct):
    def rules(self) -> NetworkRules:
        return NetworkRules(
            delay_s=float(self.param("latency_ms")) / 1000,
            jitter_s=float(self.param("jitter_ms")) / 1000,
            direction=self.param("direction"),
            seed=int(self.param("seed")),
        )

    def proof_s(self) -> float:
        ways = 2 if self.param("direction") == "both" else 1
        return ROUND_TRIPS / 2 * ways * float(self.param("latency_ms")) / 1000


class Loss(NetworkAct):
    def rules(self) -> NetworkRules:
        return NetworkRules(
            loss_ratio=float(self.param("loss_ratio")), direction=self.param("direction"), seed=int(self.param("seed"))
        )

    def proof_s(self) -> float:
        return 1.0


class Reset(NetworkAct):
    def rules(self) -> NetworkRules:
        return NetworkRules(
            reset_after_bytes=1024 * int(self.param("after_kib")),
            reset_share=float(self.param("share")),
            seed=int(self.param("seed")),
        )


class Bandwidth(NetworkAct):
    def rules(self) -> NetworkRules:
        return NetworkRules(bandwidth_bps=1000 * float(self.param("kbit_per_s")), seed=int(self.param("seed")))

    def proof_s(self) -> float:
        return 1.2


class Partition(NetworkAct):
    def rules(self) -> NetworkRules:
        return NetworkRules(cut=True, direction=self.param("direction"), seed=int(self.param("seed")))

    def proof_s(self) -> float:
        return SILENT_S
