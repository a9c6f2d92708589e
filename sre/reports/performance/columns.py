"""How services become columns: the same properties in the same order, whatever their origin."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sre.platforms.performance import Service, Tail
from sre.reports.performance.model import Column, Compared, Figure, Kind, Origin

NO_ANSWER = "no request says"
Value = Callable[[Service], float | None]

_SHOWN: tuple[tuple[str, str, Kind, Value], ...] = (
    ("attainment", "good", "share", lambda one: one.attainment),
    ("ttft_p50", "first token p50", "duration_s", lambda one: one.ttft.p50),
    ("ttft_p95", "p95", "duration_s", lambda one: one.ttft.p95),
    ("ttft_p99", "p99", "duration_s", lambda one: one.ttft.p99),
    ("inter_token_p50", "inter-token p50", "duration_s", lambda one: one.inter_token.p50),
    ("inter_token_p95", "p95", "duration_s", lambda one: one.inter_token.p95),
    ("inter_token_p99", "p99", "duration_s", lambda one: one.inter_token.p99),
    ("longest_gap_p99", "longest gap p99", "duration_s", lambda one: one.longest_gap.p99),
    ("tokens_per_s", "tokens/s", "per_second", lambda one: one.tokens_per_s),
    ("failed", "failed", "count", lambda one: float(one.failed)),
    ("warm_up", "warm-up", "count", lambda one: float(one.warm_up)),
    ("measured", "counted", "count", lambda one: float(one.measured)),
)
_COMPARED = (
    "attainment",
    *(f"{signal}_p{q}" for signal in ("ttft", "inter_token") for q in (50, 95, 99)),
    "tokens_per_s",
)


def column(
    key: str, label: str, kind: Kind, values: Sequence[float | None], origin: Origin, reason: str = NO_ANSWER
) -> Column:
    """A figure a row; `reason` is what stands where there is no value."""
    return Column(
        key, label, tuple(Figure(kind, value, origin, "" if value is not None else reason) for value in values)
    )


def service_columns(services: Sequence[Service], origin: Origin) -> tuple[Column, ...]:
    """Attainment, tails of first token and inter-token time apart, throughput, counts."""
    return tuple(
        column(key, label, kind, [value(one) for one in services], origin) for key, label, kind, value in _SHOWN
    )


def compared_columns(measured: Sequence[Service], simulated: Sequence[Service], origin: Compared) -> tuple[Column, ...]:
    """Simulated over measured, row by row: 1 is agreement."""
    labels = {key: (_full_label(key, label), value) for key, label, _, value in _SHOWN}
    return tuple(ratio_column(key, labels[key][0], labels[key][1], measured, simulated, origin) for key in _COMPARED)


def ratio_column(
    key: str, label: str, value: Value, base: Sequence[Service], other: Sequence[Service], origin: Origin
) -> Column:
    """`other` over `base` of one property."""
    pairs = zip(base, other, strict=True)
    return column(
        key, label, "ratio", [ratio(value(two), value(one)) for one, two in pairs], origin, "one side has none"
    )


def ratio(over: float | None, under: float | None) -> float | None:
    return None if over is None or not under else over / under


def tail_columns(
    key: str, label: str, tails: Sequence[Tail], origin: Origin, reason: str = NO_ANSWER
) -> tuple[Column, ...]:
    """p50, p95 and p99 of one signal."""
    return (
        column(f"{key}_p50", f"{label} p50", "duration_s", [tail.p50 for tail in tails], origin, reason),
        column(f"{key}_p95", "p95", "duration_s", [tail.p95 for tail in tails], origin, reason),
        column(f"{key}_p99", "p99", "duration_s", [tail.p99 for tail in tails], origin, reason),
    )


def _full_label(key: str, label: str) -> str:
    """Where p95 and p99 do not stand beside their p50, each says of what."""
    signal, _, quantile = key.rpartition("_p")
    signal = signal if quantile.isdigit() else ""
    return (
        f"{signal.replace('ttft', 'first token').replace('inter_token', 'inter-token')} p{quantile}"
        if signal
        else label
    )
