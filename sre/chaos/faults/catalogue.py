"""Which class stands for which fault. Classes are imported when they are asked for: the watchdog must start fast."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from sre.chaos.faults.model import Fault
from sre.errors import SreError

_PACKAGE = "sre.chaos.faults"
_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "replica-crash": "replica:ReplicaCrash",
        "stub-crash": "replica:StubCrash",
        "replica-hang": "replica:ReplicaHang",
        "replica-slow": "engine:ReplicaSlow",
        "gpu-xid": "engine:GpuError",
        "kv-exhaustion": "engine:KvExhaustion",
        "poison-request": "poison:PoisonRequest",
        "model-load-failure": "engine_start:ModelLoadFailure",
        "bad-rollout": "engine_start:BadRollout",
        "cold-start": "engine_start:ColdStart",
        "network-latency": "network:NetworkLatency",
        "network-loss": "network:NetworkLoss",
        "network-reset": "network:NetworkReset",
        "network-bandwidth": "network:NetworkBandwidth",
        "network-partition": "partition:NetworkPartition",
        "cpu-pressure": "host:CpuPressure",
        "memory-pressure": "host:MemoryPressure",
        "disk-full": "disk:DiskFull",
        "clock-skew": "host:ClockSkew",
        "gateway-crash": "control_plane:GatewayCrash",
        "autoscaler-down": "control_plane:AutoscalerDown",
        "spot-preemption": "machines:SpotPreemption",
        "zone-loss": "machines:ZoneLoss",
        "metrics-down": "telemetry:MetricsDown",
        "metrics-stale": "telemetry:MetricsStale",
        "metrics-lying": "lying:MetricsLying",
        "traffic-surge": "traffic:TrafficSurge",
        "long-prompt-flood": "traffic:LongPromptFlood",
        "retry-storm": "traffic:RetryStorm",
        "disconnect-storm": "traffic:DisconnectStorm",
        "autoscaler-thrash": "capacity:AutoscalerThrash",
    }
)


_ON_KUBERNETES: Mapping[str, str] = MappingProxyType(
    {
        "gpu-xid": "kubernetes:DcgmXid",
        "network-partition": "kubernetes:PodPartition",
        "dns-failure": "kubernetes:DnsFailure",
    }
)
"""What a cluster does by other means than one machine, or alone."""


def fault_names() -> tuple[str, ...]:
    """Every fault, in the order of the table in docs/chaos.md."""
    return tuple(dict.fromkeys((*_CLASSES, *_ON_KUBERNETES)))


def fault_class(name: str, driver: str = "local") -> type[Fault]:
    """How a driver has this fault. Raises SreError, listing what there is, for an unknown name."""
    where = (_ON_KUBERNETES.get(name) if driver == "kubernetes" else None) or _CLASSES.get(name)
    if where is None:
        where = _ON_KUBERNETES.get(name)
    if where is None:
        raise SreError(f"fault {name!r} does not exist: use one of {', '.join(fault_names())}")
    module, _, cls = where.partition(":")
    found: type[Fault] = getattr(importlib.import_module(f"{_PACKAGE}.{module}"), cls)
    return found
