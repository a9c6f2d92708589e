"""The briefing's longer tables: drills, cases, budgets, returns, policies, follow-ups, sign-offs, inputs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sre.cost.measured import shown
from sre.cost.policies import PolicyCost
from sre.cost.roi_model import Band, Roi
from sre.reports.finops_headline import GOOD_ENOUGH
from sre.reports.finops_model import DrillMoney, FinopsBriefing
from sre.reports.finops_words import simulated
from sre.reports.formats import NOT_AVAILABLE, date, date_time, money, percent, seconds
from sre.reports.page import Cell, Grid, Tone, grid

_MOST_DRILLS = 8


def drills(found: FinopsBriefing) -> Grid:
    """The dearest incidents first; the rest in one row, so that the page stays a briefing."""
    ordered = sorted(found.drills, key=lambda d: (-(_total(d) or Decimal(0)), d.started_at, d.id))
    rows = [_drill(drill, found.currency) for drill in ordered[:_MOST_DRILLS]]
    rest = ordered[_MOST_DRILLS:]
    if rest:
        rows.append(_rest(rest, found.currency))
    head = (
        "drill",
        "verdict",
        ">drill cost",
        ">incident cost",
        ">on a bill",
        ">per M tokens",
        ">per M good tokens",
        ">recovered in",
    )
    notes = ("Each drill's own finops.html and report.html hold the lines behind these sums.",)
    return grid("drills", "Drills, and what their incidents would have cost", head, rows, notes=notes)


def _total(drill: DrillMoney) -> Decimal | None:
    return None if drill.incident is None else drill.incident.total


def _drill(drill: DrillMoney, currency: str) -> tuple[Cell, ...]:
    billed = None if drill.incident is None else drill.incident.part(is_billed=True)
    return (
        Cell(drill.title, href=drill.href or None),
        Cell(drill.verdict, "good" if drill.verdict == "passed" else "bad"),
        Cell(money(drill.drill.total, currency)),
        Cell(money(_total(drill), currency) if drill.incident is not None else "no fault"),
        Cell(money(billed, currency)),
        Cell(money(drill.spent.per_million_tokens, currency)),
        Cell(money(drill.spent.per_million_good_tokens, currency)),
        Cell(seconds(drill.recovery_s)),
    )


def _rest(drills: Sequence[DrillMoney], currency: str) -> tuple[Cell, ...]:
    held = [d.drill.total for d in drills if d.drill.total is not None]
    incidents = [total for d in drills if (total := _total(d)) is not None]
    billed = [part for d in drills if d.incident is not None and (part := d.incident.part(is_billed=True)) is not None]
    sums = (money(sum(amounts, Decimal(0)) if amounts else None, currency) for amounts in (held, incidents, billed))
    return tuple(Cell(text) for text in (f"{len(drills)} more drills, together", "", *sums, "", "", ""))


def cases(found: FinopsBriefing) -> Grid:
    """Incidents of the store."""
    rows = [
        tuple(
            Cell(text)
            for text in (
                case.id,
                case.title,
                case.severity,
                case.origin,
                date_time(case.opened_at),
                money(case.cost.total, found.currency),
                "; ".join(f"{line.name}: {line.reason}" for line in case.cost.unknown),
            )
        )
        for case in found.cases
    ]
    return grid(
        "cases", "Incidents of the store", ("id", "title", "severity", "from", "opened", ">cost", "not in it"), rows
    )


def budgets(found: FinopsBriefing) -> Grid:
    """Error budgets in money."""
    rows = []
    for one in found.budgets:
        known = one.whole.amount is not None
        rows.append(
            tuple(
                Cell(text)
                for text in (
                    f"{one.slo}, {shown(one.period_days)} days",
                    money(one.whole.amount, found.currency),
                    money(one.percent, found.currency),
                    f"{money(one.spent, found.currency)}{_share(one.spent_share)}",
                    one.whole.formula if known else f"n/a: {one.whole.reason}",
                    one.whole.source,
                )
            )
        )
    head = ("error budget", ">whole", ">1 % of it", ">spent in the period", "how", "source")
    return grid("budgets", "Error budgets in money", head, rows, empty="No objective was read.")


def _share(share: Decimal | None) -> str:
    return "" if share is None else f" ({percent(float(share), 3)})"


def returns(found: FinopsBriefing) -> Grid:
    """The return with its ranges; with measured recoveries, the assumed ones beside them."""
    if found.roi is None:
        return grid("returns", "", ("", ">"), [], empty=f"n/a: {found.roi_reason}")
    return return_table(found.roi, found.roi_assumed)


def return_table(roi: Roi, assumed: Roi | None) -> Grid:
    """One return, and the net benefit of another beside it."""
    rows = _return(roi) + ([] if assumed is None else _beside(assumed))
    return grid("returns", "", ("a year", ">p10", ">p50", ">p90", ">mean", "how"), rows)


def _return(roi: Roi) -> list[tuple[Cell, ...]]:
    even, currency = roi.break_even, roi.currency
    ratio = NOT_AVAILABLE if roi.ratio is None else f"{roi.ratio:.2f}"
    chance = f"{percent(float(roi.chance_positive), 1)} (± {percent(float(roi.standard_error), 1)})"
    return [
        _band("cost of the programme", roi.cost, currency, "12 x drills a month x cost of a drill + fixed cost"),
        _band("saved by it", roi.benefit, currency, "incidents without - incidents with, each with its minutes"),
        _band("net benefit", roi.net, currency, f"saved - cost; {roi.years:,} years, seed {roi.seed}"),
        _said(
            "one incident, without and with drills",
            f"{simulated(roi.incident_without, currency)} and {simulated(roi.incident_with, currency)}",
            "means of the inputs",
        ),
        _said("chance of a positive year", chance, "share of simulated years"),
        _said("return on investment", ratio, "mean net benefit / mean cost"),
        _even("avoided", even.avoided, even.avoided_simulated, "cost a year / cost of one"),
        _even("shortened", even.shortened, even.shortened_simulated, "cost a year / saving of one"),
    ]


def _beside(roi: Roi) -> list[tuple[Cell, ...]]:
    """The same with the minutes of finance.yaml instead of the drills' own."""
    even = roi.break_even
    return [
        _band("net benefit, minutes as assumed", roi.net, roi.currency, "finance.yaml: minutes_with"),
        _even("shortened, as assumed", even.shortened, even.shortened_simulated, "cost a year / saving of one"),
    ]


