"""Faults of a replica's processes: its server, and the model process (stub) in which the engine runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.parameters import one_of, require
from sre.chaos.faults.serving import revive, serving_again, why_silent
from sre.chaos.faults.targets import chosen, require_not_stopped, until
from sre.errors import PlatformError
from sre.platforms.model import Handle, Platform, Unsupported

GONE_WITHIN_S = 5.0
STOPPED_WITHIN_S = 2.0
PARTS = ("server", "stub")


class _OfProcesses(Fault):
    """A fault whose handles are the replica's processes, `server` and `stub`, as they were."""

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        return serving_again(platform, lease.plan.replicas, timeout_s=timeout_s)


@dataclass(frozen=True, slots=True)
class ReplicaCrash(_OfProcesses):
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
        _require_gone(platform, server, f"{lease.plan.target}: its server")
        return f"{lease.plan.target}: its server{_pid(server)} is gone"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        """A process that was killed needs no undoing."""


@dataclass(frozen=True, slots=True)
class StubCrash(_OfProcesses):
    """kill -9 of the model process alone: the server stays green, and every request fails after a second.

    It never mends itself. The undo kills the server, unless it was replaced or has an engine again.
    """

    name: ClassVar[str] = "stub-crash"
    family: ClassVar[Family] = "replica"
    summary: ClassVar[str] = "kill -9 of the model process: green health over a dead engine"
    protects: ClassVar[str] = "ejection by failed inferences, the supervisor's restart of unhealthy replicas"
    platforms: ClassVar[tuple[str, ...]] = ("local", "kubernetes")

    replica: str = "busiest"
    seed: int = 0

    def plan(self, platform: Platform) -> Plan:
        return _plan_of_both(platform, self.replica, self.seed)

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        platform.signal(lease.plan.handles["stub"], "kill")

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        (name,), stub = lease.plan.replicas, lease.plan.handles["stub"]
        _require_gone(platform, stub, f"{name}: its model process")
        silence = _require_silent(platform, name)
        server = platform.condition(lease.plan.handles["server"])
        return f"{name}: its model process{_pid(stub)} is gone, its server {server}; an inference: {silence}"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        for name in lease.plan.replicas:
            revive(platform, name)


@dataclass(frozen=True, slots=True)
class ReplicaHang(_OfProcesses):
    """SIGSTOP of the server, or of the model process (`part: stub`): then health stays green over a hung engine.

    A server goes on when it is continued. A server whose model process hung does not survive its waking (it aborts on
    their common lock), so that one is killed, and the supervisor starts both.
    """

    name: ClassVar[str] = "replica-hang"
    family: ClassVar[Family] = "replica"
    summary: ClassVar[str] = "SIGSTOP of a replica's server, or of its model process"
    protects: ClassVar[str] = "ejection by forward progress, mid-stream failover"
    platforms: ClassVar[tuple[str, ...]] = ("local", "kubernetes")

    replica: str = "busiest"
    part: str = "server"
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.name, one_of("part", self.part, PARTS))

    def plan(self, platform: Platform) -> Plan:
        plan = _plan_of_both(platform, self.replica, self.seed)
        require_not_stopped(platform, plan.handles[self.part], f"{plan.target}: its {self.part}")
        return Plan(replicas=plan.replicas, handles={**plan.handles, "part": self.part})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        platform.signal(_hung(lease), "stop")

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        (name,), part = lease.plan.replicas, lease.plan.handles["part"]
        if not until(lambda: platform.condition(_hung(lease)) == "stopped", within_s=STOPPED_WITHIN_S):
            raise NotProven(f"{name}: its {part} is {platform.condition(_hung(lease))} after SIGSTOP, not stopped")
        silence = _require_silent(platform, name)
        return f"{name}: its {part}{_pid(_hung(lease))} is stopped; an inference: {silence}"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        if lease.plan.handles["part"] == "stub" and platform.condition(_hung(lease)) == "stopped":
            platform.signal(lease.plan.handles["server"], "kill")
            platform.signal(lease.plan.handles["stub"], "kill")
        else:  # one that still runs may have its stop before it: on busy cores the kernel takes seconds to carry it out
            platform.signal(_hung(lease), "continue")
        if not until(lambda: platform.condition(_hung(lease)) != "stopped", within_s=STOPPED_WITHIN_S):
            raise PlatformError(f"{lease.plan.target}: its {lease.plan.handles['part']} stays stopped: see it in `ps`")


def _plan_of_both(platform: Platform, selector: str, seed: int) -> Plan:
    name = chosen(platform, selector, seed=seed).name
    return Plan(replicas=(name,), handles={part: dict(platform.process(part, name)) for part in ("server", "stub")})


def _hung(lease: Lease) -> Handle:
    handle: Handle = lease.plan.handles[lease.plan.handles["part"]]
    return handle


def _require_gone(platform: Platform, process: Handle, whose: str) -> None:
    if not until(lambda: platform.condition(process) == "gone", within_s=GONE_WITHIN_S):
        raise NotProven(
            f"{whose} still runs {GONE_WITHIN_S:g} s after SIGKILL: it hangs in the kernel, see its state in `ps`"
        )


def _require_silent(platform: Platform, name: str) -> str:
    try:
        silence = why_silent(platform, name)
    except Unsupported as cannot:  # a cluster: what the process table says must do
        return f"none was made ({cannot})"
    if silence is None:
        raise NotProven(f"{name}: an inference straight at it still succeeds")
    return silence


def _pid(process: Handle) -> str:
    return f" ({process['pid']})" if "pid" in process else ""
