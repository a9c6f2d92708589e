"""Faults of what steers the replicas: the gateway and the autoscaler. (Machines that are taken back: `machines.py`.)"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from sre.chaos.faults.http_status import status_of
from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.parameters import one_of, require
from sre.chaos.faults.targets import require_not_stopped, until
from sre.errors import PlatformError
from sre.platforms.model import Platform
from sre.platforms.state import EventTail

GONE_WITHIN_S = 5.0
AUTOSCALER_METRIC = "sre_autoscaler_desired_replicas"


@dataclass(frozen=True, slots=True)
class GatewayCrash(Fault):
    """kill -9 of the gateway, with all it has in flight. The supervisor starts it again on the same port."""

    name: ClassVar[str] = "gateway-crash"
    family: ClassVar[Family] = "control-plane"
    summary: ClassVar[str] = "kill -9 of the gateway: every open stream is cut"
    protects: ClassVar[str] = "restart on the same port; clients that try again"

    def plan(self, platform: Platform) -> Plan:
        return Plan(components=("gateway",), handles={"process": dict(platform.process("gateway"))})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        platform.signal(lease.plan.handles["process"], "kill")

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        return _require_gone(platform, lease, "gateway")

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        """A process that was killed needs no undoing."""

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        """It says that it is ready: it has a replica that passed an inference."""
        if is_ready(platform):
            return _restarted_at(platform, lease) or time.time()
        if not until(lambda: is_ready(platform), within_s=timeout_s):
            raise PlatformError(f"the gateway is not ready after {timeout_s:g} s: see logs/gateway.log")
        return time.time()


@dataclass(frozen=True, slots=True)
class AutoscalerDown(Fault):
    """The autoscaler decides nothing any more: stopped (`how: stop`, until undone) or killed (it is started again)."""

    name: ClassVar[str] = "autoscaler-down"
    family: ClassVar[Family] = "control-plane"
    summary: ClassVar[str] = "nobody scales: the autoscaler is stopped or killed"
    protects: ClassVar[str] = "replicas stay as they are; admission sheds what they cannot carry"
    needs: ClassVar[tuple[str, ...]] = ("autoscaler",)

    how: str = "stop"

    def __post_init__(self) -> None:
        require(self.name, one_of("how", self.how, ("stop", "kill")))

    def plan(self, platform: Platform) -> Plan:
        process = dict(platform.process("autoscaler"))
        if self.how == "stop":
            require_not_stopped(platform, process, "the autoscaler")
        return Plan(components=("autoscaler",), handles={"how": self.how, "process": process})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        platform.signal(lease.plan.handles["process"], lease.plan.handles["how"])

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        if lease.plan.handles["how"] == "kill":
            return _require_gone(platform, lease, "autoscaler")
        process = lease.plan.handles["process"]
        if not until(lambda: platform.condition(process) == "stopped", within_s=GONE_WITHIN_S):
            raise NotProven(f"autoscaler: it is {platform.condition(process)}, not stopped: see its state in `ps`")
        return f"the autoscaler's process {process.get('pid', '')} is stopped and decides nothing"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        if lease.plan.handles["how"] == "stop":
            platform.signal(lease.plan.handles["process"], "continue")

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        if not until(lambda: _answers(platform, "autoscaler"), within_s=timeout_s):
            raise PlatformError(f"the autoscaler does not answer after {timeout_s:g} s: see logs/autoscaler.log")
        return time.time()


def is_ready(platform: Platform) -> bool:
    """Whether the gateway has a replica that passed an inference."""
    return status_of(f"{platform.gateway_url}/ready") == 200


def _restarted_at(platform: Platform, lease: Lease) -> float | None:
    """When the supervisor saw it answer again after the fault began; None where nobody wrote that down."""
    events = EventTail(platform.state_dir).new()
    times = [float(event["at"]) for event in events if event.get("event") == "gateway_restarted"]
    return next((at for at in times if at > lease.begin), None)


def _answers(platform: Platform, where: str) -> bool:
    try:
        return bool(platform.metric(where, AUTOSCALER_METRIC))
    except PlatformError:
        return False


def _require_gone(platform: Platform, lease: Lease, who: str) -> str:
    """The proof of a kill. Raises NotProven."""
    process = lease.plan.handles["process"]
    if not until(lambda: platform.condition(process) == "gone", within_s=GONE_WITHIN_S):
        raise NotProven(f"{who}: still runs {GONE_WITHIN_S:g} s after SIGKILL: see its state in `ps`")
    return f"the {who}'s process {process.get('pid', '')} is gone"
