"""Faults of the machine the platform runs on: its CPUs, its memory, its clock. (Its disk: `disk.py`.)"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import ClassVar

import psutil

from sre.chaos.faults.background import background_processes, end_background, start_background
from sre.chaos.faults.engine_keys import put_keys, require_free, take_keys
from sre.chaos.faults.memory import MIB, Memory, memory_now
from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.parameters import number, require, whole
from sre.chaos.faults.targets import chosen, until
from sre.chaos.processes.pressure import HOLDS
from sre.errors import PlatformError, SreError
from sre.platforms.model import Platform
from sre.platforms.spawn import last_lines

PRESSURE = "sre.chaos.processes.pressure"
SKEW_KEY = "clock_skew_s"
PROMPT = "what time is it"
_ENOUGH_CPU_S = 0.5
_START_S = 5.0


@dataclass(frozen=True, slots=True)
class CpuPressure(Fault):
    """Processes that compute nothing, as important as the platform's. `workers` None: one for each core."""

    name: ClassVar[str] = "cpu-pressure"
    family: ClassVar[Family] = "host"
    summary: ClassVar[str] = "other processes take the host's cores"
    protects: ClassVar[str] = "CPU reserve; slow is not down: patience by pace, no restarts"

    workers: int | None = None
    load_percent: float = 100.0

    def __post_init__(self) -> None:
        require(
            self.name,
            None if self.workers is None else whole("workers", self.workers, least=1, most=cores()),
            number("load_percent", self.load_percent, above=0, most=100),
        )

    def plan(self, platform: Platform) -> Plan:
        workers = cores() if self.workers is None else self.workers
        return Plan(components=("host",), handles={"workers": workers, "load_percent": self.load_percent})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        plan = lease.plan.handles
        start_background(platform, lease, PRESSURE, ("cpu", str(plan["workers"]), str(plan["load_percent"])))

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        """A share of what was asked is enough: on a machine that is busy anyhow the scheduler gives no more."""
        workers, asked = lease.plan.handles["workers"], lease.plan.handles["load_percent"] / 100
        if not until(lambda: len(background_processes(lease.fault_id)) == workers, within_s=_START_S):
            raise NotProven(f"cpu-pressure: not all {workers} burners run {_START_S:g} s after their start")
        burners = background_processes(lease.fault_id)
        before, began = _cpu_s(burners), time.monotonic()
        until(lambda: _cpu_s(burners) - before >= workers * asked * _ENOUGH_CPU_S, within_s=_START_S)
        used_s, span_s = _cpu_s(burners) - before, time.monotonic() - began
        if used_s < workers * asked * _ENOUGH_CPU_S:
            raise NotProven(
                f"cpu-pressure: {workers} burner(s) got {used_s:.2f} s of CPU in {span_s:.1f} s: is their CPU limited?"
            )
        host = psutil.cpu_percent(interval=0.2)
        return f"{workers} burner(s) use {used_s / span_s:.2f} of {cores()} cores, the host is {host:.0f} % busy"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        end_background(lease)


