"""The load generator's records: read, and summed into latency percentiles per phase of the drill."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sre.errors import BadDocument
from sre.reports.model import LatencySummary, RequestPoint

PERCENTILES = (50.0, 95.0, 99.0)


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Every object of a JSON Lines file; a cut last line is ignored, any other bad line is an error with its number."""
    lines = path.read_text(encoding="utf-8").split("\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            if number == len(lines):
                break
            raise BadDocument([f"{path}:{number}: not JSON ({error}): the file was edited or damaged"]) from error
    return rows


def request_points(rows: Iterable[dict[str, Any]]) -> tuple[RequestPoint, ...]:
    """Records in order of their scheduled arrival."""
    points = [_point(row) for row in rows]
    return tuple(sorted(points, key=lambda p: p.at))


def _point(row: dict[str, Any]) -> RequestPoint:
    sent, first = row["sent_at"], row["first_token_at"]
    return RequestPoint(
        at=sent,
        ttft_s=None if first is None else first - sent,
        e2e_s=row["finished_at"] - sent,
        max_gap_s=row["max_gap_s"],
        outcome=row["outcome"],
        replicas=tuple(row["replicas"]),
        output_tokens=row["output_tokens"],
    )


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
