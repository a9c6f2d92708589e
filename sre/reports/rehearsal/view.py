"""A rehearsal, several seeds of one, a whole library, or a comparison, each as one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre.reports.charts import charts
from sre.reports.facts import Figure
from sre.reports.formats import NOT_AVAILABLE, plural, seconds
from sre.reports.model import DrillReport
from sre.reports.page import Cell, Grid, Page, Tone, grid
from sre.reports.rehearsal.charts import comparison_charts
from sre.reports.rehearsal.comparison import RULE, Compared, Comparison
from sre.reports.rehearsal.model import Coverage, Rehearsal, Spread, spreads
from sre.reports.rehearsal.words import assumed, mark, off_by, span, told, verdict

DEFINITIONS = (
    "A rehearsal runs the platform's own gateway, engines, autoscaler and supervisor under a virtual clock, offers the "
    "drill's own load, and does to it what the experiment's faults do. Nothing real is touched.",
    "Its figures are computed by the code that computes a drill's: SLOs from samples of the same metrics, milestones "
    "from the same events, cost from the same price.",
    "exact: the platform's own code meets the same event; approximate: the event is modelled; no effect: by design it "
    "changes nothing that is served.",
    "What a shared machine adds, noise of cores and disks, is not in it.",
)
_CHANGED = "The experiment's method has changed since this drill was played: the two are not of the same plan."
JUDGED = "* The comparison is judged by these: recovery, and the burns of the SLOs that the drill is about."
_SHOWN = ("time_to_detect", "time_to_alert", "time_to_recover", "failed", "moved", "blast", "wasted", "cost.incident")
_HEADLINES = ("failed", "time_to_detect", "time_to_recover")
_LIBRARY_HEAD = (
    *("id", "experiment", "rehearsed", "would be", ">failed", ">detected", ">recovered", ">peak burn", "alert"),
    "why",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One experiment of a library: its rehearsal, or why there is none. `took_s` is real time."""

    id: str
    name: str
    rehearsal: Rehearsal | None
    coverage: tuple[Coverage, ...] = ()
    why_not: str = ""
    took_s: float = 0.0


def rehearsal_page(rehearsals: Sequence[Rehearsal]) -> Page:
    """What the drill would show; of several seeds the first is drawn, and the figures are ranges."""
    first = rehearsals[0]
    report, met = first.report, sum(one.is_met for one in rehearsals)
    seeds = ", ".join(str(one.seed) for one in rehearsals)
    share = "" if len(rehearsals) == 1 else f" in {met} of {len(rehearsals)} seeds"
    return Page(
        title=report.title,
        subtitle=f"{report.experiment}, {plural(len(rehearsals), 'seed')} ({seeds}); predicted, not measured",
        tone="good" if met == len(rehearsals) else "unsure" if report.is_known else "bad",
        verdict=f"{verdict(first)}{share}",
        meaning=report.hypothesis,
        reasons=tuple(dict.fromkeys(reason for one in rehearsals for reason in one.report.verdict_reasons)),
        figures=_figures(first),
        charts=charts(report),
        grids=(_checks(report), _quantities(rehearsals), how_grid(first.coverage), _assumptions(first)),
        definitions=(*DEFINITIONS, *report.limits),
        charts_before="quantities",
        charts_title=f"What it would look like, seed {first.seed}",
    )


def comparison_page(found: Comparison) -> Page:
    """Prediction beside measurement."""
    off = [row for row in found.aimed if not row.within]
    reasons = tuple(f"{row.measured.name}: {_both(row, found)}" for row in off)
    when = "when the file says" if found.as_planned else "when they began in the drill, counted from the load's begin"
    within = sum(row.within for row in found.rows)
    return Page(
        title=f"Prediction and measurement: {found.drill.title}",
        subtitle=f"{found.drill.id} against its rehearsal, seed {found.rehearsal.seed}; steps begin {when}",
        tone="bad" if off else "good",
        verdict="outside tolerance" if off else "within tolerance",
        meaning=f"{len(found.aimed) - len(off)} of {len(found.aimed)} figures of burn and recovery are within 20 %, "
        f"{within} of {len(found.rows)} of all.",
        reasons=(*reasons, *((_CHANGED,) if found.has_changed else ())),
        figures=(),
        charts=comparison_charts(found),
        grids=(comparison_grid(found), how_grid(found.rehearsal.coverage), _assumptions(found.rehearsal)),
        definitions=DEFINITIONS,
        charts_before="comparison",
        charts_title="Predicted over measured",
    )


def library_page(entries: Sequence[Entry]) -> Page:
    """Every experiment of a workspace."""
    played = [entry.rehearsal for entry in entries if entry.rehearsal is not None]
    bad = [one for one in played if not one.is_met and not one.report.is_known]
    took = sum(entry.took_s for entry in entries)
    return Page(
        title="Rehearsal of the library",
        subtitle=f"{len(played)} of {plural(len(entries), 'experiment')} rehearsed in {seconds(took)}; predicted",
        tone="bad" if bad else "good",
        verdict=f"{plural(sum(one.is_met for one in played), 'drill')} would pass",
        meaning=f"{len(bad)} would deviate in something that is no known weakness.",
        reasons=tuple(f"{one.report.experiment}: {'; '.join(one.report.verdict_reasons[:2])}" for one in bad),
        figures=(),
        charts=(),
        grids=(library_grid(entries),),
        definitions=DEFINITIONS,
    )


def comparison_grid(found: Comparison) -> Grid:
    """A row a figure; those the comparison is judged by carry a mark."""
    head = ("figure", ">predicted", ">measured", ">off by", "within 20 %", "")
    rows = [_compared(row, found) for row in found.rows]
    return grid("comparison", "Figure by figure", head, rows, notes=(JUDGED, RULE))


