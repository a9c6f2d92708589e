"""What fails as one: a replica by itself, a host, the spot machines of a zone, a zone, the whole fleet.

Each unit is an alternating renewal process of its own: up for an exponential time at the sum of its rates, down for the
duration of the fault that struck. A replica serves while none of the units it belongs to is down.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sre.reliability.durations import Duration, duration_of
from sre.reliability.fleet import Fleet
from sre.reliability.rates import FaultClass, Hits, RateBook


@dataclass(frozen=True, slots=True)
class Threat:
    """One kind of fault as one unit meets it. `cause` is its place in the book's faults."""

    cause: int
    an_hour: float
    duration: Duration


@dataclass(frozen=True, slots=True)
class Unit:
    """`members` are replicas; empty for the fleet, whose faults cost a share of the traffic and no replica."""

    key: str
    members: tuple[int, ...]
    threats: tuple[Threat, ...]


def units_of(fleet: Fleet, book: RateBook) -> tuple[Unit, ...]:
    """Every unit that something can strike."""
    return tuple(unit for unit in _units(fleet, book) if unit.threats)


def _units(fleet: Fleet, book: RateBook) -> Iterator[Unit]:
    gpus = fleet.gpus_per_replica
    for replica in range(fleet.replicas):
        spot = fleet.is_spot(replica)
        hits: tuple[Hits, ...] = ("replica", "spot replica") if spot else ("replica",)
        yield Unit(f"replica-{replica}{'-spot' if spot else ''}", (replica,), _threats(fleet, book, hits, gpus))
    for name, members in fleet.hosts():
        wide = fleet.gpus_per_host * fleet.hosts_per_replica
        yield Unit(name, members, _threats(fleet, book, ("host",), wide))
    for zone in range(min(fleet.zones, fleet.replicas)):
        yield Unit(f"zone-{zone}", fleet.in_zone(zone), _threats(fleet, book, ("zone",), gpus))
        spots = fleet.in_zone(zone, spot_only=True)
        if spots:
            yield Unit(f"spot-zone-{zone}", spots, _threats(fleet, book, ("spot in zone",), gpus))
    for cause, fault in enumerate(book.faults):
        if fault.hits == "fleet":
            yield Unit(f"fleet-{fault.name}", (), _threat(fleet, book, cause, fault, 1))


def _threats(fleet: Fleet, book: RateBook, hits: tuple[Hits, ...], gpus: int) -> tuple[Threat, ...]:
    return tuple(
        threat
        for cause, fault in enumerate(book.faults)
        if fault.hits in hits
        for threat in _threat(fleet, book, cause, fault, gpus)
    )


def _threat(fleet: Fleet, book: RateBook, cause: int, fault: FaultClass, gpus: int) -> tuple[Threat, ...]:
    an_hour = book.an_hour(fault) * (gpus if fault.per == "gpu-hour" else 1)
    if an_hour <= 0:
        return ()
    recovery = book.recovery(fault.recovery)
    lasts = duration_of(recovery, cold_start_h=fleet.cold_start_h, replacement_h=fleet.replacement_h)
    return (Threat(cause, an_hour, lasts),)
