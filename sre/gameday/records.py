"""The load generator's records, summed into latency percentiles per phase of the drill."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sre.incidents.model import ClientRecord
from sre.reports.model import LatencySummary, RequestPoint

PERCENTILES = (50.0, 95.0, 99.0)


def request_points(records: Sequence[ClientRecord]) -> tuple[RequestPoint, ...]:
    """What the charts need of each record, in order of sending."""
    points = (
        RequestPoint(
            at=r.sent_at,
            ttft_s=r.ttft_s,
            e2e_s=r.finished_at - r.sent_at,
            max_gap_s=r.max_gap_s,
            outcome=r.outcome,
            replicas=r.replicas,
            output_tokens=r.output_tokens,
        )
        for r in records
    )
    return tuple(sorted(points, key=lambda p: p.at))


def latency_summaries(
    points: Sequence[RequestPoint], *, fault: tuple[float, float] | None
) -> tuple[LatencySummary, ...]:
    """p50, p95 and p99 of TTFT, end-to-end time and the widest token gap, before, during and after the fault.

    A request belongs to the phase in which it was sent. Percentiles interpolate linearly (numpy's default).
    They are None when n is 0.
    """
    signals: tuple[tuple[str, Callable[[RequestPoint], float | None]], ...] = (
        ("TTFT", lambda p: p.ttft_s),
        ("end to end", lambda p: p.e2e_s if p.outcome == "ok" else None),
        ("widest token gap", lambda p: p.max_gap_s),
    )
    return tuple(
        _summary(signal, phase, [v for p in members if (v := value(p)) is not None])
        for signal, value in signals
        for phase, members in _phases(points, fault)
    )


def _phases(points: Sequence[RequestPoint], fault: tuple[float, float] | None) -> list[tuple[str, list[RequestPoint]]]:
    if fault is None:
        return [("whole drill", list(points))]
    begin, end = fault
    return [
        ("before", [p for p in points if p.at < begin]),
        ("during", [p for p in points if begin <= p.at < end]),
        ("after", [p for p in points if p.at >= end]),
    ]


def _summary(signal: str, phase: str, values: list[float]) -> LatencySummary:
    if not values:
        return LatencySummary(signal, phase, 0, None, None, None)
    p50, p95, p99 = (float(v) for v in np.percentile(np.array(values), PERCENTILES))
    return LatencySummary(signal, phase, len(values), p50, p95, p99)