def library_grid(entries: Sequence[Entry]) -> Grid:
    return grid("library", "Experiments", _LIBRARY_HEAD, [_entry(entry) for entry in entries])


def coverage_grid(found: Sequence[tuple[str, str, Sequence[Coverage], Sequence[str]]]) -> Grid:
    """For each experiment (id, name, its faults, why it is refused) how it is rehearsed, without rehearsing it."""
    rows = [
        (
            Cell(id_),
            Cell(name),
            Cell(", ".join(one.fault for one in faults) or NOT_AVAILABLE),
            Cell("not rehearsed" if refusals else ", ".join(dict.fromkeys(one.fidelity for one in faults))),
            Cell("; ".join(refusals or dict.fromkeys(one.note for one in faults if one.note))),
        )
        for id_, name, faults, refusals in found
    ]
    return grid("coverage", "What is rehearsed", ("id", "experiment", "fault", "rehearsed", "what is left out"), rows)


def how_grid(coverage: Sequence[Coverage]) -> Grid:
    """Which faults, and how they are rehearsed."""
    rows = [(Cell(one.fault), Cell(one.fidelity), Cell(one.note)) for one in coverage]
    return grid("faults", "How its faults are rehearsed", ("fault", "rehearsed", "what is left out"), rows)


def _figures(one: Rehearsal) -> tuple[Figure, ...]:
    known = {quantity.key: quantity for quantity in one.quantities()}
    currency = one.report.cost.price.currency
    return tuple(
        Figure(found.name, told(found, found.value, currency), found.reason if found.value is None else "predicted")
        for key in _SHOWN
        if (found := known.get(key)) is not None
    )


def _checks(report: DrillReport) -> Grid:
    rows = [
        (
            Cell("yes" if check.ok else "no", _tone(check.ok, check.deciding)),
            Cell(check.name),
            Cell(check.expected),
            Cell(check.observed),
        )
        for check in report.checks
        if check.name != "load generator kept time"
    ]
    return grid("checks", "What the experiment expects", ("met", "check", "expected", "predicted"), rows)


def _quantities(rehearsals: Sequence[Rehearsal]) -> Grid:
    currency = rehearsals[0].report.cost.price.currency
    several = len(rehearsals) > 1
    head = ("figure", ">middle", ">least to most", "") if several else ("figure", ">predicted", "")
    rows = [_spread(one, currency, several=several, of=len(rehearsals)) for one in spreads(rehearsals)]
    return grid("quantities", "Predicted figures", head, rows)


def _spread(one: Spread, currency: str, *, several: bool, of: int) -> tuple[Cell, ...]:
    reason = one.quantity.reason if one.n == 0 else "" if one.n == of else f"in {one.n} of {of} seeds"
    name, middle = Cell(one.quantity.name), Cell(told(one.quantity, one.middle, currency))
    return (name, middle, Cell(span(one, currency)), Cell(reason)) if several else (name, middle, Cell(reason))


def _assumptions(one: Rehearsal) -> Grid:
    rows = [(Cell(line),) for line in assumed(one)]
    return grid("machine", "What is assumed of the machine", ("assumption",), rows)


def _compared(row: Compared, found: Comparison) -> tuple[Cell, ...]:
    currency = found.drill.cost.price.currency
    nothing = row.predicted.value is None and row.measured.value is None
    tone: Tone = "muted" if nothing else "good" if row.within else "bad" if row.measured.aimed else "unsure"
    absent = next((one for one in (row.measured, row.predicted) if one.value is None), None)
    return (
        Cell(f"{row.measured.name} *" if row.measured.aimed else row.measured.name),
        Cell(told(row.predicted, row.predicted.value, currency)),
        Cell(told(row.measured, row.measured.value, currency)),
        Cell(off_by(row)),
        Cell(mark(row), tone),
        Cell("" if absent is None else absent.reason),
    )


def _both(row: Compared, found: Comparison) -> str:
    currency = found.drill.cost.price.currency
    mine, real = told(row.predicted, row.predicted.value, currency), told(row.measured, row.measured.value, currency)
    return f"predicted {mine}, measured {real}"


def _entry(entry: Entry) -> tuple[Cell, ...]:
    how = ", ".join(dict.fromkeys(one.fidelity for one in entry.coverage)) or NOT_AVAILABLE
    if entry.rehearsal is None:
        empty = (Cell(NOT_AVAILABLE, "muted"),) * 5
        head = (Cell(entry.id), Cell(entry.name), Cell("not rehearsed", "muted"), Cell("unknown", "muted"))
        return (*head, *empty, Cell(entry.why_not))
    one = entry.rehearsal
    known = {quantity.key: quantity for quantity in one.quantities()}
    currency = one.report.cost.price.currency
    burns = [q.value for q in known.values() if q.key.startswith("burn.") and q.aimed and q.value is not None]
    alerts = [
        key.removeprefix("alert.") for key, q in known.items() if key.startswith("alert.") and q.value is not None
    ]
    tone: Tone = "good" if one.is_met else "known" if one.report.is_known else "bad"
    return (
        Cell(entry.id),
        Cell(entry.name),
        Cell(how),
        Cell(verdict(one).removeprefix("would be ").removeprefix("would "), tone),
        *(Cell(told(known[key], known[key].value, currency)) for key in _HEADLINES),
        Cell(f"{max(burns):.3g}x" if burns else NOT_AVAILABLE),
        Cell(", ".join(alerts) or "none"),
        Cell("; ".join(one.report.verdict_reasons[:2])),
    )


def _tone(ok: bool, deciding: bool) -> Tone:
    return "good" if ok else "bad" if deciding else "unsure"
