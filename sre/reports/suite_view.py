"""A suite, or the fault matrix alone, as a page."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from sre.reports.drill_facts import DrillFacts, Outcome
from sre.reports.facts import Figure
from sre.reports.formats import NOT_AVAILABLE, date_time, money, multiple, plural, seconds
from sre.reports.matrix import SCORED, Matrix
from sre.reports.matrix_chart import area_chart, heat_chart
from sre.reports.matrix_view import (
    DEFINITIONS,
    OUTCOME_WORDS,
    Link,
    alert_words,
    areas_grid,
    matrix_grid,
    steps_grid,
)
from sre.reports.page import Cell, Grid, Page, grid
from sre.reports.suite_model import SEVERITY, Entry, SuiteReport

_DRILLS_HEAD = (
    *("result", "id", "experiment", "area", ">took", ">alert", ">recovered", ">failed", ">budget burnt", ">cost"),
    *(">of it incident", "why"),
)
_MEANINGS: dict[Outcome, str] = {
    "passed": "every drill passed.",
    "skipped": "every drill that can be played here passed.",
    "known": "nothing but known weaknesses deviated.",
    "deviated": "at least one drill found a weakness that is not on the risk list.",
    "not run": "not every drill was played.",
    "void": "at least one drill proved no fault, so it tested nothing.",
    "aborted": "at least one drill was stopped before it could test anything.",
    "interrupted": "the suite was interrupted; what was done until then is below.",
    "error": "at least one drill broke and measured nothing.",
}

_NOTHING = "no drill can be played here: nothing was tested."


def suite_page(report: SuiteReport, link: Link) -> Page:
    """The summary of a suite."""
    found = report.matrix()
    worst, tested = report.worst, any(report.count(outcome) for outcome in SCORED)
    return Page(
        title=f"Suite {report.name}",
        subtitle=(
            f"{report.id}, {date_time(report.started_at)}, {seconds(report.ended_at - report.started_at)} long, "
            f"{plural(report.starts, 'platform start')}"
        ),
        tone=_tone(worst) if tested else "unsure",
        verdict=tally(report),
        meaning=_MEANINGS[worst] if tested or worst != "skipped" else _NOTHING,
        reasons=(*report.notes, *_unseen(report)),
        figures=_figures(report),
        charts=tuple(chart for chart in (heat_chart(found), area_chart(found)) if chart is not None),
        grids=(_drills(report, link), steps_grid(found.steps, link), areas_grid(found.areas), matrix_grid(found, link)),
        definitions=DEFINITIONS,
    )


def matrix_page(found: Matrix, *, reports: int, link: Link, at: float) -> Page:
    """The fault matrix of the latest drills."""
    scored = [area for area in found.areas if area.score is not None]
    drilled, faults = sum(a.drilled for a in found.areas), sum(a.faults for a in found.areas)
    surprises = any(step.played.facts.outcome == "deviated" for step in found.steps)
    return Page(
        title="Fault matrix",
        subtitle=f"the latest drill of each experiment, from {plural(reports, 'report')}; the last of {date_time(at)}",
        tone="bad" if surprises else "good" if scored and not found.steps else "unsure",
        verdict=f"{drilled} of {faults} faults drilled",
        meaning=f"{len(scored)} of {len(found.areas)} areas have a score; {plural(len(found.steps), 'thing')} to mend.",
        reasons=tuple(
            f"{one.key} measured nothing ({one.facts.outcome}): {'; '.join(one.facts.reasons[:2])}"
            for one in found.unmeasured
        ),
        figures=(),
        charts=tuple(chart for chart in (heat_chart(found), area_chart(found)) if chart is not None),
        grids=(steps_grid(found.steps, link), areas_grid(found.areas), matrix_grid(found, link)),
        definitions=DEFINITIONS,
    )


def tally(report: SuiteReport) -> str:
    """`5 passed, 1 known weakness, 1 skipped`; the best first."""
    counts = [(OUTCOME_WORDS[outcome][0], report.count(outcome)) for outcome in reversed(SEVERITY)]
    return ", ".join(f"{n} {words}" for words, n in counts if n) or "no drill"


def _unseen(report: SuiteReport) -> tuple[str, ...]:
    """Weaknesses that are on the list and did not show."""
    passed = [entry.subject for entry in report.entries if entry.outcome == "passed" and entry.subject.risk]
    return tuple(f"{one.risk} did not show in {one.id}: is it mended? Then say so in risks.yaml." for one in passed)


def _tone(worst: Outcome) -> Literal["good", "bad", "unsure"]:
    if worst in ("passed", "skipped"):
        return "good"
    return "bad" if worst in ("deviated", "error") else "unsure"


def _figures(report: SuiteReport) -> tuple[Figure, ...]:
    measured = [entry.facts for entry in report.entries if entry.facts is not None]
    failed, requests = sum(f.failed for f in measured), sum(f.requests for f in measured)
    played = sum(e.took_s is not None for e in report.entries)
    took = sum(e.took_s or 0.0 for e in report.entries)
    late = max((f.alerted.seconds for f in measured if f.alerted.seconds is not None), default=None)
    slow = max((f.recovered.seconds for f in measured if f.recovered.seconds is not None), default=None)
    costs, incidents = _sum([f.cost for f in measured]), _sum([f.incident_cost for f in measured])
    currency = next((f.currency for f in measured), "USD")
    return (
        Figure("drills", f"{played} of {len(report.entries)}", f"played; {tally(report)}"),
        Figure("time", seconds(report.ended_at - report.started_at), f"{seconds(took)} of it in drills"),
        Figure("requests", f"{requests:,}", f"{failed:,} failed" if measured else "no drill has a report"),
        Figure("slowest alert", seconds(late), "after its fault, of those that fired" if late else "no page fired"),
        Figure("slowest recovery", seconds(slow), "after its fault" if slow else "nothing was measured"),
        Figure("cost", money(costs, currency), "of the emulated GPUs, while drills ran"),
        Figure("of it incidents", money(incidents, currency), "capacity lost and tokens wasted"),
        Figure(
            "platform starts", f"{report.starts}", "one for each platform that drills asked for, when all goes well"
        ),
    )


def _sum(amounts: list[Decimal | None]) -> Decimal | None:
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def _drills(report: SuiteReport, link: Link) -> Grid:
    rows = [_drill(entry, link) for entry in report.entries]
    return grid("drills", "Drills", _DRILLS_HEAD, rows, empty="The suite holds no experiment.")


def _drill(entry: Entry, link: Link) -> tuple[Cell, ...]:
    facts = entry.facts
    words, tone = OUTCOME_WORDS[entry.outcome]
    known = f" {entry.subject.risk}" if entry.outcome == "known" and entry.subject.risk else ""
    return (
        Cell(f"{words}{known}", tone),
        Cell(entry.subject.id or NOT_AVAILABLE),
        Cell(entry.title, href=None if facts is None else link(facts)),
        Cell(entry.subject.family or NOT_AVAILABLE),
        Cell(seconds(entry.took_s)),
        *_measured(facts),
        Cell("; ".join(entry.reasons[:3])),
    )


def _measured(facts: DrillFacts | None) -> tuple[Cell, ...]:
    if facts is None:
        return tuple(Cell(NOT_AVAILABLE, "muted") for _ in range(6))
    return (
        Cell(alert_words(facts)),
        Cell(seconds(facts.recovered.seconds)),
        Cell(f"{facts.failed:,} of {facts.requests:,}"),
        Cell(multiple(facts.burnt)),
        Cell(money(facts.cost, facts.currency)),
        Cell(money(facts.incident_cost, facts.currency)),
    )
