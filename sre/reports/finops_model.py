"""A FinOps briefing: what a period cost, what failing in it would have cost, and what practising is worth.

HTML, Markdown and JSON are views of this one object. Measured, assumed and simulated stand in parts of their own, and
nothing of one is added to another without being named. Times are Unix seconds, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sre.cost.finance import DrillTeam, Role
from sre.cost.model import UnitCost
from sre.cost.outage import BudgetWorth
from sre.cost.policies import PolicyCosts
from sre.cost.provenance import CostLine, CostSum, Input
from sre.cost.roi_model import Roi


@dataclass(frozen=True, slots=True)
class Spent:
    """The bill of one drill or of all, and what it bought. Counts are None where nobody took samples; `parts` are
    (layer, amount) and add up to `bill`; `layered` is False where only serving and not serving could be told. `units`
    are those of the layers of a single drill.
    """

    bill: Decimal
    requests: int
    good_requests: int
    tokens: int | None
    good_tokens: int | None
    parts: tuple[tuple[str, Decimal], ...]
    layered: bool
    units: tuple[UnitCost, ...] = ()

    @property
    def per_million_tokens(self) -> Decimal | None:
        return self.bill / self.tokens * 1_000_000 if self.tokens else None

    @property
    def per_million_good_tokens(self) -> Decimal | None:
        return self.bill / self.good_tokens * 1_000_000 if self.good_tokens else None

    @property
    def per_request(self) -> Decimal | None:
        return self.bill / self.requests if self.requests else None

    @property
    def per_good_request(self) -> Decimal | None:
        return self.bill / self.good_requests if self.good_requests else None


@dataclass(frozen=True, slots=True)
class DrillMoney:
    """One drill. `name` is its failure mode, `href` leads to its report; `incident` is None without a fault."""

    id: str
    name: str
    title: str
    verdict: str
    started_at: float
    href: str
    spent: Spent
    drill: CostSum
    incident: CostSum | None
    recovery_s: float | None


@dataclass(frozen=True, slots=True)
class CaseMoney:
    """One incident of the store that no report here tells of."""

    id: str
    title: str
    origin: str
    severity: str
    opened_at: float
    cost: CostSum


@dataclass(frozen=True, slots=True)
class FollowUp:
    """An action of the store; dates are ISO days."""

    incident: str
    item: str
    title: str
    owner: str
    due: str | None
    status: str
    overdue: bool


@dataclass(frozen=True, slots=True)
class SignOff:
    """A role that has to sign; `name` is empty while it has not."""

    role: str
    name: str
    decision: str
    at: float | None
    document: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FinopsBriefing:
    """Everything that is shown. `roi_assumed` is the return with assumed minutes where `roi` took measured ones;
    `roi_reason` says why there is none. `credits` are those of the period, once.
    """

    title: str
    start: float
    end: float
    currency: str
    finance_path: str
    finance_sha256: str
    is_illustrative: bool
    is_emulated: bool
    price: str
    headline: tuple[str, ...]
    spent: Spent
    drills: tuple[DrillMoney, ...]
    cases: tuple[CaseMoney, ...]
    credits: CostLine
    outage: CostSum
    budgets: tuple[BudgetWorth, ...]
    monthly_budgets: tuple[tuple[str, Input], ...]
    policies: PolicyCosts | None
    roi: Roi | None
    roi_assumed: Roi | None
    roi_reason: str
    follow_ups: tuple[FollowUp, ...]
    sign_offs: tuple[SignOff, ...]
    labour: tuple[Role, ...]
    drill_team: tuple[DrillTeam, ...]
    inputs: tuple[Input, ...]
    limits: tuple[str, ...]
