"""Which act rehearses which fault, and why some faults have none. The table in docs is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sre.chaos.faults.catalogue import fault_names
from sre.gameday.rehearsal.acts import engines, machines, network, processes, traffic, watching
from sre.gameday.rehearsal.acts.model import Act
from sre.reports.rehearsal.model import Coverage

_ACTS: Mapping[str, type[Act]] = MappingProxyType(
    {
        "replica-crash": processes.Crash,
        "stub-crash": processes.StubCrash,
        "replica-hang": processes.Hang,
        "replica-slow": engines.Slow,
        "gpu-xid": engines.GpuError,
        "kv-exhaustion": engines.KvExhaustion,
        "poison-request": engines.Poison,
        "model-load-failure": engines.ModelLoadFailure,
        "bad-rollout": engines.BadRollout,
        "cold-start": engines.ColdStart,
        "network-latency": network.Latency,
        "network-loss": network.Loss,
        "network-reset": network.Reset,
        "network-bandwidth": network.Bandwidth,
        "network-partition": network.Partition,
        "memory-pressure": watching.MemoryPressure,
        "disk-full": watching.DiskFull,
        "clock-skew": engines.ClockSkew,
        "gateway-crash": processes.GatewayCrash,
        "autoscaler-down": processes.AutoscalerDown,
        "spot-preemption": machines.SpotPreemption,
        "zone-loss": machines.ZoneLoss,
        "metrics-down": watching.MetricsDown,
        "metrics-stale": watching.MetricsStale,
        "metrics-lying": watching.MetricsLying,
        "traffic-surge": traffic.Surge,
        "long-prompt-flood": traffic.Surge,
        "retry-storm": traffic.RetryStorm,
        "disconnect-storm": traffic.DisconnectStorm,
        "autoscaler-thrash": machines.Thrash,
    }
)
_NOT: Mapping[str, str] = MappingProxyType(
    {
        "cpu-pressure": "how processes share this machine's cores is not modelled: play the drill",
        "dns-failure": "the local platform resolves no names: it is a fault of Kubernetes only",
    }
)


def act_of(fault: str) -> type[Act] | None:
    """None for a fault that is not rehearsed."""
    return _ACTS.get(fault)


def coverage_of(fault: str) -> Coverage:
    """Of a fault of the catalogue; one that nobody wrote an act for is not rehearsed."""
    act = _ACTS.get(fault)
    if act is None:
        return Coverage(fault, "not rehearsed", _NOT.get(fault, "no act is written for it yet: play the drill"))
    return Coverage(fault, act.fidelity, act.note)


def coverage() -> tuple[Coverage, ...]:
    """Of every fault there is, in the catalogue's order."""
    return tuple(coverage_of(name) for name in fault_names())
