"""A backtest in tables and sentences, the same on a terminal and on a page. What is unknown is n/a, with the reason."""

from __future__ import annotations

from collections.abc import Sequence

from sre.reports.formats import NOT_AVAILABLE, count, date_time, number, percent, plural, seconds, target, window
from sre.reports.table import Row, Table, table
from sre.slo.backtest.model import Backtest, Detection, Measured, Plan, Score, SloBacktest
from sre.slo.backtest.tune import Candidate, Tuning
from sre.slo.model import BurnTier, Severity

MONTH_WEEKS = 30 / 7
_SCORE_HEAD = (
    "tier",
    ">episodes",
    ">precision",
    ">recall",
    ">detection",
    ">worst",
    ">reset",
    ">budget before",
    ">false/week",
    ">time in alert",
)
DEFINITIONS = (
    "An episode runs from the first evaluation at which a tier fires to the first at which it does not; tiers of a set "
    "(any page, any ticket) are merged first.",
    "An episode is true when it overlaps an incident or the grace after it. Precision is true episodes of all; recall "
    "is incidents detected of those expected; an incident labelled ticket is not expected to page.",
    "Detection is the median time from an incident's start to the first evaluation that fires in it; incidents in "
    "which the alert fired already count as detected, without a delay. Reset is from an incident's end.",
    "Budget before: share of the whole period's budget that bad events between start and detection are (median), the "
    "period's events estimated from the rate in the replay.",
    "What the ends of the replay cut off is neither hit nor miss.",
)


def span(value: float | None) -> str:
    """A length of time from milliseconds to weeks: `84 ms`, `12.8 s`, `53 min`, `5.3 h`, `3.2 d`."""
    if value is None:
        return NOT_AVAILABLE
    for unit, size, least in (("d", 86400.0, 172800.0), ("h", 3600.0, 7200.0), ("min", 60.0, 600.0)):
        if value >= least:
            return f"{value / size:.3g} {unit}"
    return "0 s" if value == 0 else seconds(value)


def tier_words(tier: BurnTier, clock: float = 1.0) -> str:
    """`14.4x over 1 h and 5 min`."""
    return f"{number(tier.factor)}x over {window(tier.long_s / clock)} and {window(tier.short_s / clock)}"


def plan_words(plan: Plan, source: str) -> str:
    """What was replayed, in one sentence."""
    clock = "" if plan.clock.factor == 1 else f", windows on the drill clock (1/{number(plan.clock.factor)})"
    return (
        f"{span(plan.span_s)} from {date_time(plan.start)} to {date_time(plan.end)}, evaluated every "
        f"{window(plan.step_s)} by {plan.convention}{clock}; grace {span(plan.grace)}; samples from {source}"
    )


def scores_table(found: SloBacktest) -> Table:
    """A row a tier, then the sets."""
    rows = [Row(_score_cells(score)) for score in found.scores]
    rows += [Row(_score_cells(score), "set") for score in found.sets]
    rows += [Row((tier.name, *[NOT_AVAILABLE] * (len(_SCORE_HEAD) - 1)), "muted") for tier, _ in found.skipped]
    notes = [f"Not replayed: {', '.join(f'{tier.name}: {reason}' for tier, reason in found.skipped)}."] * bool(
        found.skipped
    )
    notes += [f"Note: {note}." for note in found.notes]
    notes += reasons(found.scores)
    title = f"{found.slo.name}: {found.slo.title}, objective {target(found.slo.target)}"
    return table(found.slo.name, title, _SCORE_HEAD, rows, notes=notes, empty=found.reason or "Nothing was replayed.")


def overall_table(result: Backtest) -> Table:
    """Any page and any ticket of any SLO."""
    rows = [Row(_score_cells(score)) for score in result.overall]
    return table("overall", "All SLOs together", _SCORE_HEAD, rows, notes=reasons(result.overall))


def _score_cells(score: Score) -> tuple[str, ...]:
    recall = _percent(score.recall)
    if score.recall.value is not None:
        recall = f"{recall} ({score.detected}/{score.expected})"
    return (
        score.name,
        count(score.episodes),
        _percent(score.precision),
        recall,
        span(score.detection_s.value),
        span(score.worst_detection_s.value),
        span(score.reset_s.value),
        _percent(score.budget_spent),
        number(score.false_per_week.value),
        f"{span(score.in_alert_s)} ({percent(score.in_alert_share)})",
    )


