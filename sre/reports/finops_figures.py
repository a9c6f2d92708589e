"""The briefing's key figures: measured ones first, each with what it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sre.cost.provenance import CostSum
from sre.reports.facts import Figure
from sre.reports.finops_model import FinopsBriefing
from sre.reports.finops_words import simulated
from sre.reports.formats import NOT_AVAILABLE, count, money, plural


def figures(found: FinopsBriefing) -> tuple[Figure, ...]:
    """The key figures: measured ones first, each with what it rests on."""
    spent, currency = found.spent, found.currency
    net = None if found.roi is None else found.roi.net.p50
    bill = f"measured: {plural(len(found.drills), 'drill')}, cost.json"
    return (
        Figure("GPU bill", money(spent.bill, currency) if found.drills else NOT_AVAILABLE, bill),
        Figure(
            f"{currency} per million generated tokens",
            money(spent.per_million_tokens, currency),
            _over(spent.tokens, "tokens"),
        ),
        Figure(
            f"{currency} per million good tokens",
            money(spent.per_million_good_tokens, currency),
            _over(spent.good_tokens, "good tokens"),
        ),
        Figure(
            f"{currency} per request", money(spent.per_request, currency), f"bill / {count(spent.requests)} requests"
        ),
        _incident_figure(found),
        Figure("minute of full outage", money(found.outage.total, currency), _range(found.outage, "assumed")),
        _budget_figure(found),
        Figure("net benefit of drills, a year", simulated(net, currency), _net(found)),
    )


def _over(n: int | None, what: str) -> str:
    return f"bill / {count(n)} {what}, measured" if n else f"n/a: no samples of {what}" if n is None else f"no {what}"


def _incident_figure(found: FinopsBriefing) -> Figure:
    sums = [d.incident for d in found.drills if d.incident is not None] + [case.cost for case in found.cases]
    known = [one.total for one in sums if one.total is not None]
    total = sum(known, Decimal(0)) if known else None
    note = f"{plural(len(sums), 'incident')}; of it measured {money(_measured(sums), found.currency)}, the rest assumed"
    return Figure("incidents would cost", money(total, found.currency), note if sums else "no incident in the period")


def _measured(sums: Sequence[CostSum]) -> Decimal:
    lines = (line for one in sums for line in one.lines if line.basis == "measured" and line.amount is not None)
    return sum((line.amount or Decimal(0) for line in lines), Decimal(0))


def _range(found: CostSum, basis: str) -> str:
    bounds = found.bounds
    if bounds is None:
        return "n/a: " + "; ".join(line.reason for line in found.unknown)
    return f"{basis}; {money(bounds[0], found.currency)} to {money(bounds[1], found.currency)}"


def _budget_figure(found: FinopsBriefing) -> Figure:
    if not found.budgets:
        return Figure("1 % of the error budget", NOT_AVAILABLE, "no objective was read")
    first = found.budgets[0]
    note = first.whole.formula if first.whole.amount is not None else first.whole.reason
    return Figure(f"1 % of the {first.slo} budget", money(first.percent, found.currency), f"assumed: {note}")


def _net(found: FinopsBriefing) -> str:
    roi = found.roi
    if roi is None:
        return f"n/a: {found.roi_reason}"
    low, high = simulated(roi.net.p10, roi.currency), simulated(roi.net.p90, roi.currency)
    said = f"p50 of {roi.years:,} simulated years, p10 {low}, p90 {high}"
    other = found.roi_assumed
    return said if other is None else f"{said}; with assumed recoveries {simulated(other.net.p50, other.currency)}"
