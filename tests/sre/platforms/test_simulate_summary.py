"""Figures of a run from its columns, against the plain way to work them out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.batching import SchedulerConfig, StepTimeModel
from serving.simulator.columns import OUTCOMES, Outcomes, Workload
from serving.simulator.result import FleetResult, Life
from serving.simulator.scenario import ReplicaGroup, Scenario
from serving.simulator.score import nearest_rank
from sre.platforms.local.simulate_summary import Judged, columns_of, service_over_time, summary_of

NS = 1_000_000_000
END_S = 20
OK = OUTCOMES.index("ok")
STEP = StepTimeModel.from_tables(
    decode_ms={1: 10.0, 8: 12.0}, prefill_ms={1: 1.0, 100: 5.0}, mixed_factor=1.0, host_overhead_ms=0.0
)
SPANS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, END_S + 3), st.integers(0, 6), st.sampled_from(range(len(OUTCOMES)))),
    min_size=1,
    max_size=12,
)


def result_of(spans: list[tuple[int, int, int, int]]) -> FleetResult:
    """Requests as (replica, placed at, seconds there, outcome); each arrived a second before or at 0."""
    n = len(spans)
    replica, placed, lasts, outcome = (np.array(column, np.int64) for column in zip(*spans, strict=True))
    order = np.argsort(placed, kind="stable")
    replica, placed, lasts, outcome = replica[order], placed[order], lasts[order], outcome[order]
    at = np.minimum(np.maximum(placed - 1, 0), END_S - 1)
    workload = Workload(
        "w",
        at * NS,
        np.full(n, 10, np.int32),
        np.full(n, 5, np.int32),
        np.zeros(n, np.int16),
        np.zeros(n, np.int16),
    )
    group = ReplicaGroup("llm", "p", "H100-80GB", 2, SchedulerConfig(100), STEP, (), 2)
    ended = (placed + lasts) * NS
    outcomes = Outcomes(
        placed_ns=placed * NS,
        first_ns=placed * NS,
        last_ns=ended,
        ended_ns=ended,
        longest_gap_ns=np.zeros(n, np.int64),
        emitted=np.full(n, 5, np.int32),
        wasted_tokens=np.zeros(n, np.int32),
        attempts=np.ones(n, np.int16),
        outcome=outcome.astype(np.int8),
        replica=replica.astype(np.int32),
    )
    lives = tuple(Life(f"llm-{number}", "llm", "a", 0.0, 0.0, float(END_S)) for number in range(2))
    scenario = Scenario("t", (group,), workload, float(END_S))
    return FleetResult(scenario, outcomes, lives, (), (), (), 0, 0, 0, 0, 0)


def judged(result: FleetResult) -> Judged:
    return Judged(columns_of(result), ttft_s=1.0, tpot_s=0.5)


@given(SPANS)
def test_a_replica_is_vacant_in_the_seconds_without_a_request(spans: list[tuple[int, int, int, int]]) -> None:
    result = result_of(spans)
    busy = {(r, second) for r, at, lasts, _ in spans for second in range(at, min(at + lasts, END_S))}

    (time,) = summary_of(result, judged(result)).gpu_time

    assert time.vacant_s == pytest.approx(2 * END_S - len(busy))
    assert time.replica_s == 2 * END_S


@given(SPANS)
def test_every_request_is_in_one_outcome_and_one_bin(spans: list[tuple[int, int, int, int]]) -> None:
    result = result_of(spans)
    found = judged(result)
    overall = summary_of(result, found).overall
    bins = service_over_time(found, float(END_S))

    assert sum(count for _, count in overall.outcomes) == overall.requests == len(spans)
    assert overall.good <= overall.counted <= overall.requests
    assert sum(one.requests for one in bins) == len(spans)
    assert sum(one.good for one in bins) == overall.good
    assert sum(one.failed for one in bins) == sum(OUTCOMES[o] in ("error", "truncated", "rejected") for *_, o in spans)


def test_good_is_ok_in_time_and_without_long_gaps() -> None:
    fast, slow, late = (0, 1, 2, OK), (0, 5, 4, OK), (0, END_S + 3, 1, OK)

    found = judged(result_of([fast, slow, late]))

    assert found.good.tolist() == [True, False, False]
    assert found.tpot.tolist() == [0.5, 1.0, 0.25]


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_nearest_rank_is_a_value_that_occurred(values: list[float], share: float) -> None:
    ordered = np.sort(np.array(values))
    found = nearest_rank(ordered, share)

    assert found in values
    assert sum(value <= found for value in values) >= math.ceil(share * len(values))
