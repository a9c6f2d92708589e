"""A sweep as one page: the front first, what is dominated faint, what failed with its reason."""

from __future__ import annotations

import json
from pathlib import Path

from sre.errors import EnvironmentLacks
from sre.reports.atomic import write_text
from sre.reports.facts import Figure
from sre.reports.formats import count, plural, target
from sre.reports.manifest import write_manifest
from sre.reports.page import Cell, Grid, Page, Tone, grid, page_html
from sre.reports.simulation.pareto import SweepReport
from sre.reports.simulation.sweep_chart import front_chart
from sre.reports.simulation.sweep_tables import missing_table, points_table, sweep_json, verdict_of
from sre.reports.svg import drawing
from sre.reports.table import Table

DEFINITIONS = (
    "SIMULATED: nothing on this page was measured.",
    "A request is good when it was served with its first token and its mean gap between tokens within the thresholds; "
    "the target is the share of such requests.",
    "Front: no other configuration is at least as cheap for a good token and at least as good, and better in one.",
    "Cost: replica-seconds x GPUs x the price of one GPU-hour, divided by the tokens of good requests.",
    "All configurations are given the same requests and the same seed.",
)


def write_sweep(report: SweepReport, folder: Path) -> tuple[Path, ...]:
    """`sweep.html` and `result.json` beside the points, and a manifest. Raises EnvironmentLacks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(f"{folder}: cannot be made ({error.strerror}): choose another --out") from error
    write_text(folder / "result.json", json.dumps(sweep_json(report), indent=1, allow_nan=False) + "\n")
    write_text(folder / "sweep.html", page_html(page(report)))
    write_manifest(folder)
    return tuple(sorted(folder.iterdir()))


def page(report: SweepReport) -> Page:
    """The page of a sweep."""
    sweep = report.sweep
    failures = sum(one.summary is None for one in report.points)
    with drawing():
        chart = front_chart(report)
    return Page(
        title=f"{sweep.title}: sweep (simulated)",
        subtitle=f"{sweep.workload}; {plural(len(report.points), 'configuration')} of {sweep.grid_size:,} "
        f"({sweep.search})",
        tone="bad" if report.cheapest is None else "good",
        verdict="Simulated: none meets the target" if report.cheapest is None else "Simulated: target met",
        meaning=f"{verdict_of(report)}.",
        reasons=sweep.notes,
        figures=(
            Figure(
                "configurations",
                count(len(report.points)),
                f"{count(failures)} could not be played" if failures else "all were played",
            ),
            Figure("meet the target", count(sum(not one.reason for one in report.points)), target(sweep.target)),
            Figure("on the front", count(len(report.front)), "nobody beats them in cost and in goodness"),
        ),
        charts=() if chart is None else (chart,),
        grids=(_grid(points_table(report), report), _grid(missing_table(report), report)),
        definitions=DEFINITIONS,
        charts_before="points",
        charts_title="Cost against goodness",
    )


def _grid(one: Table, report: SweepReport) -> Grid:
    head = [f"{'>' if column.numeric else ''}{column.label}" for column in one.columns]
    best = None if report.cheapest is None else list(report.cheapest.point.settings)
    rows = []
    for row in one.rows:
        is_best = (
            one.key == "points" and best is not None and list(row.cells[1 : 1 + len(best)]) == [v for _, v in best]
        )
        tone: Tone = "good" if is_best else "muted" if row.tone == "muted" else ""
        rows.append([Cell(text, tone) for text in row.cells])
    return grid(one.key, one.title, head, rows, notes=one.notes, empty=one.empty)
