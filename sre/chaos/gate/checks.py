"""Everything that must hold before a run starts. Every refusal is found, so that all can be mended at once.

Two kinds: what keeps the platform safe, which nobody can wave through, and what a policy asks (budget, incidents,
calendar), which a person may override with a reason. A check that cannot be made is a refusal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sre.chaos.gate.incidents import open_incidents
from sre.chaos.leases.healing import heal_leftovers
from sre.chaos.leases.ledger import Ledger
from sre.chaos.leases.radius import healthy
from sre.chaos.leases.standing import standing
from sre.chaos.model import BlastRadius
from sre.chaos.section.terms import Terms
from sre.chaos.sight import Sight
from sre.errors import SreError
from sre.platforms.model import Platform

CALENDAR_FILE = "calendar.yaml"
Say = Callable[[], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of one run. `workspace` is the folder in which `calendar.yaml` and `incidents.sqlite` may lie."""

    platform: Platform
    terms: Terms
    workspace: Path
    slo_dir: Path
    sight: Sight
    now: Callable[[], float] = time.time

    def safety(self) -> list[str]:
        """What forbids the run whatever anybody says."""
        down = _said(self._up)
        return down or _said(self._watched, self._leftovers, self._radius, self._guard)

    def policy(self) -> tuple[list[str], list[str]]:
        """(what speaks against the run unless it is overridden, notes)."""
        notes: list[str] = []
        return _said(self._calendar, self._incidents, lambda: self._budget(notes)), notes

    def _up(self) -> Iterator[str]:
        self.platform.replicas()
        yield from ()

    def _watched(self) -> Iterator[str]:
        self.sight.require_fresh(now=self.now())
        yield from ()

    def _leftovers(self) -> Iterator[str]:
        """What an earlier run left is undone now; whatever stays stands in the way."""
        heal_leftovers(self.platform, by="sre.chaos.control")
        left = standing(self.platform.state_dir)
        yield from left.damage
        for lease in left.open:
            yield f"{lease.fault} on {lease.plan.target} of an earlier run is still open: undo it with `sre chaos heal`"

    def _radius(self) -> Iterator[str]:
        names = [replica.name for replica in self.platform.replicas() if healthy(replica)]
        yield from radius_refusal(self.terms.radius, len(names))

    def _guard(self) -> Iterator[str]:
        """A limit that names no SLO, or that can never be passed, guards nothing."""
        burns = self.terms.guard.burns
        if not burns:
            return
        from sre.chaos.gate.budget import slos_named

        slos = slos_named([limit.slo for limit in burns], self.slo_dir)
        for limit in burns:
            most = 1 / slos[limit.slo].budget
            if limit.max_burn >= most:
                yield f"guard: {limit.slo} can burn {most:g}x at most, max_burn is {limit.max_burn:g}: lower it"

    def _calendar(self) -> Iterator[str]:
        path, now = self.workspace / CALENDAR_FILE, self.now()
        if not path.exists():  # then drills are always allowed
            return
        from sre.chaos.gate.calendar_file import read_calendar

        refusal = read_calendar(path).refusal(now, now + self.terms.deadline_s)
        if refusal is not None:
            yield refusal

    def _incidents(self) -> Iterator[str]:
        for incident in open_incidents(self.workspace):
            yield (
                f"incident {incident.id} is {incident.status} ({incident.title}): "
                f"resolve it first, `sre incident resolve {incident.id}`"
            )

    def _budget(self, notes: list[str]) -> list[str]:
        gate = self.terms.gate
        if gate.min_budget_left <= 0:
            return []
        if not gate.stated and not self.slo_dir.is_dir():
            notes.append(f"no SLO documents in {self.slo_dir}: the error budget was not looked at")
            return []
        from sre.chaos.gate.budget import budget_says, slos_named

        slos = slos_named(gate.slos, self.slo_dir).values()
        records = Ledger(self.platform.state_dir).salvage().records
        refusals, said = budget_says(self.sight, slos, gate, records=records, now=self.now())
        notes += said
        return refusals


def radius_refusal(radius: BlastRadius, healthy_now: int) -> Iterator[str]:
    """Whether the worst that the experiment may do leaves as many healthy replicas as it promises. Pure."""
    left = max(0, healthy_now - radius.max_replicas)
    if left < radius.min_healthy:
        yield (
            f"blast radius: {healthy_now} healthy replica(s) now, {radius.max_replicas} may be hit, "
            f"{radius.min_healthy} must stay: start more, or wait until all are ready"
        )


def _said(*checks: Say) -> list[str]:
    found: list[str] = []
    for check in checks:
        try:
            found += check()
        except SreError as error:
            found.append(str(error))
        except Exception as error:  # noqa: BLE001  (a check that breaks is no check: refuse)
            found.append(f"{type(error).__name__}: {error}")
    return found