@dataclass(frozen=True, slots=True)
class MemoryPressure(Fault):
    """A process that holds `memory_mb` MiB; refused when too little would be left for everybody else."""

    name: ClassVar[str] = "memory-pressure"
    family: ClassVar[Family] = "host"
    summary: ClassVar[str] = "another process holds most of the free memory"
    protects: ClassVar[str] = "memory reserve; the out-of-memory killer takes the eater first"

    memory_mb: int = 1024

    def __post_init__(self) -> None:
        require(self.name, whole("memory_mb", self.memory_mb, least=1, most=10_000_000))

    def plan(self, platform: Platform) -> Plan:
        memory = memory_now()
        require_left(memory, self.memory_mb)
        handles = {"memory_mb": self.memory_mb, "available_mb": memory.available // MIB}
        return Plan(components=("host",), handles=handles)

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        start_background(platform, lease, PRESSURE, ("memory", str(lease.plan.handles["memory_mb"])))

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        asked_mb = lease.plan.handles["memory_mb"]
        log = platform.state_dir / "logs" / f"{lease.fault}-{lease.fault_id}.log"
        until(lambda: bool(last_lines(log, count=1)), within_s=_START_S + asked_mb / 256)
        said, resident_mb = last_lines(log, count=1), _resident_mb(lease.fault_id)
        if not said.startswith(HOLDS) or resident_mb < asked_mb:
            raise NotProven(f"memory-pressure: {resident_mb} of {asked_mb} MiB are resident: {said or 'it hangs'}")
        before_mb, left_mb = lease.plan.handles["available_mb"], memory_now().available // MIB
        return f"{resident_mb} MiB are resident; available before {before_mb}, now {left_mb} MiB"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        end_background(lease)


@dataclass(frozen=True, slots=True)
class ClockSkew(Fault):
    """A replica's clock is `skew_s` seconds ahead (below 0: behind), so it judges deadlines wrongly."""

    name: ClassVar[str] = "clock-skew"
    family: ClassVar[Family] = "host"
    summary: ClassVar[str] = (
        "a replica's clock is wrong: it drops requests that have time, or serves those that have none"
    )
    protects: ClassVar[str] = "deadlines kept by the gateway's own clock; deadlines as durations, not as times"

    skew_s: float = 300.0
    replica: str = "any"
    seed: int = 0

    def __post_init__(self) -> None:
        wrong = number("skew_s", self.skew_s, above=-86400, most=86400)
        require(
            self.name,
            wrong or (f"skew_s is {self.skew_s!r}: write 2 or more, or -2 or less" if abs(self.skew_s) < 2 else None),
        )

    def plan(self, platform: Platform) -> Plan:
        target = chosen(platform, self.replica, seed=self.seed)
        keys = {SKEW_KEY: self.skew_s}
        require_free(platform, target.name, keys)
        return Plan(replicas=(target.name,), handles={"keys": keys})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        put_keys(platform, lease.plan.target, lease.plan.handles["keys"])

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        name, skew_s = lease.plan.target, float(lease.plan.handles["keys"][SKEW_KEY])
        shown: list[str] = []

        def judged_wrongly() -> bool:
            with contextlib.suppress(PlatformError):  # it may be busy: asked again
                shown.append(_wrong_judgement(platform, name, skew_s))
            return bool(shown and shown[-1])

        if not until(judged_wrongly, within_s=_START_S):
            raise NotProven(f"clock-skew: {name} judges deadlines rightly, or does not answer: is its engine emulated?")
        return shown[-1]

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        take_keys(platform, lease.plan.target, lease.plan.handles["keys"])


def cores() -> int:
    """Those we may run on."""
    return len(os.sched_getaffinity(0))


def require_left(memory: Memory, memory_mb: int) -> None:
    """Raises SreError when too little would stay available."""
    left_mb, floor_mb = memory.available // MIB - memory_mb, memory.floor // MIB
    if left_mb < floor_mb:
        raise SreError(
            f"memory-pressure: {memory_mb} MiB would leave {left_mb} MiB available, {floor_mb} must stay: "
            f"write memory_mb up to {max(0, memory.available // MIB - floor_mb)}"
        )


def _wrong_judgement(platform: Platform, replica: str, skew_s: float) -> str:
    """What a request with a deadline half the skew away showed; empty when it was judged as by a right clock."""
    deadline_at = time.time() + skew_s / 2
    error = platform.infer(replica, PROMPT, deadline_at=deadline_at).error
    left_s = deadline_at - time.time()
    if skew_s > 0 and error is not None and "DEADLINE_EXCEEDED" in error and left_s > 0:
        return f"{replica}: a request was dropped as late {left_s:.1f} s before its deadline"
    if skew_s < 0 and error is None:
        return f"{replica}: a request was served {-left_s:.1f} s after its deadline"
    return ""


def _cpu_s(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def _resident_mb(fault_id: str) -> int:
    total = 0
    for process in background_processes(fault_id):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total // MIB
