"""The briefing as a reader sees it: figures and tables of plain text, each row with the source of its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sre.cost.model import UnitCost
from sre.cost.provenance import CostLine, CostSum
from sre.reports.facts import Figure
from sre.reports.finops_figures import figures
from sre.reports.finops_inputs import inputs
from sre.reports.finops_model import FinopsBriefing, Spent
from sre.reports.finops_sources import Sources, sources_of
from sre.reports.finops_tables import (
    budgets,
    cases,
    drills,
    follow_ups,
    policies,
    returns,
    sign_offs,
)
from sre.reports.formats import NOT_AVAILABLE, count, date_time, money, percent, plural
from sre.reports.page import Cell, Grid, grid
from sre.reports.svg import Chart

OUTSIDE = "Its incident, had it not been a drill"


@dataclass(frozen=True, slots=True)
class Section:
    """A table, a chart or both. `half` ones stand side by side where there is room."""

    key: str
    title: str
    grids: tuple[Grid, ...] = ()
    charts: tuple[Chart, ...] = ()
    half: bool = False


@dataclass(frozen=True, slots=True)
class FinopsView:
    """Everything a renderer shows. `warning` is said before anything else; empty when there is nothing to warn of."""

    title: str
    subtitle: str
    warning: str
    headline: tuple[str, ...]
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
    limits: tuple[str, ...]
    footer: str


def view(found: FinopsBriefing, charts: Sequence[Chart] = ()) -> FinopsView:
    """`charts` by their keys: `bill`, `units`, `policies`, `roi`."""
    drawn = {chart.key: (chart,) for chart in charts}
    return FinopsView(
        title=found.title,
        subtitle=f"{date_time(found.start)} to {date_time(found.end)}; {plural(len(found.drills), 'drill')}, "
        f"{plural(len(found.cases), 'other incident')}; all amounts in {found.currency}",
        warning=_warning(found),
        headline=found.headline,
        figures=figures(found),
        sections=(
            Section(
                "unit-cost", "What serving cost", (_units(found),), (*drawn.get("bill", ()), *drawn.get("units", ()))
            ),
            Section("incidents", "Drills and incidents", tuple(_incidents(found))),
            Section(
                "outage",
                "What failing costs",
                (_sum("minute", found.outage, sources_of(found)), budgets(found), _month(found)),
            ),
            Section("roi", "Return of the drill programme", (returns(found),), drawn.get("roi", ())),
            Section("policies", "Scaling policies (simulated)", (policies(found),), drawn.get("policies", ())),
            Section("follow-ups", "Follow-ups", (follow_ups(found),), half=True),
            Section("approvals", "Approvals", (sign_offs(found),), half=True),
            Section("inputs", "Inputs", inputs(found)),
        ),
        limits=(*found.limits, *(found.roi.notes if found.roi is not None else ())),
        footer=f"Price: {found.price}. Economics: {found.finance_path}, sha256 {found.finance_sha256[:16] or 'n/a'}.",
    )


def _warning(found: FinopsBriefing) -> str:
    if found.is_illustrative:
        return illustrative(found.finance_path)
    return "" if found.finance_sha256 else "No finance.yaml: only what is on the bill can be told."


def illustrative(path: str) -> str:
    """What stands above every page that was made with example assumptions."""
    return (
        f"Illustrative figures: {path} holds example assumptions, not yours. Amounts marked assumed show how the sums "
        "are made, not what anything costs."
    )


def _units(found: FinopsBriefing) -> Grid:
    spent, currency = found.spent, found.currency
    rows = [
        ("bill", money(spent.bill, currency), "replica-seconds / 3600 x GPUs x price, layers added", "cost.json"),
        *(
            (f"of it {name}", money(amount, currency), _percent_of(amount, spent), "cost.json")
            for name, amount in spent.parts
        ),
        (
            "per million generated tokens",
            money(spent.per_million_tokens, currency),
            f"bill / {count(spent.tokens)} x 1,000,000",
            "cost.json",
        ),
        (
            "per million good tokens",
            money(spent.per_million_good_tokens, currency),
            f"bill / {count(spent.good_tokens)} x 1,000,000",
            "cost.json",
        ),
        ("per request", money(spent.per_request, currency), f"bill / {count(spent.requests)}", "requests.jsonl"),
        (
            "per good request",
            money(spent.per_good_request, currency),
            f"bill / {count(spent.good_requests)}",
            "requests.jsonl",
        ),
    ]
    rows += [_layer_unit(unit, currency) for unit in spent.units]
    notes = [
        "In a brown-out tokens still flow, so the cost per million tokens can fall while the cost per million good "
        "tokens rises: both are shown."
    ]
    if found.drills and not spent.layered:
        notes.append("Layers used, wasted, idle and shared need samples of the replicas, which a drill here lacks.")
    sources = sources_of(found)
    cells = [(*(Cell(text) for text in row[:-1]), sources.cell(row[-1])) for row in rows] if found.drills else []
    return grid("units", "", ("", ">amount", "how", "source"), cells, notes=notes, empty="No drill in the period.")


def _layer_unit(unit: UnitCost, currency: str) -> tuple[str, str, str, str]:
    """A unit of the layers, prompt tokens counted too: by the whole bill, or by busy GPU time alone."""
    phase = unit.phase or "prompt and generated"
    how = unit.formula if unit.amount is not None else f"n/a: {unit.reason}"
    return f"per {unit.name}, {phase}, {unit.basis}", money(unit.amount, currency), how, "samples.jsonl"


def _percent_of(amount: Decimal, spent: Spent) -> str:
    return f"{percent(float(amount / spent.bill), 1)} of the bill" if spent.bill else ""


def _incidents(found: FinopsBriefing) -> list[Grid]:
    grids, sources = [], sources_of(found)
    single = found.drills[0] if len(found.drills) == 1 else None
    if single is not None:
        grids.append(_sum("drill", single.drill, sources, title="The drill itself"))
        if single.incident is not None:
            grids.append(_sum("incident", single.incident, sources, title=OUTSIDE, extra=found.credits))
    elif found.drills:
        grids.append(drills(found))
    if found.cases:
        grids.append(cases(found))
    return grids


def _sum(key: str, found: CostSum, sources: Sources, *, title: str = "", extra: CostLine | None = None) -> Grid:
    lines = (*found.lines, *(() if extra is None else (extra,)))
    rows = [_line(line, found.currency, sources) for line in lines]
    bounds = found.bounds
    low, high = ("", "") if bounds is None else (money(bound, found.currency) for bound in bounds)
    between = f"{low} to {high}" if low != high else ""
    said = ("total of the known lines", money(found.total, found.currency), "", "", between, "")
    total = tuple(Cell(text) for text in said)
    head = ("what", ">amount", "basis", "on a bill", "how", "source")
    return grid(key, title or found.title, head, [*rows, total], notes=found.notes)


def _line(line: CostLine, currency: str, sources: Sources) -> tuple[Cell, ...]:
    known = line.amount is not None
    return (
        Cell(line.name),
        Cell(money(line.amount, currency), "" if known else "muted"),
        Cell(line.basis if known else NOT_AVAILABLE, "unsure" if known and line.basis == "assumed" else ""),
        Cell("yes" if line.is_billed else "no"),
        Cell(line.formula if known else f"n/a: {line.reason}"),
        sources.cell(line.source),
    )


def _month(found: FinopsBriefing) -> Grid:
    """Budgets against what the period spent; a period is no month, so no share is claimed."""
    drilled = [drill.drill.total for drill in found.drills if drill.drill.total is not None]
    spent = {"gpus": found.spent.bill, "drills": sum(drilled, Decimal(0))}
    rows = [
        tuple(
            Cell(text)
            for text in (
                name,
                money(given.value, found.currency),
                money(spent.get(name) if found.drills else None, found.currency),
                given.basis,
                f"{found.finance_path}: {given.source}",
            )
        )
        for name, given in found.monthly_budgets
    ]
    head = ("", ">budget a month", ">spent in the period", "basis", "source")
    note = "Spent on drills is the labour and GPUs of the drills above; labour is no bill."
    return grid(
        "month", "Budgets of the month", head, rows, notes=(note,), empty="finance.yaml has no monthly_budgets."
    )
