"""Machines that are taken away: one with notice (spot preemption), or several without (a zone is lost).

What is taken stays away until the fault is undone. A process that is killed would be back in seconds, so the platform
is told to leave it out of service (`drain`), and to bring it back (`undrain`) by the undo.
"""

from __future__ import annotations

import contextlib
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from sre.chaos.faults.background import end_background, start_background
from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.parameters import number, require
from sre.chaos.faults.serving import serving_again
from sre.chaos.faults.targets import chosen, found_by, until
from sre.errors import PlatformError
from sre.platforms.model import Platform, Replica
from sre.platforms.state import NotUp

GONE_WITHIN_S = 5.0
DRAIN_SEEN_S = 5.0
AFTER_NOTICE_S = 10.0
_AWAY = ("draining", "drained", "stopped", "backoff")


@dataclass(frozen=True, slots=True)
class SpotPreemption(Fault):
    """The cloud takes a replica's machine back: a notice of `notice_s` seconds, in which it is drained, then it is gone
    whatever it still does. It comes back when the fault is undone.
    """

    name: ClassVar[str] = "spot-preemption"
    family: ClassVar[Family] = "control-plane"
    summary: ClassVar[str] = "a replica gets notice, is drained, and is gone when the notice ends"
    protects: ClassVar[str] = "drain within the notice, streams moved to other replicas"
    platforms: ClassVar[tuple[str, ...]] = ("local", "kubernetes")

    notice_s: float = 5.0
    replica: str = "busiest"
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.name, number("notice_s", self.notice_s, above=0, most=600))

    def plan(self, platform: Platform) -> Plan:
        target = chosen(platform, self.replica, seed=self.seed)
        handles = {"process": dict(platform.process("server", target.name)), "notice_s": self.notice_s}
        return Plan(replicas=(target.name,), handles=handles)

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        notice_s = float(lease.plan.handles["notice_s"])
        gone_at = lease.begin + notice_s
        if gone_at >= lease.deadline_at:
            raise PlatformError(f"spot-preemption: undone before its notice of {notice_s:g} s ends: lengthen lease_s")
        arguments = (found_by(platform), json.dumps(lease.plan.handles["process"]), repr(gone_at))
        start_background(platform, lease, "sre.chaos.processes.preemption", arguments)
        platform.drain(lease.plan.target, grace_s=notice_s, force=True)  # the blast radius guards the last one

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        name, process = lease.plan.target, lease.plan.handles["process"]
        if not until(lambda: _is_away(platform, name), within_s=DRAIN_SEEN_S):
            raise NotProven(f"{name}: not seen draining within {DRAIN_SEEN_S:g} s of the notice: see `sre status`")
        within_s = lease.begin + lease.plan.handles["notice_s"] + AFTER_NOTICE_S - time.time()
        if not until(lambda: platform.condition(process) == "gone", within_s=within_s):
            raise NotProven(f"{name}: it still runs {AFTER_NOTICE_S:g} s after its notice ended: see `sre status`")
        return f"{name}: was drained, and was gone {time.time() - lease.begin:.1f} s after the notice"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        end_background(lease)
        bring_back(platform, lease.plan.replicas)

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        return back_in_service(platform, lease.plan.replicas, timeout_s=timeout_s)


