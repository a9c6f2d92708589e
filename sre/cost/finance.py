"""What a failure means in money, as its owners say it: the types of `finance.yaml`. Read by `sre.cost.finance_reader`.

Every number is an `Input`: measured or assumed, with its source, and with bounds where it is a guess. A section that is
not there is None, and every line that would need it is n/a with that reason: nothing is assumed for anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from sre.cost.provenance import Input

NAME = "finance.yaml"
Traffic = Literal["generated", "customers"]


@dataclass(frozen=True, slots=True)
class CreditStep:
    """Below the availability `below` (a ratio), `percent` of the monthly fee is given back."""

    below: Decimal
    percent: Decimal


@dataclass(frozen=True, slots=True)
class ServiceCredits:
    """What the contract promises. `steps` by falling availability, so the last that applies gives most."""

    monthly_fee: Input
    steps: tuple[CreditStep, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Role:
    """People of one role. Hours are a person's: in the response (used where acknowledged to resolved is not measured;
    None: this role does not respond) and afterwards, for the review and its actions (None: takes no part).
    """

    name: str
    people: int
    hourly_rate: Input
    response_hours: Input | None
    follow_up_hours: Input | None


@dataclass(frozen=True, slots=True)
class DrillTeam:
    """Who takes part in a drill: role, people, and hours of each person, preparation and debriefing included."""

    role: str
    people: int
    hours: Input


@dataclass(frozen=True, slots=True)
class DrillPolicy:
    """How a drill is paid for. Requests of the load generator are nobody's: with `generated` traffic none is lost."""

    traffic: Traffic
    team: tuple[DrillTeam, ...]


@dataclass(frozen=True, slots=True)
class Programme:
    """The game-day programme over a year, without and with drills."""

    drills_a_month: Input
    incidents_a_year_without: Input
    incidents_a_year_with: Input
    minutes_without: Input
    minutes_with: Input
    share_of_requests_lost: Input
    fixed_cost_a_year: Input | None = None


@dataclass(frozen=True, slots=True)
class Finance:
    """One workspace's economics. `is_illustrative`: the numbers are an example, every page says so."""

    path: str
    sha256: str
    currency: str
    is_illustrative: bool
    good_request: Input | None = None
    slow_request_share: Input | None = None
    requests_a_month: Input | None = None
    credits: ServiceCredits | None = None
    error_budgets: tuple[tuple[str, Input], ...] = ()
    labour: tuple[Role, ...] = ()
    counts_recovery_capacity: bool = True
    gpu_price: str | None = None
    drill: DrillPolicy | None = None
    monthly_budgets: tuple[tuple[str, Input], ...] = ()
    programme: Programme | None = None

    def role(self, name: str) -> Role | None:
        """The role called `name`, None when there is none."""
        return next((role for role in self.labour if role.name == name), None)

    def missing(self, section: str) -> str:
        """The reason of a line that needs a section which is not there."""
        return f"{self.path} has no {section}"


def no_finance(currency: str) -> Finance:
    """Nothing said by anybody: only what is on the bill can be told."""
    return Finance(path=NAME, sha256="", currency=currency, is_illustrative=False)
