"""The figures of a drill that a rehearsal predicts, taken from a report in one way, whichever of the two it is.

Each comes with what it may be off by whatever its size: two events decide little in a drill of some hundred, and a
second is how far apart samples are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sre.incidents.model import FAILED_OUTCOMES
from sre.reports.model import DrillReport, RequestPoint
from sre.slo.model import BurnCurve, SloResult

Unit = Literal["ratio", "s", "count", "burn", "tokens", "money"]
EVENTS = 2.0
"""So many events more or fewer are within tolerance in any count."""
SAMPLE_S = 1.0
RECOVERY_S = 0.5
LATENCY_S = 0.015
MONEY = 0.001


@dataclass(frozen=True, slots=True)
class Quantity:
    """One figure. `value` None with `reason`: there is none. `floor` is the difference that is always allowed, in the
    same unit. `aimed`: it is among those a comparison is judged by.
    """

    key: str
    group: str
    name: str
    value: float | None
    unit: Unit
    floor: float
    aimed: bool = False
    reason: str = ""


def quantities(
    report: DrillReport, *, moved_streams: int | None = None, recomputed_tokens: int | None = None
) -> tuple[Quantity, ...]:
    """All of them, in the order a reader would ask. The two counts are the gateway's, None where no sample tells."""
    return (
        *_recovery(report),
        *_burns(report),
        *_alerts(report),
        *_requests(report, moved_streams),
        *_latency(report),
        *_tokens(report, moved_streams, recomputed_tokens),
        *_money(report),
    )


def _recovery(report: DrillReport) -> Iterator[Quantity]:
    told = {
        "time_to_detect": ("time to detect", False),
        "time_to_alert": ("time to alert", False),
        "time_to_mitigate": ("time to mitigate", False),
        "time_to_recover": ("time to recover", True),
    }
    for duration in report.incident.durations:
        if duration.name in told:
            name, aimed = told[duration.name]
            reason = duration.reason or ""
            floor = RECOVERY_S if aimed else SAMPLE_S
            yield Quantity(duration.name, "incident", name, duration.seconds, "s", floor, aimed=aimed, reason=reason)


def _burns(report: DrillReport) -> Iterator[Quantity]:
    """The highest burn over the long window of each SLO's fastest page tier, and the budget that the drill spent."""
    concerned = _named(report)
    for result in report.primary_results():
        curve = next((c for c in result.curves if c.tier.severity == "page" and len(c.times)), None)
        aimed = result.slo.name in concerned
        if curve is not None:
            known = curve.long_burn[np.isfinite(curve.long_burn)]
            peak = float(known.max()) if len(known) else None
            floor = _burn_of_events(report, result, curve)
            name, reason = f"peak burn of {result.slo.name}", "" if peak is not None else "no traffic in any window"
            yield Quantity(f"burn.{result.slo.name}", "burn", name, peak, "burn", floor, aimed=aimed, reason=reason)
        spent = None if result.error_ratio is None else result.error_ratio / result.slo.budget
        floor = EVENTS / max(result.total, 1.0) / result.slo.budget
        yield Quantity(
            f"spent.{result.slo.name}",
            "burn",
            f"budget of {result.slo.name} spent, times the allowed",
            spent,
            "burn",
            floor,
            aimed=aimed,
            reason=result.no_data_reason or "",
        )


def _named(report: DrillReport) -> tuple[str, ...]:
    """The SLOs that the drill is about."""
    return report.subject.slos if report.subject is not None else ()


def _burn_of_events(report: DrillReport, result: SloResult, curve: BurnCurve) -> float:
    """What two events more make of the burn at its peak, by the requests that ended in that window; at the drill's mean
    rate where nothing burned.
    """
    window_s, burn = curve.tier.long_s / report.clock_factor, np.nan_to_num(curve.long_burn)
    span_s = max(report.ended_at - report.started_at, 1.0)
    events = result.total * min(1.0, window_s / span_s)
    if burn.max() > 0:
        peak = float(curve.times[int(burn.argmax())])
        events = sum(peak - window_s < point.at + point.e2e_s <= peak for point in report.requests)
    return EVENTS / max(events, 1.0) / result.slo.budget


def _alerts(report: DrillReport) -> Iterator[Quantity]:
    """For each SLO the first page after the fault, seconds after it began; n/a where none fired."""
    if not report.faults:
        return
    begin = report.faults[0].begin
    for result in report.primary_results():
        fired = [a.fired_at for a in result.alerts if a.severity == "page" and a.fired_at >= begin]
        value = min(fired) - begin if fired else None
        reason = "" if fired else "it did not fire"
        yield Quantity(
            f"alert.{result.slo.name}", "alerts", f"{result.slo.name} pages after", value, "s", SAMPLE_S, reason=reason
        )


