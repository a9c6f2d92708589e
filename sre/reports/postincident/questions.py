"""Open questions: everything the report cannot say, with the reason. Nothing that is n/a is left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sre.incidents.milestones import NAMES
from sre.reports.postincident.model import Causes, CostTable, Figure, MilestoneRow, Sourced
from sre.reports.postincident.story import Story, event_source, report_source, words


def questions(
    story: Story,
    *,
    figures: Sequence[Figure],
    milestones: Sequence[MilestoneRow],
    causes: Causes,
    costs: Sequence[CostTable],
) -> tuple[Sourced, ...]:
    """Each once, in the order of the report."""
    found = (
        *_of_figures(figures),
        *_of_milestones(milestones),
        *_unmarked(story),
        *_of_causes(causes),
        *_of_costs(costs),
        *_doubts(story),
    )
    return tuple({question.text: question for question in found}.values())


def _of_figures(figures: Sequence[Figure]) -> Iterator[Sourced]:
    for figure in figures:
        if not figure.value.is_known:
            yield Sourced(f"{figure.label}: n/a, {figure.value.reason}.", figure.value.sources)


def _of_milestones(rows: Sequence[MilestoneRow]) -> Iterator[Sourced]:
    for row in rows:
        if not row.when.is_known:
            yield Sourced(f"Milestone {row.name}: n/a, {row.when.reason}.", row.when.sources)


def _unmarked(story: Story) -> Iterator[Sourced]:
    """Milestones that nobody spoke of, in one line: durations name the rest."""
    missing = [words(name) for name in NAMES if name not in story.marks]
    if missing:
        yield Sourced(f"Never marked: {', '.join(missing)}.", (event_source(story.opened),))


def _of_causes(causes: Causes) -> Iterator[Sourced]:
    if not causes.trigger.is_known:
        yield Sourced(f"What began it? n/a, {causes.trigger.reason}.", causes.trigger.sources)
    for limit in causes.limits:
        yield Sourced(f"Causes: {limit.rstrip('.')}.", causes.trigger.sources)


def _of_costs(costs: Sequence[CostTable]) -> Iterator[Sourced]:
    for table in costs:
        for row in table.rows:
            if not row.amount.is_known:
                yield Sourced(f"Cost, {row.name}: n/a, {row.amount.reason}.", row.amount.sources)


def _doubts(story: Story) -> Iterator[Sourced]:
    drill = story.drill
    for index, check in enumerate(() if drill is None else drill.checks):
        if not check.ok and not check.deciding:
            text = f"How far can it be trusted? {check.name}: expected {check.expected}, observed {check.observed}."
            yield Sourced(text, (report_source(f"checks/{index}"),))