def _band(name: str, band: Band, currency: str, how: str) -> tuple[Cell, ...]:
    amounts = (simulated(one, currency) for one in (band.p10, band.p50, band.p90, band.mean))
    return tuple(Cell(text) for text in (name, *amounts, how))


def _said(name: str, value: str, how: str) -> tuple[Cell, ...]:
    return tuple(Cell(text) for text in (name, "", value, "", "", how))


def _even(what: str, closed: Decimal | None, simulated: Decimal | None, how: str) -> tuple[Cell, ...]:
    return _said(f"break-even: incidents {what}", _count(closed), f"{how}; simulated {_count(simulated)}")


def _count(value: Decimal | None) -> str:
    return "never" if value is None else f"{value}"


def policies(found: FinopsBriefing) -> Grid:
    """Cost and attainment of each policy, savings against the baseline."""
    costs = found.policies
    if costs is None:
        empty = "No comparison was given: sre autoscale compare --out DIR, then --policies DIR/compare.json."
        return grid("policy-table", "", ("",), [], empty=empty)
    rows = []
    for one in costs.policies:
        tone: Tone = "good" if one.attainment >= GOOD_ENOUGH else "bad"
        rows.append(
            (
                Cell(one.name),
                Cell(percent(float(one.attainment)), tone),
                Cell(money(one.cost, costs.currency)),
                Cell(money(one.per_million_good, costs.currency)),
                Cell(simulated(one.a_month, costs.currency)),
                _saved(one, costs.currency),
            )
        )
    head = ("policy", ">good requests", ">cost simulated", ">per M good tokens", ">cost a month", ">saved a month")
    notes = (
        f"Simulated, never measured. Saved a month = {costs.formula}.",
        f"Source: {costs.path}; {costs.traffic}; profile {costs.profile}; price {costs.price}.",
    )
    return grid("policy-table", "", head, rows, notes=notes)


def _saved(one: PolicyCost, currency: str) -> Cell:
    """What a policy saves by serving badly is no saving."""
    if one.saved_a_month is None:
        return Cell("baseline")
    if one.attainment < GOOD_ENOUGH:
        return Cell(f"({simulated(one.saved_a_month, currency)}, too few good)", "muted")
    return Cell(simulated(one.saved_a_month, currency))


def follow_ups(found: FinopsBriefing) -> Grid:
    """Actions of the store."""
    rows = [
        (
            Cell(f"{one.incident} {one.item}"),
            Cell(one.title),
            Cell(one.owner or "nobody", "" if one.owner else "bad"),
            Cell(one.due or "no date", "bad" if one.overdue else ""),
            Cell(f"{one.status}, overdue" if one.overdue else one.status, "bad" if one.overdue else ""),
        )
        for one in found.follow_ups
    ]
    head = ("action", "what", "owner", "due", "status")
    return grid("actions", "", head, rows, empty="The incident store holds no follow-up, or none was given (--store).")


def sign_offs(found: FinopsBriefing) -> Grid:
    """A row a role, with room to sign where it has not."""
    rows = [
        tuple(
            Cell(text)
            for text in (
                one.role,
                one.name or "____________________",
                one.decision or "not yet",
                "" if one.at is None else date(one.at),
                f"{one.document} {one.sha256[:12]}".strip(),
            )
        )
        for one in found.sign_offs
    ]
    return grid("signed", "", ("role", "name", "decision", "on", "document, sha256"), rows)
