"""A run's samples as series under the platform's names, labels and bucket bounds (docs/contracts.md).

What the gateway counts by request is reckoned from the requests themselves; the rest was kept by the sampler.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from prometheus_client.utils import floatToGoString

from serving.gateway.metrics import E2E_BUCKETS, TTFT_BUCKETS
from serving.simulator.columns import OUTCOMES, Outcomes
from serving.simulator.model import NS
from serving.simulator.records import CANCELLED, INVALID, OK
from serving.simulator.result import SampledSeries
from serving.simulator.sampler import GATEWAY_GAUGES, REPLICA_SERIES, STATES, Sampler
from serving.simulator.scenario import Scenario
from serving.simulator.score import service_of
from serving.simulator.tallies import Tallies

Labels = tuple[tuple[str, str], ...]
_GATEWAY: Labels = (("instance", "gateway"), ("job", "gateway"))


def series_of(scenario: Scenario, outcomes: Outcomes, sampler: Sampler, tallies: Tallies) -> tuple[SampledSeries, ...]:
    """All series, each only where its target answered."""
    return (
        *_of_requests(scenario, outcomes, np.frombuffer(sampler.gateway.answered_s, np.float64)),
        *_of_gateway(sampler, tallies),
        *_of_rotation(sampler),
        *_of_replicas(sampler),
    )


def _series(name: str, labels: Labels, at_s: NDArray[np.float64], values: NDArray[np.float64]) -> SampledSeries:
    return SampledSeries(name, tuple(sorted(labels)), at_s, values)


class _Counted:
    """Things that happened at certain times, counted as of each scrape."""

    def __init__(self, at_ns: NDArray[np.int64], weights: NDArray[np.float64] | None = None) -> None:
        order = np.argsort(at_ns, kind="stable")
        self._at_ns = at_ns[order]
        self._sums = None if weights is None else np.concatenate([[0.0], np.cumsum(weights[order])])

    def by(self, at_s: NDArray[np.float64]) -> NDArray[np.float64]:
        seen = np.searchsorted(self._at_ns, np.round(at_s * NS).astype(np.int64), side="right")
        counts: NDArray[np.float64] = seen.astype(np.float64) if self._sums is None else self._sums[seen]
        return counts


def _of_requests(scenario: Scenario, outcomes: Outcomes, at_s: NDArray[np.float64]) -> Iterator[SampledSeries]:
    workload, ended_ns, emitted = scenario.workload, outcomes.ended_ns, outcomes.emitted.astype(np.float64)
    service = service_of(workload, outcomes, ttft_s=scenario.ttft_threshold_s, tpot_s=scenario.tpot_threshold_s)
    is_ok, has_first = outcomes.outcome == OK, outcomes.first_ns >= 0

    def counter(name: str, counted: _Counted, *labels: tuple[str, str]) -> SampledSeries:
        return _series(name, (*_GATEWAY, *labels), at_s, counted.by(at_s))

    for code, outcome in enumerate(OUTCOMES):
        ended = _Counted(ended_ns[outcomes.outcome == code])
        yield counter("sre_gateway_requests_total", ended, ("outcome", outcome))
    eligible = (outcomes.outcome != INVALID) & (outcomes.outcome != CANCELLED)
    yield counter("sre_gateway_goodput_eligible_total", _Counted(ended_ns[eligible]))
    yield counter("sre_gateway_goodput_good_total", _Counted(ended_ns[service.good]))
    yield counter("sre_gateway_good_tokens_total", _Counted(ended_ns[service.good], emitted[service.good]))
    yield counter("sre_gateway_wasted_tokens_total", _Counted(ended_ns[~is_ok], emitted[~is_ok]))
    prompts = _Counted(ended_ns[has_first], workload.prompt_tokens[has_first].astype(np.float64))
    yield counter("sre_gateway_tokens_total", prompts, ("kind", "prompt"))
    ttft_bounds = sorted({*map(float, TTFT_BUCKETS), scenario.ttft_threshold_s})
    firsts_ns = outcomes.first_ns[has_first]
    yield from _histogram("sre_gateway_ttft_seconds", firsts_ns, service.ttft_s[has_first], ttft_bounds, at_s)
    e2e_s = service.e2e_s[is_ok]
    yield from _histogram("sre_gateway_e2e_seconds", ended_ns[is_ok], e2e_s, list(map(float, E2E_BUCKETS)), at_s)
    placed = outcomes.placed_ns >= 0
    queued_s = (outcomes.placed_ns - workload.at_ns)[placed] / NS
    bounds = list(map(float, TTFT_BUCKETS))
    yield from _histogram("sre_gateway_queue_seconds", outcomes.placed_ns[placed], queued_s, bounds, at_s)
    for signal, threshold in (("ttft", scenario.ttft_threshold_s), ("tpot", scenario.tpot_threshold_s)):
        labels = (*_GATEWAY, ("signal", signal))
        yield _series("sre_gateway_goodput_threshold_seconds", labels, at_s, np.full(len(at_s), threshold))


def _histogram(
    name: str,
    at_ns: NDArray[np.int64],
    values_s: NDArray[np.float64],
    bounds_s: Sequence[float],
    seen_s: NDArray[np.float64],
) -> Iterator[SampledSeries]:
    for bound_s in (*bounds_s, np.inf):
        below = _Counted(at_ns[values_s <= bound_s])
        yield _series(f"{name}_bucket", (*_GATEWAY, ("le", _le(bound_s))), seen_s, below.by(seen_s))
    yield _series(f"{name}_sum", _GATEWAY, seen_s, _Counted(at_ns, values_s).by(seen_s))
    yield _series(f"{name}_count", _GATEWAY, seen_s, _Counted(at_ns).by(seen_s))


def _le(bound_s: float) -> str:
    return str(floatToGoString(bound_s))  # type: ignore[no-untyped-call]


def _of_gateway(sampler: Sampler, tallies: Tallies) -> Iterator[SampledSeries]:
    rows = sampler.gateway
    yield _series("up", _GATEWAY, _array(rows.at_s), _array(rows.up))
    if not rows.columns:
        return
    at_s, columns = _array(rows.answered_s), [_array(column) for column in rows.columns]
    for name, values in zip(GATEWAY_GAUGES, columns, strict=False):
        yield _series(name, _GATEWAY, at_s, values)
    tokens, gaps_s, *rest = columns[len(GATEWAY_GAUGES) :]
    yield _series("sre_gateway_tokens_total", (*_GATEWAY, ("kind", "generation")), at_s, tokens)
    bounds_s = (*sampler.gap_bounds_s, np.inf)
    counted = np.cumsum(np.array(rest[: len(bounds_s)]), axis=0)
    for bound_s, values in zip(bounds_s, counted, strict=True):
        labels = (*_GATEWAY, ("le", _le(bound_s)))
        yield _series("sre_gateway_inter_token_seconds_bucket", labels, at_s, values)
    yield _series("sre_gateway_inter_token_seconds_sum", _GATEWAY, at_s, gaps_s)
    yield _series("sre_gateway_inter_token_seconds_count", _GATEWAY, at_s, counted[-1])
    for (name, label, value), values in zip(tallies.counts, rest[len(bounds_s) :], strict=True):
        yield _series(name, (*_GATEWAY, (label, value)), at_s, values)


def _of_rotation(sampler: Sampler) -> Iterator[SampledSeries]:
    for replica, rows in sampler.rotation.items():
        at_s, (up, inflight, state) = _array(rows.answered_s), [_array(column) for column in rows.columns]
        labels = (*_GATEWAY, ("replica", replica))
        yield _series("sre_gateway_replica_up", labels, at_s, up)
        yield _series("sre_gateway_replica_inflight", labels, at_s, inflight)
        for name, number in STATES.items():
            yield _series("sre_gateway_replica_state", (*labels, ("state", name)), at_s, (state == number) * 1.0)


def _of_replicas(sampler: Sampler) -> Iterator[SampledSeries]:
    for replica, rows in sampler.replicas.items():
        target = (("instance", replica), ("job", "triton"), ("replica", replica))
        yield _series("up", target, _array(rows.at_s), _array(rows.up))
        for name, column in zip(REPLICA_SERIES, rows.columns, strict=False):
            labels = (*target, ("model_name", "llm"))
            yield _series(name, labels, _array(rows.answered_s), _array(column))


def _array(column: array[float]) -> NDArray[np.float64]:
    return np.frombuffer(column, np.float64)