def reasons(scores: Sequence[Score]) -> list[str]:
    """Why figures are n/a: each reason once, with the tiers it is about."""
    found: dict[str, list[str]] = {}
    for score in scores:
        named = (
            ("precision", score.precision),
            ("recall", score.recall),
            ("detection", score.detection_s),
            ("reset", score.reset_s),
            ("budget", score.budget_spent),
        )
        missing: dict[str, list[str]] = {}
        for name, measured in named:
            if measured.value is None and measured.reason:
                missing.setdefault(measured.reason, []).append(name)
        for reason, names in missing.items():
            found.setdefault(f"{', '.join(names)} n/a: {reason}", []).append(score.name)
    everyone = {score.name for score in scores}
    return [
        f"{reason}." if set(names) == everyone else f"{', '.join(dict.fromkeys(names))}: {reason}."
        for reason, names in found.items()
    ]


def incidents_table(found: SloBacktest) -> Table:
    """A row an incident: what each set and tier saw of it."""
    head = ("incident", "start (UTC)", ">lasted", "first page", ">delay", "first ticket", ">delay", ">budget it cost")
    rows = []
    for label in dict.fromkeys(d.label for score in found.sets for d in score.detections):
        cells = [label.name, date_time(label.start).removesuffix(" UTC"), span(label.end - label.start)]
        tone = ""
        for severity in ("page", "ticket"):
            seen = _seen(found, f"any {severity}", label)
            cells += [_outcome(found, severity, seen), _delay(seen)]
            tone = "bad" if seen is not None and seen.outcome == "missed" else tone
        rows.append(Row((*cells, _cost(found, label)), tone))
    return table(
        f"{found.slo.name}-incidents", f"{found.slo.name}: incidents", head, rows, empty="No incident is labelled."
    )


def _seen(found: SloBacktest, name: str, label: object) -> Detection | None:
    return next((d for score in found.sets if score.name == name for d in score.detections if d.label is label), None)


def _outcome(found: SloBacktest, severity: str, seen: Detection | None) -> str:
    """Which tier was first, or why none was."""
    if seen is None:
        return "not expected"
    if seen.outcome != "detected":
        return "MISSED" if seen.outcome == "missed" else f"unknown: {seen.why}"
    if seen.detected_at is None:
        return "firing already"
    first = [
        score.name
        for score in found.scores
        if score.severity == severity
        and any(d.label is seen.label and d.detected_at == seen.detected_at for d in score.detections)
    ]
    return ", ".join(first) or "detected"


def _delay(seen: Detection | None) -> str:
    return NOT_AVAILABLE if seen is None else span(seen.delay_s.value)


def _cost(found: SloBacktest, label: object) -> str:
    costs = [d.cost for score in found.sets for d in score.detections if d.label is label]
    return _percent(costs[0]) if costs else NOT_AVAILABLE


def missed_lines(result: Backtest) -> list[str]:
    """One line an incident that no tier of a severity saw."""
    lines = []
    for found in result.slos:
        for score in found.sets:
            lines += [
                f"{found.slo.name}: {score.name} missed {d.label.name} ({date_time(d.label.start)}, "
                f"{span(d.label.end - d.label.start)}, {_cost_words(d)})"
                for d in score.missed
            ]
    return lines


def _cost_words(missed: Detection) -> str:
    if missed.cost.value == 0:
        return "no bad event in it, nothing for this SLO to see"
    return f"{_percent(missed.cost)} of the budget"


def summary(result: Backtest) -> str:
    """The backtest in a few words."""
    judged = [found for found in result.slos if found.reason is None]
    words = [f"{plural(len(judged), 'SLO')} replayed over {span(result.plan.span_s)}."]
    if len(judged) < len(result.slos):
        words.append(f"{plural(len(result.slos) - len(judged), 'SLO')} had no data.")
    scores = judged[0].sets if len(judged) == 1 else result.overall
    for score in scores:
        said = f"{score.name}: {plural(score.episodes, 'episode')}"
        if score.recall.value is not None:
            said += f", {score.detected} of {plural(score.expected, 'incident')} detected"
        if score.precision.value is not None:
            said += f", precision {percent(score.precision.value, 0)}"
        if score.detection_s.value is not None:
            said += f", median delay {span(score.detection_s.value)}"
        words.append(f"{said[0].upper()}{said[1:]}.")
    if not result.labels:
        words.append("Without labelled incidents there is no precision and no recall.")
    return " ".join(words)


