"""Step durations from measured tables."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.batching import Curve, Request, Scheduler, SchedulerConfig, StepTimeModel
from serving.errors import BadInput

DECODE_MS = {1: 6.2, 8: 7.2, 32: 10.6, 64: 15.0}
PREFILL_MS = {256: 34.0, 2048: 69.0, 8192: 225.0}
MODEL = StepTimeModel.from_tables(decode_ms=DECODE_MS, prefill_ms=PREFILL_MS, mixed_factor=1.5)


def milliseconds(*, decode: int = 0, prefill: int = 0, model: StepTimeModel = MODEL) -> float:
    return model.duration_of_s(decode_seqs=decode, prefill_tokens=prefill) * 1000


@pytest.mark.parametrize(("sequences", "expected"), DECODE_MS.items())
def test_a_measured_decode_batch_takes_what_was_measured(sequences: int, expected: float) -> None:
    assert milliseconds(decode=sequences) == pytest.approx(expected)


@pytest.mark.parametrize(("tokens", "expected"), PREFILL_MS.items())
def test_a_measured_prefill_takes_what_was_measured(tokens: int, expected: float) -> None:
    assert milliseconds(prefill=tokens) == pytest.approx(expected)


def test_between_knots_it_is_linear() -> None:
    assert milliseconds(decode=20) == pytest.approx((7.2 + 10.6) / 2)


def test_beyond_the_last_knot_the_last_slope_goes_on() -> None:
    assert milliseconds(decode=96) == pytest.approx(15.0 + (15.0 - 10.6))


def test_a_prefill_of_one_token_costs_a_decode_of_one_sequence() -> None:
    assert milliseconds(prefill=1) == pytest.approx(6.2)


def test_a_mixed_batch_costs_the_factor_more_than_its_parts() -> None:
    assert milliseconds(decode=8, prefill=256) == pytest.approx(1.5 * (7.2 + 34))


def test_host_overhead_is_added_once_to_every_step() -> None:
    model = StepTimeModel.from_tables(decode_ms=DECODE_MS, prefill_ms=PREFILL_MS, host_overhead_ms=0.5)
    assert milliseconds(decode=8, model=model) == pytest.approx(7.7)
    assert milliseconds(model=model) == 0


@given(st.integers(0, 300), st.integers(0, 9000), st.integers(0, 300), st.integers(0, 9000))
def test_more_work_never_takes_less_time(decode: int, prefill: int, more_decode: int, more_prefill: int) -> None:
    less = milliseconds(decode=decode, prefill=prefill)
    assert milliseconds(decode=decode + more_decode, prefill=prefill + more_prefill) >= less - 1e-9


def test_a_plan_is_timed_by_its_batch() -> None:
    scheduler = Scheduler(SchedulerConfig(kv_blocks=64))
    assert MODEL.duration_s(scheduler.plan()) == 0
    scheduler.add(Request("a", 256, 2))
    plan = scheduler.plan()
    assert MODEL.duration_s(plan) == pytest.approx(0.034)
    scheduler.complete(plan)
    assert MODEL.duration_s(scheduler.plan()) == pytest.approx(0.0062)


@pytest.mark.parametrize("knots", [((1, 1.0),), ((1, 1.0), (1, 2.0)), ((2, 1.0), (1, 2.0))])
def test_a_curve_needs_two_ascending_knots(knots: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(BadInput, match="at least two, ascending"):
        Curve(knots)


def test_context_beyond_what_the_table_holds_for_adds_its_reading() -> None:
    model = StepTimeModel.from_tables(
        decode_ms=DECODE_MS, prefill_ms=PREFILL_MS, mixed_factor=1.5, kv_ms_per_1k_tokens=0.05, kv_included_tokens=1000
    )

    def at(context_tokens: int, prefill: int = 0) -> float:
        return model.duration_of_s(decode_seqs=8, prefill_tokens=prefill, context_tokens=context_tokens) * 1000

    assert at(0) == at(8000) == pytest.approx(7.2)
    assert at(18_000) == pytest.approx(7.2 + 0.5)
    assert at(18_000, prefill=256) == pytest.approx(1.5 * (7.2 + 34) + 0.5)


def test_only_the_decodes_of_a_plan_read_their_context() -> None:
    model = StepTimeModel.from_tables(decode_ms=DECODE_MS, prefill_ms=PREFILL_MS, kv_ms_per_1k_tokens=1.0)
    scheduler = Scheduler(SchedulerConfig(kv_blocks=500, max_num_batched_tokens=300))
    scheduler.add(Request("long", 600, 5))
    scheduler.complete(scheduler.plan())
    second = scheduler.plan()
    assert (second.context_tokens, second.decode_context_tokens) == (300, 0)
    assert model.duration_s(second) == model.duration_of_s(decode_seqs=0, prefill_tokens=300)
    scheduler.complete(second)
    decode = scheduler.plan()
    assert model.duration_s(decode) * 1000 == pytest.approx(6.2 + 0.6)


MIXED_MS = {1: 6.5, 48: 8.0, 2048: 90.0}
BY_REGIME = StepTimeModel.from_tables(
    decode_ms=DECODE_MS,
    prefill_ms=PREFILL_MS,
    mixed_ms=MIXED_MS,
    host_overhead_ms=0.4,
    kv_ms_per_1k_tokens=0.05,
    kv_included_tokens=100,
    prefill_ms_per_1m_pairs=2.0,
    request_overhead_ms=9.0,
)


def test_a_mixed_batch_is_timed_by_all_its_tokens_where_there_is_a_curve() -> None:
    assert milliseconds(decode=20, prefill=28, model=BY_REGIME) == pytest.approx(8.0 + 0.4)


def test_a_prefill_pays_for_its_attention_to_its_earlier_chunks() -> None:
    scheduler = Scheduler(SchedulerConfig(kv_blocks=500, max_num_batched_tokens=300))
    scheduler.add(Request("long", 600, 5))
    first = scheduler.plan()
    scheduler.complete(first)
    second = scheduler.plan()
    assert (first.prefill_pairs, second.prefill_pairs) == (0, 300 * 300)
    assert BY_REGIME.duration_s(second) - BY_REGIME.duration_s(first) == pytest.approx(2.0e-3 * 0.09)


def test_a_request_s_overhead_is_no_part_of_a_step() -> None:
    assert milliseconds(decode=8, model=BY_REGIME) == pytest.approx(7.2 + 0.4)


@given(
    decode=st.integers(0, 300),
    prefill=st.integers(0, 9000),
    context=st.integers(0, 400_000),
    pairs=st.integers(0, 10**8),
    by_regime=st.booleans(),
)
def test_the_arrays_give_the_model_s_numbers(
    decode: int, prefill: int, context: int, pairs: int, *, by_regime: bool
) -> None:
    model = BY_REGIME if by_regime else MODEL
    expected = model.duration_of_s(
        decode_seqs=decode, prefill_tokens=prefill, context_tokens=context, prefill_pairs=pairs
    )
    assert from_arrays(model, decode, prefill, context, pairs) == pytest.approx(expected * 1000, abs=1e-9)


def from_arrays(model: StepTimeModel, decode: int, prefill: int, context: int, pairs: int) -> float:
    """The documented formula over the flat form, as compiled code would have it."""
    flat = model.arrays()
    factor, overhead, kv, included, per_pairs = flat.coefficients
    if not decode and not prefill:
        return 0.0
    if not prefill:
        plain = line(flat.decode_x, flat.decode_y, decode)
    elif not decode:
        plain = line(flat.prefill_x, flat.prefill_y, prefill)
    elif len(flat.mixed_x):
        plain = line(flat.mixed_x, flat.mixed_y, decode + prefill)
    else:
        plain = factor * (line(flat.decode_x, flat.decode_y, decode) + line(flat.prefill_x, flat.prefill_y, prefill))
    return float(plain + kv * max(0.0, context - decode * included) / 1000 + per_pairs * pairs / 1e6 + overhead)


def line(xs: np.ndarray, ys: np.ndarray, x: float) -> float:
    upper = min(max(int(np.searchsorted(xs, x)), 1), len(xs) - 1)
    slope = (ys[upper] - ys[upper - 1]) / (xs[upper] - xs[upper - 1])
    return float(ys[upper - 1] + (x - xs[upper - 1]) * slope)
