"""Cause candidates: what may have begun it, ranked by evidence. A ranking, not a verdict; how often it is right is
measured on drills, where the truth is known (docs/incidents.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class CauseEvidence:
    """One observation for a candidate. `at` is when it began, `strength` how far it stands out (0 to 1), `source` where
    it can be looked at: a file, or a metric with its labels.
    """

    text: str
    at: float | None
    strength: float
    source: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """`kind` is what `subject` is: a replica (`llm-1`), a component (`gateway`), the traffic, or the whole fleet.
    `signature` is the kind of failure its evidence looks like, by the name of a failure mode (`replica-hang`).
    """

    rank: int
    kind: Literal["replica", "component", "traffic", "fleet"]
    subject: str
    signature: str
    score: float
    evidence: tuple[CauseEvidence, ...]


@dataclass(frozen=True, slots=True)
class CauseRanking:
    """Best first. `began_at` is the first change that stands out; `limits` say what could not be looked at, and why."""

    candidates: tuple[Candidate, ...]
    began_at: float | None
    limits: tuple[str, ...] = ()
