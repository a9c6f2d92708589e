"""SLO and alert tables. Every alert row shows both clocks: the window in production and the one the drill used."""

from __future__ import annotations

from collections.abc import Iterator

from sre.reports.facts import first_fault
from sre.reports.formats import NOT_AVAILABLE, count, multiple, number, offset, percent, seconds, target, window
from sre.reports.model import DrillReport
from sre.reports.table import Row, Table, table
from sre.slo.model import Alert, BurnTier, SloResult


def objectives(report: DrillReport) -> Table:
    """Each SLO once a source, so that disagreement between sources is seen."""
    rows = [_objective(result, report.primary_source) for result in report.results]
    head = ("objective", "source", ">good", ">total", ">error ratio", ">budget", ">of budget", "met")
    notes = (
        "Over the whole drill. Budget: the error ratio the objective allows. Of budget: error ratio / budget; "
        "above 1 the drill alone missed the objective.",
        f"* primary source: the figures quoted at the top are read from {report.primary_source}.",
    )
    return table("slos", "Service level objectives", head, rows, notes=notes, empty="No objective was evaluated.")


def _objective(result: SloResult, primary: str) -> Row:
    source = f"{result.source} *" if result.source == primary else result.source
    name = f"{result.slo.title} ({target(result.slo.target)})"
    if result.error_ratio is None or result.met is None:
        reason = result.no_data_reason or "no data"
        cells = (name, source, count(result.good), count(result.total), NOT_AVAILABLE, _budget(result))
        return Row((*cells, NOT_AVAILABLE, f"n/a: {reason}"), "muted")
    used = multiple(result.error_ratio / result.slo.budget)
    met = "✓ yes" if result.met else "✗ no"
    cells = (name, source, count(result.good), count(result.total), percent(result.error_ratio), _budget(result))
    return Row((*cells, used, met), "good" if result.met else "bad")


def _budget(result: SloResult) -> str:
    return target(result.slo.budget)


def alerts(report: DrillReport) -> Table:
    """Every alert that fired, from every source, and below it the tiers that stayed silent."""
    rows = [_alert(report, r, a) for r in report.results for a in sorted(r.alerts, key=lambda a: (a.fired_at, a.tier))]
    factor = number(report.clock_factor)
    notes = [
        f"Drill clock: windows are divided by {factor} so that rules made for a month are exercised in minutes. "
        f"An alert fires while both windows burn at or above the factor{_guard(report)}; times are after the fault "
        "began.",
    ]
    longest = max((c.tier.long_s for r in report.results for c in r.curves), default=0.0) / report.clock_factor
    if longest > report.ended_at - report.started_at:
        notes.append(
            "A window longer than the drill holds only the samples of the drill, so it fires sooner than a full one."
        )
    silent = ", ".join(_silent(report))
    if silent:
        notes.append(f"Stayed silent ({report.primary_source}): {silent}.")
    head = (
        *("objective", "tier", ">burn factor", "windows in production", "windows in the drill"),
        *(">fired", ">reset", ">firing for", "source"),
    )
    return table("alerts", "Alerts", head, rows, notes=notes, empty="No alert fired.")


def _alert(report: DrillReport, result: SloResult, alert: Alert) -> Row:
    tier = next((c.tier for c in result.curves if c.tier.name == alert.tier), None)
    fault = first_fault(report)
    start = report.started_at if fault is None else fault.begin
    lasted = None if alert.reset_at is None else alert.reset_at - alert.fired_at
    cells = (
        result.slo.title,
        alert.tier if alert.tier.startswith(alert.severity) else f"{alert.severity}: {alert.tier}",
        NOT_AVAILABLE if tier is None else multiple(tier.factor),
        NOT_AVAILABLE if tier is None else _windows(tier, 1.0),
        NOT_AVAILABLE if tier is None else f"{_windows(tier, report.clock_factor)} (÷ {number(report.clock_factor)})",
        offset(alert.fired_at, start),
        "still firing" if alert.reset_at is None else offset(alert.reset_at, start),
        seconds(lasted),
        result.source,
    )
    return Row(cells, "bad" if alert.severity == "page" else "")


def _guard(report: DrillReport) -> str:
    """The low-traffic guard in words: without it a curve above its factor and no alert look like a fault of ours."""
    guards = sorted({c.tier.min_bad_events for r in report.results for c in r.curves if c.tier.min_bad_events > 1})
    if not guards:
        return ""
    least = f"{guards[0]}" if len(guards) == 1 else f"{guards[0]} to {guards[-1]}"
    return f" and the long one holds at least {least} bad events (the low-traffic guard)"


def _windows(tier: BurnTier, factor: float) -> str:
    return f"{window(tier.long_s / factor)} and {window(tier.short_s / factor)}"


def _silent(report: DrillReport) -> Iterator[str]:
    for result in report.primary_results():
        fired = {alert.tier for alert in result.alerts}
        quiet = [curve.tier.name for curve in result.curves if curve.tier.name not in fired]
        if quiet:
            yield f"{result.slo.title} ({', '.join(quiet)})"
