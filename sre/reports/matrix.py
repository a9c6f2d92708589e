"""The fault matrix: fault x what should protect the service x what was measured; and a score for each area.

The score answers four questions of each drill, from its own checks:

    proven and undone   1   every fault was seen from outside, and the run took it away itself
    protected           3   the steady state returned, clients lost and paid no more than was promised
    alerting            2   the alert came in time, or silence was kept where silence was expected
    recovered           2   what was hit was well again in time

A question's mark is the share of its checks that passed; one without a check is left out. A drill's score is the mean
of its marks by these weights, an area's (a fault family's) the mean of its drills' scores. Only drills that ran to
their end with a proven fault are scored (passed, known, deviated): anything else measured nothing. An area without a
scored drill has no score, which is not the same as 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sre.chaos.faults.catalogue import fault_class, fault_names
from sre.errors import SreError
from sre.reports.drill_facts import DrillFacts, Outcome
from sre.reports.model import Check, Subject
from sre.risks.model import Risk


@dataclass(frozen=True, slots=True)
class Question:
    """One of the four: `keys` are those of the checks that answer it."""

    name: str
    weight: int
    keys: tuple[str, ...]


QUESTIONS = (
    Question("protected", 3, ("steady-state", "requests", "cost")),
    Question("alerting", 2, ("alert",)),
    Question("recovered", 2, ("recovery",)),
    Question("proven and undone", 1, ("proven", "undone")),
)
SCORED: tuple[Outcome, ...] = ("passed", "known", "deviated")


@dataclass(frozen=True, slots=True)
class Mark:
    """The answer to one question, 0 to 1; None where no check asks it. `failed` are the checks that say no."""

    question: str
    value: float | None
    failed: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Played:
    """A drill that has a report. `title` is its experiment's."""

    subject: Subject
    title: str
    facts: DrillFacts

    @property
    def key(self) -> str:
        """What tells experiments apart: the id, or the failure mode of a report from before there were ids."""
        return self.subject.id or self.subject.failure_mode


@dataclass(frozen=True, slots=True)
class Line:
    """One fault of the catalogue, with one drill that injected it; None where none did. `platforms` can have it."""

    fault: str
    family: str
    protects: str
    platforms: tuple[str, ...]
    played: Played | None
    marks: tuple[Mark, ...] = ()
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Area:
    """A fault family: how many of its faults were drilled to the end, and how well it went. `score` is None with
    nothing scored.
    """

    family: str
    faults: int
    drilled: int
    drills: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Step:
    """Something to mend next: a drill that did not pass, with the risk its experiment names, where it names one."""

    played: Played
    risk_id: str | None
    risk: Risk | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """`lines` in the catalogue's order, `areas` in the order of their first fault, `steps` the most harmful first.

    `unmeasured` are drills that say nothing of the service: void, aborted, interrupted, broken.
    """

    lines: tuple[Line, ...]
    areas: tuple[Area, ...]
    steps: tuple[Step, ...]
    unmeasured: tuple[Played, ...]


def matrix(played: Sequence[Played], *, risks: Sequence[Risk] = ()) -> Matrix:
    """The matrix of these drills: of several of one experiment, the latest counts."""
    latest = _latest(played)
    lines = tuple(_lines(latest))
    return Matrix(
        lines=lines,
        areas=_areas(lines),
        steps=_steps(latest, risks),
        unmeasured=tuple(p for p in latest if p.facts.outcome not in SCORED),
    )


def marks(facts: DrillFacts) -> tuple[Mark, ...]:
    """The answers to the four questions; () for a drill that measured nothing."""
    if facts.outcome not in SCORED or not facts.is_proven:
        return ()
    return tuple(_mark(question, facts.checks) for question in QUESTIONS)


def score(found: Sequence[Mark]) -> float | None:
    """The mean of the marks by the questions' weights; None without any."""
    weights = {question.name: question.weight for question in QUESTIONS}
    known = [(mark.value, weights[mark.question]) for mark in found if mark.value is not None]
    return sum(value * weight for value, weight in known) / sum(weight for _, weight in known) if known else None


def _mark(question: Question, checks: Sequence[Check]) -> Mark:
    asked = [check for check in checks if check.key in question.keys]
    failed = tuple(check for check in asked if not check.ok)
    return Mark(question.name, 1 - len(failed) / len(asked) if asked else None, failed)


def _latest(played: Sequence[Played]) -> tuple[Played, ...]:
    found = {one.key: one for one in sorted(played, key=lambda p: p.facts.at)}
    return tuple(sorted(found.values(), key=lambda p: (p.key, p.title)))


def _lines(played: Sequence[Played]) -> list[Line]:
    by_fault: dict[str, list[Played]] = {name: [] for name in fault_names()}
    for one in played:
        for name in dict.fromkeys((*one.subject.faults, *one.facts.faults)):
            by_fault.setdefault(name, []).append(one)
    return [line for name, drills in by_fault.items() for line in _lines_of(name, drills)]


def _lines_of(fault: str, drills: Sequence[Played]) -> list[Line]:
    family, protects, platforms = _described(fault)
    if not drills:
        return [Line(fault, family, protects, platforms, None)]
    return [Line(fault, family, protects, platforms, one, found := marks(one.facts), score(found)) for one in drills]


def _described(fault: str) -> tuple[str, str, tuple[str, ...]]:
    """Family, protection, platforms; a fault of an older library is still shown, with what is known of it."""
    try:
        known = fault_class(fault)
    except SreError:
        return "other", "no longer in the library", ()
    return known.family, known.protects, known.platforms


def _areas(lines: Sequence[Line]) -> tuple[Area, ...]:
    return tuple(_area(family, [line for line in lines if line.family == family]) for family in _families(lines))


def _families(lines: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(line.family for line in lines))


def _area(family: str, lines: Sequence[Line]) -> Area:
    scores = {line.played.key: line.score for line in lines if line.played is not None and line.score is not None}
    return Area(
        family=family,
        faults=len({line.fault for line in lines}),
        drilled=len({line.fault for line in lines if line.score is not None}),
        drills=len(scores),
        score=sum(scores.values()) / len(scores) if scores else None,
    )


def _steps(played: Sequence[Played], risks: Sequence[Risk]) -> tuple[Step, ...]:
    known = {risk.id: risk for risk in risks}
    harmful = sorted((p for p in played if p.facts.outcome in ("deviated", "known")), key=_harm, reverse=True)
    return tuple(Step(p, p.subject.risk, known.get(p.subject.risk or "")) for p in harmful)


def _harm(one: Played) -> tuple[float, float, float]:
    """Failed requests, then budget burnt, then the time until it was well again (never: for ever)."""
    facts = one.facts
    took = math.inf if facts.recovered.seconds is None else facts.recovered.seconds
    return facts.failed, facts.burnt or 0.0, took