def tuning_table(tuning: Tuning) -> Table:
    """The tiers one has, the winner, then the Pareto front."""
    head = (
        "tiers",
        "pages",
        ">recall",
        ">precision",
        ">detection",
        ">budget before",
        ">false/month",
        ">held out: recall",
        ">detection",
        ">false/month",
    )
    named = [("now", tuning.before), ("tuned", tuning.best)]
    named += [(f"front {i}", one) for i, one in enumerate(tuning.front, 1) if one.tiers != tuning.best.tiers]
    rows = [Row(_candidate_cells(name, one), "" if name in ("now", "tuned") else "muted") for name, one in named[:14]]
    notes = [
        f"Objective {tuning.objective.text}: {'met' if tuning.met else 'NOT met by any set tried'}; "
        f"{plural(tuning.tried, 'set')} of tiers tried.",
        *(f"Warning: {warning}." for warning in tuning.warnings),
    ]
    if len(named) > 14:
        notes.append(f"{len(named) - 14} more sets on the front are in backtest.json.")
    if tuning.split_at is not None:
        notes.append(f"Searched until {date_time(tuning.split_at)}; what came later was held out.")
    return table(f"{tuning.slo.name}-tuning", f"{tuning.slo.name}: tuned tiers", head, rows, notes=notes)


def _shown(candidate: Candidate) -> Severity:
    """Pages are what tuning is told by; tickets where there are no page tiers."""
    return "page" if "page" in candidate.train else "ticket"


def _candidate_cells(name: str, candidate: Candidate) -> tuple[str, ...]:
    severity = _shown(candidate)
    train = candidate.train[severity]
    test = (candidate.test or {}).get(severity)
    tiers = "; ".join(tier_words(tier) for tier in candidate.tiers if tier.severity == severity)
    return (
        name,
        tiers,
        _percent(train.recall),
        _percent(train.precision),
        span(train.detection_s.value),
        _percent(train.budget_spent),
        number(_monthly(train.false_per_week)),
        NOT_AVAILABLE if test is None else _percent(test.recall),
        NOT_AVAILABLE if test is None else span(test.detection_s.value),
        NOT_AVAILABLE if test is None else number(_monthly(test.false_per_week)),
    )


def cost_words(tuning: Tuning) -> str:
    """What the winner costs against the tiers one has, on the part of the history searched."""
    severity = _shown(tuning.best)
    now, then = tuning.before.train[severity], tuning.best.train[severity]
    pairs = (
        ("recall", _percent(now.recall), _percent(then.recall)),
        ("precision", _percent(now.precision), _percent(then.precision)),
        (f"false {severity}s a month", number(_monthly(now.false_per_week)), number(_monthly(then.false_per_week))),
        ("median detection", span(now.detection_s.value), span(then.detection_s.value)),
        ("budget before detection", _percent(now.budget_spent), _percent(then.budget_spent)),
        ("time in alert", percent(now.in_alert_share), percent(then.in_alert_share)),
    )
    changed = [f"{name} {a} -> {b}" if a != b else f"{name} {a} as before" for name, a, b in pairs]
    return f"{tuning.slo.name}: " + "; ".join(changed)


def _monthly(measured: Measured) -> float | None:
    return None if measured.value is None else measured.value * MONTH_WEEKS


def _percent(measured: Measured) -> str:
    return percent(measured.value, 1)


def report_lines(result: Backtest) -> list[str]:
    """The backtest for a terminal: what was replayed, a table an SLO, what was missed, in words."""
    lines = [plan_words(result.plan, result.source)]
    for found in result.slos:
        lines += ["", *text_lines(scores_table(found))]
    if len(result.slos) > 1 and result.overall:
        lines += ["", *text_lines(overall_table(result))]
    lines += ["", summary(result), *missed_lines(result)]
    return lines + [f"left out: {label.name}: {reason}" for label, reason in result.left_out]


def tuning_lines(tuning: Tuning) -> list[str]:
    return text_lines(tuning_table(tuning))


def text_lines(shown: Table) -> list[str]:
    """A table in columns of text, its title above and its notes below."""
    if not shown.rows:
        return [shown.title, f"  {shown.empty}"]
    rows = [tuple(column.label for column in shown.columns), *(row.cells for row in shown.rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(shown.columns))]
    lines = [shown.title]
    for row in rows:
        cells = (
            cell.rjust(width) if column.numeric else cell.ljust(width)
            for cell, width, column in zip(row, widths, shown.columns, strict=True)
        )
        lines.append(f"  {'  '.join(cells)}".rstrip())
    return [*lines, *(f"  {note}" for note in shown.notes)]
