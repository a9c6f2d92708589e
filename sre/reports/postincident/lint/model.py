"""What the rules see of a report, whatever it was written in, and what they say of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Part = Literal["worked", "failed", "lucky"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text with where it stands: `line 12`, or the section of our JSON."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class ReadAction:
    """A follow-up as the report names it; "" where it does not say."""

    title: str
    owner: str
    due: str


@dataclass(frozen=True, slots=True)
class Reading:
    """`summary` are its sentences. A section is None where the report has none, "" where it is empty. `rows` of the
    timeline say whether each links to evidence, `approvals` whether each role has signed. `unexplained` are n/a without
    a reason, `text` is everything that may hold words of blame.
    """

    summary: tuple[str, ...]
    impact: str | None
    detection: str | None
    causes: str | None
    cost: str | None
    lessons: frozenset[Part]
    rows: tuple[tuple[str, bool], ...]
    actions: tuple[ReadAction, ...]
    unexplained: tuple[Line, ...]
    questions: tuple[str, ...] | None
    approvals: tuple[tuple[str, bool], ...]
    text: tuple[Line, ...] = field(default=())

    @property
    def says_nothing(self) -> bool:
        """Whether it holds none of what a report is made of: then silence is no merit."""
        told = (self.impact, self.detection, self.causes, self.cost)
        return not (self.summary or self.rows or self.actions or self.lessons or any(told))


@dataclass(frozen=True, slots=True)
class Finding:
    """One weakness: the rule with its weight, how many of its points were lost, and how to mend it."""

    rule: str
    weight: float
    lost: float
    text: str
    mend: str


@dataclass(frozen=True, slots=True)
class Linted:
    """The score out of 100 and every weakness, the heaviest first."""

    score: int
    findings: tuple[Finding, ...]
