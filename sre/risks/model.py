"""A risk as it is written down, and what is said of it from drills. Days are `datetime.date`, UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal, get_args

Status = Literal["open", "accepted", "mended"]
STATUSES: tuple[Status, ...] = get_args(Status)
Treatment = Literal["avoid", "mitigate", "transfer", "accept"]
TREATMENTS: tuple[Treatment, ...] = get_args(Treatment)
Standing = Literal["demonstrated", "asserted"]
STANDINGS: tuple[Standing, ...] = get_args(Standing)
SHOWN = ("steady-state", "alert", "recovery", "requests", "cost")
"""The checks of a drill that a weakness can make fail."""
Outcome = Literal["passed", "known", "deviated"]


@dataclass(frozen=True, slots=True)
class Level:
    """How likely and how grave, each from 1 to 5; what the steps mean is in the matrix."""

    likelihood: int
    impact: int

    @property
    def score(self) -> int:
        """Likelihood times impact, 1 to 25: orders levels, the matrix's bands judge them."""
        return self.likelihood * self.impact

    def __str__(self) -> str:
        return f"{self.likelihood} x {self.impact}"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who accepted what is left, in which role, for how long and why. It holds until `expires`, that day included."""

    approver: str
    role: str
    on: date
    expires: date
    reason: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """`inherent` is the level without any control, `current` with those that are there, `residual` once the treatment
    is done. `claims` is what the file says of the evidence; what drills say is computed.
    """

    cause: str
    event: str
    consequence: str
    inherent: Level
    current: Level
    residual: Level
    treatment: Treatment
    controls: tuple[str, ...]
    experiments: tuple[str, ...] = ()
    slos: tuple[str, ...] = ()
    runbooks: tuple[str, ...] = ()
    acceptance: Acceptance | None = None
    claims: Standing | None = None

    @property
    def statement(self) -> str:
        """Cause, event, consequence in one sentence."""
        return f"Because {self.cause}, {self.event}; then {self.consequence}."


@dataclass(frozen=True, slots=True)
class Risk:
    """One risk in short, as drills know it. Where they have shown a weakness: `found_by` are the experiments, `shows`
    the checks it makes fail, `measured` what it did in numbers, `mend` what would end it, `issue` where that is
    followed; all empty otherwise.
    """

    id: str
    title: str
    status: Status
    owner: str
    found_by: tuple[str, ...] = ()
    shows: tuple[str, ...] = ()
    measured: str = ""
    mend: str = ""
    issue: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One risk as the register holds it; `assessment` is None where it was not assessed yet. `lines` are the lines of
    `risks.yaml` by key, `""` its first.
    """

    risk: Risk
    assessment: Assessment | None = None
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}), compare=False, repr=False)

    @property
    def id(self) -> str:
        return self.risk.id

    @property
    def experiments(self) -> tuple[str, ...]:
        """All that are linked, the weakness's own first."""
        linked = () if self.assessment is None else self.assessment.experiments
        return tuple(dict.fromkeys((*self.risk.found_by, *linked)))


@dataclass(frozen=True, slots=True)
class Drilled:
    """A drill of an experiment that tested something; `known`: it deviated as its known weakness says."""

    experiment: str
    outcome: Outcome
    report: str
    at: float
    source: str