def _requests(report: DrillReport, moved: int | None) -> Iterator[Quantity]:
    outcomes = Counter(point.outcome for point in report.requests)
    failed = sum(outcomes[name] for name in FAILED_OUTCOMES)
    answered = failed + outcomes["ok"]
    availability = None if not answered else outcomes["ok"] / answered
    yield Quantity("sent", "requests", "requests sent", float(len(report.requests)), "count", EVENTS)
    yield Quantity("failed", "requests", "requests failed", float(failed), "count", EVENTS)
    yield Quantity("availability", "requests", "availability", availability, "ratio", EVENTS / max(answered, 1))
    for result in report.primary_results():
        if result.slo.name == "goodput" and result.error_ratio is not None:
            floor = EVENTS / max(result.total, 1.0)
            yield Quantity("goodput", "requests", "goodput", 1.0 - result.error_ratio, "ratio", floor)
    yield Quantity(
        "moved",
        "requests",
        "streams that went on on another replica",
        None if moved is None else float(moved),
        "count",
        EVENTS,
        reason="no sample tells",
    )
    impact = report.incident.impact
    in_flight = None if impact.window_start is None else float(impact.requests)
    yield Quantity(
        "blast", "requests", "requests in flight during the fault", in_flight, "count", 2 * EVENTS, reason="no fault"
    )
    hit = float(len({name for fault in report.faults for name in fault.replicas}))
    yield Quantity("replicas", "requests", "replicas hit", hit, "count", 0.0)


def _latency(report: DrillReport) -> Iterator[Quantity]:
    ttft = [point.ttft_s for point in report.requests if point.ttft_s is not None]
    gaps = [gap for point in report.requests if (gap := mean_gap_s(point)) is not None]
    for label, values, percentiles in (
        ("time to first token", ttft, (50, 95, 99)),
        ("mean gap between tokens", gaps, (50, 95)),
    ):
        for percentile in percentiles:
            value = float(np.percentile(np.array(values), percentile)) if values else None
            key, floor = f"{label}.{percentile}", LATENCY_S if label.startswith("time") else 0.001
            yield Quantity(
                key, "latency", f"{label}, p{percentile}", value, "s", floor, reason="no request got a token"
            )
    if report.faults:
        yield from _during(report)


def _during(report: DrillReport) -> Iterator[Quantity]:
    for summary in report.latency:
        if (summary.signal, summary.phase) == ("TTFT", "during"):
            for name, value in (("p50", summary.p50), ("p95", summary.p95)):
                yield Quantity(
                    f"during.{name}",
                    "latency",
                    f"time to first token during the fault, {name}",
                    value,
                    "s",
                    LATENCY_S,
                    reason="no request was sent during it",
                )


def mean_gap_s(point: RequestPoint) -> float | None:
    """Mean time between the tokens of one answer; None where there are fewer than two."""
    if point.outcome != "ok" or point.ttft_s is None or point.output_tokens < 2:
        return None
    return (point.e2e_s - point.ttft_s) / (point.output_tokens - 1)


def _tokens(report: DrillReport, moved: int | None, recomputed: int | None) -> Iterator[Quantity]:
    told = (
        ("generated", "tokens generated", report.cost.tokens),
        ("wasted", "tokens wasted on requests that failed", report.cost.wasted_tokens),
        ("recomputed", "tokens computed again elsewhere", recomputed),
    )
    mean = max(sum(point.output_tokens for point in report.requests) / max(len(report.requests), 1), 1.0)
    floors = {"recomputed": max(mean, recomputed / moved if recomputed and moved else 0.0)}
    for key, name, count in told:
        value = None if count is None else float(count)
        yield Quantity(key, "tokens", name, value, "tokens", EVENTS * floors.get(key, mean), reason="no sample tells")


def _money(report: DrillReport) -> Iterator[Quantity]:
    cost = report.cost
    told = (
        ("cost", "cost of the drill", cost.total),
        ("cost.incident", "cost of the incident", cost.incident_total),
        ("cost.good", "cost of a million good tokens", cost.per_million_good_tokens),
    )
    for key, name, amount in told:
        value = None if amount is None or not math.isfinite(float(amount)) else float(amount)
        yield Quantity(key, "cost", name, value, "money", MONEY, reason="not known")
