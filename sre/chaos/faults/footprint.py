"""How much a fault will hit, said from its parameters alone: for the lint, which has no platform to plan on.

The plan made at run time decides; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sre.chaos.faults.model import Fault

SELECTORS = ("busiest", "any", "random")
OBSERVERS = ("recorder", "prometheus")
_BY_FAULT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cpu-pressure": ("host",),
        "memory-pressure": ("host",),
        "gateway-crash": ("gateway",),
        "autoscaler-down": ("autoscaler",),
        "autoscaler-thrash": ("autoscaler",),
        "metrics-lying": OBSERVERS,
    }
)


@dataclass(frozen=True, slots=True)
class Footprint:
    """`named` are replicas known by name, `chosen` how many more are chosen when it is injected."""

    named: tuple[str, ...] = ()
    chosen: int = 0
    components: tuple[str, ...] = ()


def footprint(fault: Fault, *, replicas: int) -> Footprint:
    """What the fault will hit at most on a platform of so many replicas."""
    components = _components(fault)
    if fault.name == "poison-request":
        return Footprint(chosen=min(replicas, int(getattr(fault, "max_crashed", replicas))))
    if fault.name == "autoscaler-thrash":
        return Footprint(chosen=max(0, replicas - int(getattr(fault, "low", 0))), components=components)
    return _replicas(fault, components)


def _replicas(fault: Fault, components: tuple[str, ...]) -> Footprint:
    several, one = getattr(fault, "replicas", None), getattr(fault, "replica", None)
    if isinstance(several, int):
        return Footprint(chosen=several, components=components)
    if isinstance(several, list | tuple):
        return Footprint(named=tuple(str(name) for name in several), components=components)
    if one is None or components:
        return Footprint(components=components)
    return Footprint(chosen=1) if one in SELECTORS else Footprint(named=(str(one),))


def _components(fault: Fault) -> tuple[str, ...]:
    if fault.name == "disk-full":
        return ("host", "recorder") if getattr(fault, "how", "") == "ballast" else (str(getattr(fault, "victim", "")),)
    if fault.name in ("metrics-down", "metrics-stale"):
        target = str(getattr(fault, "target", ""))
        return OBSERVERS if target == "exporter" else (target,)
    return _BY_FAULT.get(fault.name, ("traffic",) if fault.family == "traffic" else ())
