"""Capacity that comes and goes for no reason: starts are paid for and serve nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from sre.chaos.faults.background import end_background, start_background
from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.parameters import number, require, whole
from sre.chaos.faults.targets import found_by, until
from sre.chaos.leases.ledger import Ledger
from sre.errors import PlatformError
from sre.platforms.model import Platform, Replica
from sre.platforms.spawn import last_lines
from sre.platforms.state import NotUp

MOVED_WITHIN_S = 15.0


@dataclass(frozen=True, slots=True)
class AutoscalerThrash(Fault):
    """Out to `high` replicas and in to `low`, one change each `period_s`. Undone by going back to the count before."""

    name: ClassVar[str] = "autoscaler-thrash"
    family: ClassVar[Family] = "capacity"
    summary: ClassVar[str] = "the replica count jumps up and down: cold starts are billed that serve nobody"
    protects: ClassVar[str] = "stabilization windows and scaling limits; drain before scale-in; a cost alert"
    platforms: ClassVar[tuple[str, ...]] = ("local", "kubernetes")

    low: int = 2
    high: int = 4
    period_s: float = 10.0

    def __post_init__(self) -> None:
        require(
            self.name,
            whole("low", self.low, least=1, most=1000),
            whole("high", self.high, least=1, most=1000),
            number("period_s", self.period_s, above=0.5, most=3600),
        )
        require(
            self.name, f"low is {self.low}, high {self.high}: put low below high" if self.low >= self.high else None
        )

    def plan(self, platform: Platform) -> Plan:
        if any(fault.fault == self.name for fault in Ledger(platform.state_dir).open_faults()):
            raise PlatformError("autoscaler-thrash: one is under way, so nobody knows the count before: heal it first")
        there, before = platform.replicas(), platform.desired_replicas()
        if len(there) != before:  # a count that moves by itself would be taken for the proof
            raise PlatformError(f"autoscaler-thrash: {len(there)} replicas are there, {before} are wanted: wait")
        if before > self.high:
            raise PlatformError(f"autoscaler-thrash: {before} replicas run, high is {self.high}: raise it")
        leaving = youngest(there, len(there) - self.low)
        handles = {
            "low": self.low,
            "high": self.high,
            "period_s": self.period_s,
            "before": before,
            "platform": platform_mark(platform),
        }
        return Plan(replicas=leaving, components=("autoscaler",), handles=handles)

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        plan = lease.plan.handles
        arguments = (found_by(platform), str(plan["low"]), str(plan["high"]), str(plan["period_s"]))
        start_background(platform, lease, "sre.chaos.processes.thrash", arguments)

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        before, within_s = int(lease.plan.handles["before"]), MOVED_WITHIN_S + float(lease.plan.handles["period_s"])
        counts: list[int] = [before]

        def moved() -> bool:
            counts.append(len(platform.replicas()))
            return counts[-1] != before

        if not until(moved, within_s=within_s):
            said = last_lines(_log(platform, lease), count=1) or "it said nothing"
            raise NotProven(f"autoscaler-thrash: still {before} replicas after {within_s:g} s: {said}")
        return f"replicas went from {before} to {counts[-1]}"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        end_background(lease)
        if platform_mark(platform) == lease.plan.handles["platform"]:
            platform.scale(lease.plan.handles["before"], reason=f"undo of fault {lease.fault_id}")

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        """As many replicas as before, and each serves."""
        before = lease.plan.handles["before"]
        if not until(lambda: _settled(platform.replicas(), before), within_s=timeout_s):
            raise PlatformError(f"not {before} serving replicas after {timeout_s:g} s: see `sre status`")
        return max((replica.ready_at or 0.0 for replica in platform.replicas()), default=0.0)


def youngest(there: tuple[Replica, ...], surplus: int) -> tuple[str, ...]:
    """The replicas that a scale-in takes: those that do not serve, then the youngest; none for no surplus."""
    youngest_first = there[::-1]
    order = sorted(youngest_first, key=lambda replica: replica.serving is not False)
    return tuple(replica.name for replica in order[: max(0, surplus)])


def platform_mark(platform: Platform) -> Any:
    """What tells this platform from a later one in the same place; None where none is up, or the driver has no mark."""
    try:
        platform.replicas()
        return getattr(platform, "platform_id", "")
    except NotUp:
        return None


def _settled(there: tuple[Replica, ...], wanted: int) -> bool:
    return len(there) == wanted and all(r.state == "ready" and r.serving is not False for r in there)


def _log(platform: Platform, lease: Lease) -> Path:
    return platform.state_dir / "logs" / f"{lease.fault}-{lease.fault_id}.log"
