"""Faults of a replica's processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.targets import chosen, until
from sre.platforms.model import Platform

GONE_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class ReplicaCrash(Fault):
    """kill -9 of a replica's server process. There is nothing to undo: the supervisor starts it again."""

    name: ClassVar[str] = "replica-crash"
    family: ClassVar[Family] = "replica"
    summary: ClassVar[str] = "kill -9 of a replica's server process"
    protects: ClassVar[str] = "mid-stream failover, restart by the supervisor"
    platforms: ClassVar[tuple[str, ...]] = ("local", "kubernetes")

    replica: str = "busiest"
    seed: int = 0

    def plan(self, platform: Platform) -> Plan:
        target = chosen(platform, self.replica, seed=self.seed)
        return Plan(replicas=(target.name,), handles={"server": dict(platform.process("server", target.name))})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        platform.signal(lease.plan.handles["server"], "kill")

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        server = lease.plan.handles["server"]
        if not until(lambda: platform.condition(server) == "gone", within_s=GONE_WITHIN_S):
            raise NotProven(
                f"{lease.plan.target}: its server still runs {GONE_WITHIN_S:g} s after SIGKILL: "
                "it hangs in the kernel, see its state in `ps`"
            )
        return f"{lease.plan.target}: its server process {server.get('pid', '')} is gone".replace("process  ", "")

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        """A process that was killed needs no undoing."""
