"""A run as a list of checks, each with its result: what JUnit calls test cases. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sre.chaos.model import Verdict
from sre.chaos.verdict.activities import METHOD, ROLLBACKS, places
from sre.chaos.verdict.evidence import Group, Reason
from sre.chaos.verdict.faults import FAULT
from sre.chaos.verdict.journal import Declared, Played, RunJournal, State
from sre.chaos.verdict.judging import GUARD, Examination
from sre.chaos.verdict.states import AFTER, AFTER_ROLLBACKS, BEFORE, DURING

Result = Literal["passed", "failed", "error", "not played"]
FOUND_WANTING: frozenset[Verdict] = frozenset({"deviated", "aborted", "void"})
"""Something was looked at and found wanting: the service, a gate, the proof. The rest could not be looked at."""


@dataclass(frozen=True, slots=True)
class CheckCase:
    """One check. `played` says whether it was looked at; `reasons` are what it found, weightiest first."""

    group: str
    name: str
    played: bool = True
    duration_s: float = 0.0
    reasons: tuple[Reason, ...] = ()

    @property
    def result(self) -> Result:
        if not self.reasons:
            return "passed" if self.played else "not played"
        return "failed" if self.reasons[0].verdict in FOUND_WANTING else "error"


def check_list(examination: Examination) -> tuple[CheckCase, ...]:
    """Every check of the run in the order of the run; the last one is the verdict, with all reasons."""
    found: list[CheckCase] = []
    for group, cases in _groups(examination):
        found += _with_reasons(cases, [r for r in examination.reasons if r.group == group])
    return (*found, CheckCase("verdict", "the run passed", reasons=examination.reasons))


def _groups(examination: Examination) -> Iterator[tuple[Group, list[CheckCase]]]:
    journal, trail = examination.journal, examination.trail
    yield "run", [CheckCase("run", "it was let in, ran to its end and left its records", played=journal is not None)]
    if journal is not None:
        yield BEFORE, _looks(BEFORE, journal.probes, journal.before)
        yield METHOD, _activities(METHOD, journal.declared_method, journal.method)
        if journal.during or journal.continuous:
            yield DURING, _looks(DURING, journal.probes, next(iter(journal.during), None))
    yield GUARD, [CheckCase(GUARD, "the guard let it go on", played=trail.registered)]
    faults = [CheckCase(FAULT, f"{f.name} is proven, undone and over") for f in trail.faults]
    yield FAULT, faults or [CheckCase(FAULT, "a fault is proven", played=False)]
    if journal is not None:
        yield AFTER, _looks(AFTER, journal.probes, journal.after)
        yield ROLLBACKS, _activities(ROLLBACKS, journal.declared_rollbacks, journal.rollbacks)
        yield AFTER_ROLLBACKS, _last_looks(journal, looked=bool(trail.after_rollbacks or journal.after_rollbacks))


def _looks(group: Group, probes: Sequence[Declared], state: State | None) -> list[CheckCase]:
    """A look ends at the first probe that is not met: the ones behind it were not read."""
    read = () if state is None else state.probes
    return [
        CheckCase(group, probe.name, index < len(read), read[index].duration_s if index < len(read) else 0.0)
        for index, probe in enumerate(probes)
    ]


def _last_looks(journal: RunJournal, *, looked: bool) -> list[CheckCase]:
    return [CheckCase(AFTER_ROLLBACKS, probe.name, looked) for probe in journal.probes]


def _activities(group: Group, declared: Sequence[Declared], played: Sequence[Played]) -> list[CheckCase]:
    where = {place: run for place, run in zip(places(declared, played), played, strict=True) if place is not None}
    return [
        CheckCase(group, activity.name, index in where, where[index].duration_s if index in where else 0.0)
        for index, activity in enumerate(declared)
    ]


def _with_reasons(cases: Sequence[CheckCase], reasons: Sequence[Reason]) -> Iterator[CheckCase]:
    """A reason about a whole group belongs to what was not played of it, or to the first that was."""
    whole = tuple(r for r in reasons if r.index is None or r.index >= len(cases))
    idle = [index for index, case in enumerate(cases) if not case.played] or [0]
    for index, case in enumerate(cases):
        own = tuple(r for r in reasons if r.index == index)
        shared = whole if index in idle else ()
        yield CheckCase(case.group, case.name, case.played, case.duration_s, (*own, *shared))
