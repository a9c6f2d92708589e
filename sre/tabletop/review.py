"""The after-action review: what was expected, what was said, how it went, what will be changed.

Computed from the package and the session's events. Nobody's approval is in it, so that approving does not change what
was approved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre.incidents.case import Case
from sre.tabletop.model import RATINGS, Approval, Evidence, Exercise, Figure, Inject, Objective, Rating
from sre.tabletop.progress import Progress, Row, Said

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class InjectResult:
    """One inject as it was played. `outcome` is `played`, `skipped` or `not reached`."""

    id: str
    title: str
    receiver: str
    objective: str
    outcome: str
    released_s: float | None
    planned_min: int
    expected: tuple[str, ...]
    answers: tuple[Said, ...]
    rating: Rating | None
    remark: str


@dataclass(frozen=True, slots=True)
class ObjectiveResult:
    """`rating` is None, with the reason in `basis`, when nothing of it was rated."""

    id: str
    title: str
    target: str
    rating: Rating | None
    basis: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A strength or an area for improvement, and the inject or objective it was seen at."""

    about: str
    title: str
    text: str
    rating: Rating


@dataclass(frozen=True, slots=True)
class PlanItem:
    """An item of the improvement plan as it was at closing; its status lives on in the action list."""

    id: str
    title: str
    owner: str
    start: str | None
    due: str | None
    status: str


@dataclass(frozen=True, slots=True)
class Review:
    """One after-action report. Instants are Unix seconds; `closed_on` is an ISO day; `package` a sha256."""

    session: str
    name: str
    experiment: str
    title: str
    cause: str
    runbook: str
    evidence: Evidence
    package: str
    opened_at: float
    closed_on: str
    played_s: float
    planned_min: int
    participants: tuple[str, ...]
    objectives: tuple[ObjectiveResult, ...]
    injects: tuple[InjectResult, ...]
    strengths: tuple[Finding, ...]
    improvements: tuple[Finding, ...]
    plan: tuple[PlanItem, ...]
    timeline: tuple[Row, ...]
    figures: tuple[Figure, ...]
    ratings: tuple[tuple[Rating, str, str], ...]
    rating_source: str
    approvals: tuple[Approval, ...]

    def counts(self) -> dict[Rating, int]:
        """How many injects got each rating."""
        return {rating: sum(one.rating == rating for one in self.injects) for rating in RATINGS}


def review(exercise: Exercise, case: Case, progress: Progress, *, package: str, closed_on: str) -> Review:
    """The review of a session; its plan is what the case's items are."""
    results = tuple(_inject(one, progress) for one in exercise.injects)
    rated = [one for one in results if one.rating is not None]
    return Review(
        session=case.head.id,
        name=exercise.name,
        experiment=exercise.experiment,
        title=exercise.title,
        cause=exercise.cause.title,
        runbook=exercise.runbook.page,
        evidence=exercise.evidence,
        package=package,
        opened_at=case.head.opened_at,
        closed_on=closed_on,
        played_s=progress.elapsed_s,
        planned_min=exercise.play_min,
        participants=progress.participants,
        objectives=tuple(_objective(one, results, progress) for one in exercise.objectives),
        injects=results,
        strengths=tuple(_finding(one) for one in rated if one.rating == "P"),
        improvements=tuple(_finding(one) for one in rated if one.rating != "P"),
        plan=tuple(PlanItem(i.item, i.title, i.owner, i.start, i.due, i.status) for i in case.items),
        timeline=progress.rows,
        figures=exercise.figures,
        ratings=exercise.frame.ratings,
        rating_source=exercise.frame.rating_source,
        approvals=exercise.frame.approvals,
    )


def worst(ratings: Sequence[Rating]) -> Rating | None:
    """The worst of them, None of none."""
    return max(ratings, key=RATINGS.index, default=None)


def _inject(inject: Inject, progress: Progress) -> InjectResult:
    rated = progress.ratings.get(inject.id)
    released = progress.released.get(inject.id)
    outcome = "played" if released is not None else "skipped" if inject.id in progress.skipped else "not reached"
    return InjectResult(
        id=inject.id,
        title=inject.title,
        receiver=inject.receiver,
        objective=inject.objective,
        outcome=outcome,
        released_s=released,
        planned_min=inject.at_min,
        expected=inject.expected,
        answers=tuple(said for said in progress.answers if said.inject == inject.id),
        rating=None if rated is None else rated.rating,
        remark="" if rated is None else rated.remark,
    )


def _objective(objective: Objective, results: Sequence[InjectResult], progress: Progress) -> ObjectiveResult:
    own = progress.ratings.get(objective.id)
    if own is not None:
        basis = f"by the evaluator{f': {own.remark}' if own.remark else ''}"
        return ObjectiveResult(objective.id, objective.title, objective.target, own.rating, basis)
    mine = [one for one in results if one.objective == objective.id]
    rating = worst([one.rating for one in mine if one.rating is not None])
    if rating is None:
        why = "none of its injects was rated" if any(one.outcome == "played" for one in mine) else "not played"
        return ObjectiveResult(objective.id, objective.title, objective.target, None, f"n/a ({why})")
    behind = ", ".join(f"{one.id} {one.rating}" for one in mine if one.rating is not None)
    return ObjectiveResult(objective.id, objective.title, objective.target, rating, f"the worst of {behind}")


def _finding(result: InjectResult) -> Finding:
    said = result.remark or "; ".join(f"{one.by}: {one.text}" for one in result.answers[:2]) or "no remark"
    return Finding(result.id, result.title, said, result.rating or "P")
