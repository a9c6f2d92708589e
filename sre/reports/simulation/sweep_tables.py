"""A sweep in a sentence, in tables and as JSON: for the terminal, the page and programs alike."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sre.reports.formats import NOT_AVAILABLE, count, money, percent, plural, seconds, target
from sre.reports.simulation.json_file import bill_json, summary_json
from sre.reports.simulation.pareto import JudgedPoint, SweepReport
from sre.reports.table import Row, Table, table

_FIGURES = (">good", ">per million good", ">bill", ">GPU-hours", ">TTFT p99", ">gap p99", ">most waiting")


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
