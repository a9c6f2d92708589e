"""How much a fault will hit, said from its parameters alone: for the lint, which has no platform to plan on.

The plan made at run time decides; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sre.chaos.faults.model import Fault

SELECTORS = ("busiest", "any", "random")
_BY_FAMILY: Mapping[str, tuple[str, ...]] = MappingProxyType({"traffic": ("traffic",), "capacity": ("autoscaler",)})
_BY_FAULT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cpu-pressure": ("host",),
        "memory-pressure": ("host",),
        "gateway-crash": ("gateway",),
        "autoscaler-down": ("autoscaler",),
        "metrics-stale": ("recorder",),
        "metrics-lying": ("recorder",),
    }
)


@dataclass(frozen=True, slots=True)
class Footprint:
    """`named` are replicas known by name, `chosen` how many more are chosen when it is injected."""

    named: tuple[str, ...] = ()
    chosen: int = 0
    components: tuple[str, ...] = ()


def footprint(fault: Fault) -> Footprint:
    """What the fault will hit at most."""
    components = _components(fault)
    replicas = getattr(fault, "replicas", None)
    if isinstance(replicas, int):
        return Footprint(chosen=replicas, components=components)
    if isinstance(replicas, list | tuple):
        return Footprint(named=tuple(str(name) for name in replicas), components=components)
    replica = getattr(fault, "replica", None)
    if replica is None or components:
        return Footprint(components=components)
    if replica in SELECTORS:
        return Footprint(chosen=1, components=components)
    return Footprint(named=(str(replica),), components=components)


def _components(fault: Fault) -> tuple[str, ...]:
    if fault.name == "disk-full":
        return ("host", "recorder") if getattr(fault, "how", "") == "ballast" else (str(getattr(fault, "victim", "")),)
    return _BY_FAULT.get(fault.name, _BY_FAMILY.get(fault.family, ()))
