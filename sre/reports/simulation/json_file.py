"""`result.json` of a simulation. Money is decimal text; times are seconds from the simulation's start."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from sre.incidents.codec import encode
from sre.platforms.simulation import ClassService, Simulation, SimulationSummary
from sre.reports.simulation.model import FaultStory, SimulationReport, budget_share_of_period
from sre.reports.simulation.money import SimulatedBill
from sre.slo.model import SloResult

SCHEMA = 1


def report_json(report: SimulationReport, *, curves: bool) -> dict[str, Any]:
    """Everything as JSON values; `curves` adds what the charts are drawn from."""
    simulation = report.simulation
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "simulated": True,
        "title": simulation.title,
        "workload": simulation.workload,
        "profiles": [name for name, _ in simulation.profiles],
        "routing": simulation.routing,
        "policy": simulation.policy or None,
        "seed": simulation.seed,
        "duration_s": simulation.duration_s,
        "thresholds": {"ttft_s": simulation.ttft_threshold_s, "tpot_s": simulation.tpot_threshold_s},
        "skipped_rows": simulation.skipped,
        "notes": list(simulation.notes),
        **summary_json(simulation.summary),
        "cost": None if report.bill is None else bill_json(report.bill),
        "no_cost_reason": report.no_bill or None,
        "clock_factor": report.clock_factor,
        "slos": [_slo(result, report.clock_factor) for result in report.results],
        "alerts": [asdict(alert) for alert in report.alerts],
        "faults": [
            {**asdict(fault), **_story(story)} for fault, story in zip(simulation.faults, report.stories, strict=True)
        ],
        "incident": None if report.incident is None else {"simulated": True, **encode(report.incident)},
    }
    return {**told, **_curves(simulation)} if curves else told


def summary_json(summary: SimulationSummary) -> dict[str, Any]:
    """The figures of a run; also of each point of a sweep."""
    return {
        "attainment": summary.attainment,
        "throughput_tokens_per_s": summary.throughput_tokens_per_s,
        "service": _service(summary.overall),
        "classes": [_service(one) for one in summary.classes],
        "gpu_time": [asdict(one) for one in summary.gpu_time],
        "prompt_tokens": summary.prompt_tokens,
        "wasted_tokens": summary.wasted_tokens,
        "retried": summary.retried,
        "max_replicas": summary.max_replicas,
        "scale_events": summary.scale_events,
        "max_queue": summary.max_queue,
        "preemptions": summary.preemptions,
        "prefix_hit_share": summary.prefix_hit_share,
    }


def _service(one: ClassService) -> dict[str, Any]:
    return {**asdict(one), "outcomes": dict(one.outcomes), "attainment": one.attainment}


def bill_json(bill: SimulatedBill) -> dict[str, Any]:
    """Amounts as text, exact."""
    amounts = ("total", "starting", "vacant", "worked", "wasted", "per_million_tokens", "per_million_good_tokens")
    return {
        "currency": bill.currency,
        **{name: _amount(getattr(bill, name)) for name in amounts},
        "gpu_hours": bill.gpu_hours,
        "prices": [{"group": group, "name": p.name, "per_gpu_hour": str(p.per_gpu_hour)} for group, p in bill.prices],
        "notes": list(bill.notes),
    }


def _amount(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.12f}".rstrip("0").rstrip(".") or "0"


def _slo(result: SloResult, clock_factor: float) -> dict[str, Any]:
    return {
        "name": result.slo.name,
        "title": result.slo.title,
        "target": result.slo.target,
        "good": result.good,
        "total": result.total,
        "error_ratio": result.error_ratio,
        "error_band": result.error_band,
        "met": result.met,
        "no_data_reason": result.no_data_reason,
        "burn": None if result.error_ratio is None else result.error_ratio / result.slo.budget,
        "budget_share_of_period": budget_share_of_period(result, clock_factor),
    }


def _story(story: FaultStory) -> dict[str, Any]:
    return {
        "durations": {one.name: one.seconds for one in story.durations},
        "reasons": {one.name: one.reason for one in story.durations if one.seconds is None},
        "impact": asdict(story.impact),
    }


def _curves(simulation: Simulation) -> dict[str, Any]:
    return {
        "service_over_time": [asdict(one) for one in simulation.service],
        "moments": [asdict(one) for one in simulation.moments],
        "lives": [asdict(one) for one in simulation.lives],
        "events": [asdict(one) for one in simulation.events],
    }


def to_text(report: SimulationReport) -> str:
    """The file: the same report, the same bytes."""
    return json.dumps(report_json(report, curves=True), indent=1, allow_nan=False) + "\n"
