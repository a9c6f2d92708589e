"""The facts of an alert's page: when it fires, what to ask Prometheus, and which drills made it fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sre.runbooks.knowledge.model import Mitigation
from sre.runbooks.model import Proven, SloFact

AlertKind = Literal["burn", "no-data"]


@dataclass(frozen=True, slots=True)
class Fired:
    """One tier of the alert in one drill; times are seconds after the fault began, of windows `clock_factor` times
    shorter. `page` is the runbook of the failure that was drilled.
    """

    experiment: str
    title: str
    page: str
    report_id: str
    date: str
    tier: str
    severity: str
    fired_after_s: float
    reset_after_s: float | None
    failed: int
    requests: int
    clock_factor: float


@dataclass(frozen=True, slots=True)
class Silent:
    """A drill about this alert's SLO in which it did not fire, of a failure that never made it fire."""

    experiment: str
    page: str
    date: str


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """A mitigation that a drill of some page carried out with success, by its commands."""

    mitigation: str
    command: str
    check: str
    experiment: str
    page: str
    date: str
    verified_after_s: float


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """One page. `window` is the longest tier's, `for_s` how long it must hold; `queries` are PromQL with what it shows.

    `page` is the alert's name. `fired` is ordered by time to fire, the first page of each drill, else its first ticket.
    """

    page: str
    kind: AlertKind
    slo: SloFact
    service: str
    description: str
    period_s: float
    for_s: float
    queries: tuple[tuple[str, str], ...]
    rules_file: str
    fired: tuple[Fired, ...] = ()
    silent: tuple[Silent, ...] = ()
    carried_out: tuple[CarriedOut, ...] = ()
    gateway_url: str = "http://127.0.0.1:8400"
    state_dir: str = ".sre"

    @property
    def newest_date(self) -> str:
        """The day of the newest drill that made it fire; "" without one."""
        return max((one.date for one in self.fired), default="")

    @property
    def causes(self) -> tuple[str, ...]:
        """Pages of the failures that made it fire, the quickest first."""
        return tuple(dict.fromkeys(one.page for one in self.fired))

    def proof_of(self, mitigation: Mitigation) -> Proven | None:
        """The newest drill that ran the same commands with success, for whichever failure."""
        meant = (mitigation.name, mitigation.run, mitigation.check)
        same = [one for one in self.carried_out if (one.mitigation, one.command, one.check) == meant]
        best = max(same, key=lambda one: (one.date, one.experiment), default=None)
        return None if best is None else Proven(best.experiment, best.date, best.verified_after_s, page=best.page)
