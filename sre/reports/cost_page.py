"""`sre cost report` as one offline HTML file and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from sre.cost.model import CostLayers
from sre.cost.statement import Statement
from sre.errors import EnvironmentLacks
from sre.incidents.codec import encode
from sre.reports.atomic import write_text
from sre.reports.cost_layers import layer_shares, layers_table, units_table
from sre.reports.cost_layers_chart import layers_chart
from sre.reports.facts import Figure
from sre.reports.formats import date_time, money, percent, seconds
from sre.reports.page import Cell, Grid, Page, Tone, grid, page_html
from sre.reports.table import Table

DEFINITIONS = (
    "allocation, usage: OpenCost's two bases. allocation divides the whole bill, so it answers for idle capacity; "
    "usage divides what was busy.",
    "busy: requests ran on the replica at the sample, and its token counters moved between the samples beside it. A "
    "share of samples: right on average, blind to what lies between two of them.",
    "good tokens: generated for requests within both goodput thresholds (first token, mean gap between tokens).",
    "Money is kept to 12 decimal places; what is shown is rounded by largest remainder, so that the lines add up.",
)


def statement_json(statement: Statement) -> dict[str, Any]:
    """Everything as JSON values; amounts are strings, exact."""
    return {
        "id": statement.id,
        "title": statement.title,
        "experiment": statement.experiment,
        "incident": statement.incident,
        "start": statement.start,
        "end": statement.end,
        "price": encode(statement.price),
        "gpus_per_replica": statement.gpus_per_replica,
        "bill": f"{statement.bill:f}",
        "currency": statement.price.currency,
        "layers": None if statement.layers is None else encode(statement.layers),
        "reason": statement.reason,
        "work": asdict(statement.work),
    }


def write_statement(statement: Statement, path: Path) -> None:
    """One HTML file. Raises EnvironmentLacks when it cannot be written."""
    if not path.parent.is_dir():
        raise EnvironmentLacks(f"{path}: there is no folder {path.parent}: make it, or choose another --out")
    write_text(path, page_html(statement_page(statement)))


def statement_page(statement: Statement) -> Page:
    """The page of a statement; without layers it says why."""
    layers, price = statement.layers, statement.price
    span = f"{date_time(statement.start)} to {date_time(statement.end)} ({seconds(statement.end - statement.start)})"
    return Page(
        title=f"Cost: {statement.title}",
        subtitle=f"{statement.id}; {span}" if statement.id else span,
        tone="unsure" if layers is None else "good",
        verdict=money(statement.bill, price.currency),
        meaning=statement.reason or _meaning(layers),
        reasons=(),
        figures=() if layers is None else _figures(layers),
        charts=() if layers is None else (layers_chart(layers),),
        grids=(
            *(() if layers is None else (_grid(layers_table(layers)), _grid(units_table(layers)))),
            _price(statement),
        ),
        definitions=DEFINITIONS,
        charts_before="cost-layers",
        charts_title="Where the money went",
    )


def _meaning(layers: CostLayers | None) -> str:
    if layers is None or not layers.bill:
        return ""
    shares = (f"{share:.1f} % {layer}" for layer, share in layer_shares(layers))
    return f"Of the bill: {', '.join(shares)}."


def _figures(layers: CostLayers) -> tuple[Figure, ...]:
    wanted = (
        ("a million tokens", layers.unit("million tokens"), "prompt and generated, whole bill"),
        ("a million good tokens", layers.unit("million good tokens"), "whole bill over good tokens"),
        ("a good request", layers.unit("good request"), "whole bill over good requests"),
    )
    figures = [Figure(label, money(unit.amount, layers.currency), unit.reason or note) for label, unit, note in wanted]
    return (*figures, Figure("busy", percent(layers.busy_share, 1), "of paid GPU time"))


def _price(statement: Statement) -> Grid:
    price = statement.price
    rows = [
        ("price", f"{money(price.per_gpu_hour, price.currency)} / GPU-hour: {price.name}, {price.gpu}"),
        ("bought", price.purchase or "not said"),
        ("holds", price.validity),
        ("source", price.source),
        ("GPUs per replica", str(statement.gpus_per_replica)),
    ]
    return grid("price", "Price", ("", ""), [(Cell(label, "muted"), Cell(text)) for label, text in rows])


def _grid(table: Table) -> Grid:
    rows = tuple(tuple(Cell(text, _tone(row.tone)) for text in row.cells) for row in table.rows)
    return Grid(table.key, table.title, table.columns, rows, table.notes, table.empty)


def _tone(tone: str) -> Tone:
    return "muted" if tone == "muted" else ""
