"""Our own report as the rules see it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sre.reports.postincident.lint.model import Line, Part, ReadAction, Reading
from sre.reports.postincident.lint.sentences import sentences
from sre.reports.postincident.model import PostIncidentReport, Sourced
from sre.reports.postincident.sources import statements_of

_EMPTY_REASON = re.compile(r"^\W*(?:n/a|tbd|todo|unknown|none|-)?\W*$", re.I)


def reading_of_report(report: PostIncidentReport) -> Reading:
    statements = statements_of(report)
    return Reading(
        summary=sentences(" ".join(one.text for one in report.summary)),
        impact=_texts(figure.value for figure in report.impact if figure.label != "cost"),
        detection=_texts(report.detection),
        causes=_texts((report.causes.trigger, *report.causes.contributing)),
        cost="; ".join([*(table.total.text for table in report.costs), *_cost_figures(report)]),
        lessons=_lessons(report),
        rows=tuple((row.what.text, bool(row.what.sources)) for row in report.timeline),
        actions=tuple(ReadAction(a.title.text, a.owner, a.due) for a in report.actions),
        unexplained=tuple(
            Line(one.sources[0].where, one.text)
            for one in statements
            if not one.is_known and _EMPTY_REASON.match(one.reason)
        ),
        questions=tuple(one.text for one in report.questions),
        approvals=tuple((a.title or a.role, a.state == "approved") for a in report.approvals if a.is_asked),
        text=tuple(Line(one.sources[0].where, one.text) for one in statements),
    )


def _texts(values: Iterable[Sourced]) -> str:
    return "\n".join(value.text for value in values)


def _cost_figures(report: PostIncidentReport) -> list[str]:
    return [figure.value.text for figure in report.impact if figure.label == "cost"]


def _lessons(report: PostIncidentReport) -> frozenset[Part]:
    told: tuple[tuple[Part, tuple[Sourced, ...]], ...] = (
        ("worked", report.lessons.worked),
        ("failed", report.lessons.failed),
        ("lucky", report.lessons.lucky),
    )
    silent: set[Part] = {"failed"} if not report.lessons.failed and report.lessons.worked else set()
    return frozenset(part for part, values in told if values) | silent
