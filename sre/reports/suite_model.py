"""What a suite of drills produces; page, Markdown and JSON are views of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre.reports.drill_facts import DrillFacts, Outcome
from sre.reports.matrix import Matrix, Played, matrix
from sre.reports.model import Subject
from sre.risks.model import Risk

SEVERITY: tuple[Outcome, ...] = (
    *("error", "interrupted", "aborted", "void", "deviated", "not run", "known", "skipped", "passed"),
)
"""Weightiest first."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One experiment of a suite. `facts` is None where there is no report: then `reasons` say why.

    `took_s` is the time from its first step to its report. `platform` counts the platforms of the suite, from 1.
    """

    experiment: str
    title: str
    subject: Subject
    outcome: Outcome
    reasons: tuple[str, ...] = ()
    took_s: float | None = None
    facts: DrillFacts | None = None
    platform: int | None = None


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """A suite, start to end, in the order played. `starts` are platform starts; `notes` say what was unusual."""

    id: str
    name: str
    started_at: float
    ended_at: float
    entries: tuple[Entry, ...]
    starts: int
    is_interrupted: bool = False
    notes: tuple[str, ...] = ()
    risks: tuple[Risk, ...] = ()

    def count(self, outcome: Outcome) -> int:
        return sum(entry.outcome == outcome for entry in self.entries)

    @property
    def worst(self) -> Outcome:
        """The weightiest outcome; `skipped` where there was nothing to play."""
        return min((e.outcome for e in self.entries), key=SEVERITY.index, default="skipped")

    def matrix(self) -> Matrix:
        """The fault matrix of the drills that have a report."""
        return matrix(played(self.entries), risks=self.risks)


def played(entries: Sequence[Entry]) -> tuple[Played, ...]:
    return tuple(Played(e.subject, e.title, e.facts) for e in entries if e.facts is not None)
