"""A sweep as table, JSON and page: the front first, what is dominated faint, what failed with its reason."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from sre.errors import EnvironmentLacks
from sre.reports.atomic import write_text
from sre.reports.facts import Figure
from sre.reports.formats import NOT_AVAILABLE, count, money, percent, plural, seconds, target
from sre.reports.manifest import write_manifest
from sre.reports.page import Cell, Grid, Page, Tone, grid, page_html
from sre.reports.simulation.json_file import bill_json, summary_json
from sre.reports.simulation.pareto import JudgedPoint, SweepReport
from sre.reports.simulation.sweep_chart import front_chart
from sre.reports.svg import drawing
from sre.reports.table import Row, Table, table

DEFINITIONS = (
    "SIMULATED: nothing on this page was measured.",
    "A request is good when it was served with its first token and its mean gap between tokens within the thresholds; "
    "the target is the share of such requests.",
    "Front: no other configuration is at least as cheap for a good token and at least as good, and better in one.",
    "Cost: replica-seconds x GPUs x the price of one GPU-hour, divided by the tokens of good requests.",
    "All configurations are given the same requests and the same seed.",
)
_FIGURES = (">good", ">per million good", ">bill", ">GPU-hours", ">TTFT p99", ">gap p99", ">most waiting")
_CHARACTER_PT = 5.0


def verdict_of(report: SweepReport) -> str:
    """One sentence: the cheapest that meets the target and by how much, or that none does."""
    wanted = target(report.sweep.target)
    best = report.cheapest
    if best is None:
        closest = max((p for p in report.points if p.attainment is not None), key=_share, default=None)
        near = f"; {closest.point.name} comes closest with {percent(closest.attainment)}" if closest else ""
        return f"none of {plural(len(report.points), 'configuration')} meets {wanted} good requests{near}"
    assert best.summary is not None  # noqa: S101  (for the type checker: it has an attainment)
    overall = best.summary.overall
    return (
        f"cheapest with {wanted} good requests: {best.point.name}, {money(best.cost, report.currency)} a million good "
        f"tokens; margin {100 * (report.margin or 0):.2f} points ({percent(best.attainment)} good), first token p99 "
        f"{seconds(overall.ttft.p99)} of {seconds(report.sweep.ttft_threshold_s)}, gap p99 {seconds(overall.tpot.p99)} "
        f"of {seconds(report.sweep.tpot_threshold_s)}"
    )


def _share(point: JudgedPoint) -> float:
    return point.attainment or 0.0


def points_table(report: SweepReport) -> Table:
    """Configurations that were played to the end, cheapest good token first; those on the front are marked."""
    names = [knob.name for knob in report.sweep.knobs]
    shown = [one for one in report.points if one.summary is not None and one.point.fidelity == 1]
    shown.sort(key=lambda one: (one.cost is None, one.cost or Decimal(0), -_share(one)))
    rows = [Row(_cells(one, report), "" if one.on_front else "muted") for one in shown]
    head = ("", *names, *_FIGURES, "")
    notes = (
        f"* on the front; dominated ones are faint. {report.sweep.workload}. Thresholds: first token "
        f"{seconds(report.sweep.ttft_threshold_s)}, mean gap {seconds(report.sweep.tpot_threshold_s)}.",
    )
    return table("points", "Configurations", head, rows, notes=notes, empty="None was played to its end.")


def _cells(one: JudgedPoint, report: SweepReport) -> tuple[str, ...]:
    summary, bill = one.summary, one.bill
    assert summary is not None  # noqa: S101  (for the type checker: only such are shown)
    return (
        "*" if one.on_front else "",
        *(value for _, value in one.point.settings),
        percent(summary.attainment),
        money(one.cost, report.currency),
        NOT_AVAILABLE if bill is None else money(bill.total, bill.currency),
        NOT_AVAILABLE if bill is None else f"{bill.gpu_hours:.2f}",
        seconds(summary.overall.ttft.p99),
        seconds(summary.overall.tpot.p99),
        count(summary.max_queue),
        "cheapest that meets the target" if one is report.cheapest else "" if not one.reason else "misses the target",
    )


def missing_table(report: SweepReport) -> Table:
    """Every configuration that was not played to its end, with the reason."""
    names = [knob.name for knob in report.sweep.knobs]
    rows = [Row((*(value for _, value in one.point.settings), one.reason)) for one in report.missing]
    return table("missing", "Not played to the end, and why", (*names, "reason"), rows, empty="None: all were played.")


def sweep_json(report: SweepReport) -> dict[str, Any]:
    """Everything as JSON values. Money is decimal text."""
    sweep = report.sweep
    return {
        "schema": 1,
        "simulated": True,
        "title": sweep.title,
        "workload": sweep.workload,
        "search": sweep.search,
        "target": sweep.target,
        "seed": sweep.seed,
        "thresholds": {"ttft_s": sweep.ttft_threshold_s, "tpot_s": sweep.tpot_threshold_s},
        "knobs": [{"name": knob.name, "values": list(knob.values)} for knob in sweep.knobs],
        "grid_size": sweep.grid_size,
        "verdict": verdict_of(report),
        "cheapest": None if report.cheapest is None else dict(report.cheapest.point.settings),
        "margin": report.margin,
        "front": [dict(one.point.settings) for one in report.front],
        "points": [_point_json(one) for one in report.points],
    }


def _point_json(one: JudgedPoint) -> dict[str, Any]:
    return {
        "settings": dict(one.point.settings),
        "state": one.point.state,
        "fidelity": one.point.fidelity,
        "meets_target": not one.reason,
        "on_front": one.on_front,
        "reason": one.reason or None,
        "result": None if one.summary is None else summary_json(one.summary),
        "cost": None if one.bill is None else bill_json(one.bill),
    }


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
            Figure("configurations", count(len(report.points)), f"{count(failures)} of them could not be played"),
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
