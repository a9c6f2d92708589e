"""The fault matrix, the areas' scores and what to mend next, as tables of a page."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sre.reports.drill_facts import DrillFacts, Measured, Outcome
from sre.reports.formats import NOT_AVAILABLE, money, multiple, plural, seconds
from sre.reports.matrix import QUESTIONS, Area, Line, Mark, Matrix, Played, Step
from sre.reports.page import Cell, Grid, Tone, grid

Link = Callable[[DrillFacts], str | None]
"""Where a drill's own report lies, seen from the page."""
OUTCOME_WORDS: dict[Outcome, tuple[str, Tone]] = {
    "passed": ("passed", "good"),
    "known": ("known weakness", "known"),
    "deviated": ("deviated", "bad"),
    "void": ("void", "unsure"),
    "aborted": ("aborted", "unsure"),
    "interrupted": ("interrupted", "unsure"),
    "error": ("error", "unsure"),
    "skipped": ("skipped", "muted"),
    "not run": ("not run", "muted"),
}
_WEIGHTS = ", ".join(f"{question.name} {question.weight}" for question in QUESTIONS)
DEFINITIONS = (
    "Passed: the fault was proven and every check held. Known weakness: it deviated, in nothing but the checks that "
    "the risk it names says. Deviated: it did not hold. Void: no fault was proven, so nothing was tested.",
    f"A drill's score is the mean of its answers by weight ({_WEIGHTS}); an answer is the share of its checks that "
    "held: protected (the steady state returned, clients lost and paid no more than promised), alerting (the alert in "
    "time, or silence where silence was expected), recovered (well again in time), proven and undone (seen from "
    "outside, and taken away by the run itself). What no check asks is left out.",
    "An area's score is the mean of its drills' scores, the latest of each experiment. An area without a drill that "
    "measured something has no score: n/a is not 0.",
    "Detected is the first thing that noticed: supervisor, gateway or a page; alert the first page; recovered when "
    "everything that was hit was well again. Seconds after the fault; alert windows are compressed by the drill clock.",
    "Budget burnt is how many times the error budget of the drill's own length the worst SLO of the experiment used "
    "up: 1 is as much as is allowed on average.",
    "What to mend next is ranked by failed requests, then budget burnt, then the time until it was well again.",
)
_MATRIX_HEAD = (
    *("area", "fault", "what should protect the service", "experiment", "result"),
    *(">detected", ">alert", ">recovered", ">failed", ">budget burnt", ">incident cost", ">score"),
)


def matrix_grid(found: Matrix, link: Link) -> Grid:
    """A row a fault and drill that injected it; a fault without a drill has one row that says so."""
    rows = [_line(line, link) for line in found.lines]
    missing = len({line.fault for line in found.lines if line.played is None})
    notes = (
        [f"{plural(missing, 'fault')} of {len({line.fault for line in found.lines})} not drilled."] if missing else []
    )
    return grid("matrix", "Fault matrix", _MATRIX_HEAD, rows, notes=notes)


def _line(line: Line, link: Link) -> list[Cell]:
    known = [Cell(line.family), Cell(line.fault), Cell(line.protects)]
    if line.played is None:
        where = "none" if "local" in line.platforms else f"{', '.join(line.platforms)} only"
        return [*known, Cell(where, "muted"), Cell("not drilled", "muted"), *[Cell(NOT_AVAILABLE, "muted")] * 7]
    facts, by_question = line.played.facts, {mark.question: mark for mark in line.marks}
    return [
        *known,
        Cell(line.played.key, href=link(facts)),
        outcome_cell(facts.outcome, line.played),
        Cell(_time(facts.detected)),
        Cell(alert_words(facts), _tone(by_question.get("alerting"))),
        Cell(_time(facts.recovered), _tone(by_question.get("recovered"))),
        Cell(f"{facts.failed:,}", _check_tone(facts, "requests")),
        Cell(multiple(facts.burnt)),
        Cell(money(facts.incident_cost, facts.currency), _check_tone(facts, "cost")),
        Cell(score_words(line.score), score_tone(line.score)),
    ]


def areas_grid(areas: Sequence[Area]) -> Grid:
    """A row an area."""
    rows = [
        (
            Cell(area.family),
            Cell(score_words(area.score), score_tone(area.score)),
            Cell(f"{area.drilled} of {area.faults}", "" if area.drilled == area.faults else "muted"),
            Cell(f"{area.drills}"),
            Cell("nothing was drilled to its end" if area.score is None else "", "muted"),
        )
        for area in areas
    ]
    return grid("areas", "Resiliency by area", ("area", ">score", ">faults drilled", ">drills scored", "why n/a"), rows)


def steps_grid(steps: Sequence[Step], link: Link) -> Grid:
    """What to mend next, the most harmful first."""
    rows = [_step(number, step, link) for number, step in enumerate(steps, 1)]
    head = (">", "risk", "experiment", "what did not hold", ">failed", ">budget burnt", ">recovered", "mend")
    return grid("steps", "What to mend next", head, rows, empty="Nothing: every drill that measured something passed.")


def _step(number: int, step: Step, link: Link) -> tuple[Cell, ...]:
    facts, risk = step.played.facts, step.risk
    known: Tone = "known" if facts.is_known else "bad"
    status = "" if risk is None else f" ({risk.status}, {risk.owner})"
    return (
        Cell(str(number)),
        Cell(f"{step.risk_id}{status}" if step.risk_id else "none named", known),
        Cell(f"{step.played.key}: {step.played.title}", href=link(facts)),
        Cell("; ".join(f"{c.name}: {c.observed}, not {c.expected}" for c in facts.failed_checks) or "see its report"),
        Cell(f"{facts.failed:,}"),
        Cell(multiple(facts.burnt)),
        Cell(_time(facts.recovered)),
        Cell(_mend(step)),
    )


def _mend(step: Step) -> str:
    if step.risk is not None:
        return step.risk.mend + (f" (issue {step.risk.issue})" if step.risk.issue else "")
    return step.played.subject.weakness or "look into it, and write it into risks.yaml when it has to wait"


def outcome_cell(outcome: Outcome, one: Played | None = None) -> Cell:
    """The outcome in words; a known weakness with its risk."""
    words, tone = OUTCOME_WORDS[outcome]
    risk = one.subject.risk if one is not None and outcome == "known" else None
    return Cell(f"{words} {risk}" if risk else words, tone)


def alert_words(facts: DrillFacts) -> str:
    """When the page fired; `silent` where that was right."""
    if facts.alerted.seconds is not None:
        return seconds(facts.alerted.seconds)
    checks = [check for check in facts.checks if check.key == "alert"]
    return "silent, rightly" if checks and all(check.ok for check in checks) else "none"


def score_words(value: float | None) -> str:
    """`83 %`; n/a with nothing scored. Only a whole score is shown as 100 %."""
    if value is None:
        return NOT_AVAILABLE
    return f"{min(99, round(value * 100)) if value < 1 else 100} %"


def score_tone(value: float | None) -> Tone:
    if value is None:
        return "muted"
    return "good" if value >= 1 else "known" if value >= 0.7 else "bad"


def _time(measured: Measured) -> str:
    return seconds(measured.seconds)


def _tone(mark: Mark | None) -> Tone:
    if mark is None or mark.value is None:
        return "muted"
    return "good" if mark.value >= 1 else "bad"


def _check_tone(facts: DrillFacts, key: str) -> Tone:
    checks = [check for check in facts.checks if check.key == key]
    if not checks:
        return ""
    return "good" if all(check.ok for check in checks) else "bad"