@dataclass(frozen=True, slots=True)
class ZoneLoss(Fault):
    """kill -9 of several replicas at once: `replicas` is how many (drawn by `seed`) or their names. With `stay_away`
    they are not started again before the fault is undone, as when their zone is gone.
    """

    name: ClassVar[str] = "zone-loss"
    family: ClassVar[Family] = "control-plane"
    summary: ClassVar[str] = "several replicas are gone at once, without notice"
    protects: ClassVar[str] = "mid-stream failover, spare capacity, shedding by priority"
    platforms: ClassVar[tuple[str, ...]] = ("local", "kubernetes")

    replicas: int | list[str] | tuple[str, ...] = 2
    stay_away: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.name, _wrong_replicas(self.replicas), _wrong_switch("stay_away", self.stay_away))

    def plan(self, platform: Platform) -> Plan:
        names = drawn(platform.replicas(), self.replicas, seed=self.seed)
        servers = {name: dict(platform.process("server", name)) for name in names}
        return Plan(replicas=names, handles={"servers": servers, "stay_away": self.stay_away})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        for server in lease.plan.handles["servers"].values():
            platform.signal(server, "kill")
        if lease.plan.handles["stay_away"]:
            for name in _listed(platform, lease.plan.replicas):
                platform.drain(name, grace_s=0.0, force=True)

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        servers = lease.plan.handles["servers"]
        until(lambda: all(platform.condition(s) == "gone" for s in servers.values()), within_s=GONE_WITHIN_S)
        left = [name for name, server in servers.items() if platform.condition(server) != "gone"]
        if left:
            raise NotProven(f"{', '.join(left)}: still runs {GONE_WITHIN_S:g} s after SIGKILL: see its state in `ps`")
        return f"{lease.plan.target}: their server processes are gone"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        if lease.plan.handles["stay_away"]:
            bring_back(platform, lease.plan.replicas)

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        return back_in_service(platform, lease.plan.replicas, timeout_s=timeout_s)


def drawn(there: Sequence[Replica], wanted: int | Sequence[str], *, seed: int) -> tuple[str, ...]:
    """The ready replicas that are meant: by name, or so many drawn by `seed`. Raises PlatformError."""
    ready = sorted(replica.name for replica in there if replica.state == "ready")
    if isinstance(wanted, int):
        if wanted > len(ready):
            raise PlatformError(f"zone-loss: {wanted} replicas asked for, {len(ready)} are ready: start more")
        return tuple(sorted(random.Random(seed).sample(ready, wanted)))  # noqa: S311  (a choice to be replayed)
    missing = sorted(set(wanted) - set(ready))
    if missing:
        raise PlatformError(f"zone-loss: {', '.join(missing)} is not ready: use some of {', '.join(ready) or 'none'}")
    return tuple(dict.fromkeys(wanted))


def bring_back(platform: Platform, names: Sequence[str]) -> None:
    """Let these replicas serve again where they still belong to the platform. Raises PlatformError, when all others are
    back, for those that are not: one that a scale-in takes is refused until it has left. Repeatable.
    """
    refused = []
    with contextlib.suppress(NotUp):  # then nothing of it is away
        for name in _listed(platform, names):
            try:
                platform.undrain(name)
            except NotUp:
                raise
            except PlatformError as error:
                refused.append(str(error))
    if refused:
        raise PlatformError("; ".join(refused))


def back_in_service(platform: Platform, names: Sequence[str], *, timeout_s: float) -> float:
    """Since when all of them serve again, Unix time. Raises PlatformError on timeout.

    What is still told to be drained was asked back a moment ago, unless somebody else drains it: then it stays so.
    """

    def asked_back() -> bool:
        return not any(replica.name in names and replica.state == "drained" for replica in platform.replicas())

    until(asked_back, within_s=min(timeout_s, GONE_WITHIN_S))
    return serving_again(platform, names, timeout_s=timeout_s)


def _listed(platform: Platform, names: Sequence[str]) -> list[str]:
    """Those that the platform still has under these names: a pod that was killed comes back under another."""
    there = {replica.name for replica in platform.replicas()}
    return [name for name in names if name in there]


def _is_away(platform: Platform, name: str) -> bool:
    replica = next((replica for replica in platform.replicas() if replica.name == name), None)
    return replica is None or replica.state in _AWAY or replica.serving is False


def _wrong_replicas(value: object) -> str | None:
    if type(value) is int and value >= 1:
        return None
    if isinstance(value, list | tuple) and value and all(isinstance(name, str) for name in value):
        return None
    return f"replicas is {value!r}: write how many (1 or more), or a list of names"


def _wrong_switch(name: str, value: object) -> str | None:
    return None if isinstance(value, bool) else f"{name} is {value!r}: write true or false"
