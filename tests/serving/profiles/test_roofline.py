"""Step times from data-sheet figures: the bounds, and what parallelism does to them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.profiles import load
from serving.profiles.roofline import Roofline

H100_70B = Roofline(
    parameters_b=70.6,
    hidden_size=8192,
    layers=80,
    weights_gb=141.2,
    kv_bytes_per_token=327_680,
    tensor_parallel=4,
    hbm_gb_per_s=3350,
    bandwidth_efficiency=0.8,
    peak_tflops=989,
    mfu=0.5,
    per_sequence_ms=0.0,
    all_reduce_us=0.0,
    link_gb_per_s=1e9,
)


def test_a_small_decode_takes_the_reading_of_the_weights() -> None:
    assert H100_70B.decode_ms(1) == pytest.approx(141.2 / 4 / (3350 * 0.8) * 1000, rel=1e-6)


def test_a_large_prefill_takes_two_operations_a_parameter_and_token() -> None:
    expected_ms = 2 * 70.6e9 * 8192 / (4 * 989e12 * 0.5) * 1000
    assert H100_70B.prefill_ms(8192) == pytest.approx(expected_ms, rel=1e-6)


def test_context_is_read_at_the_memory_s_bandwidth() -> None:
    assert H100_70B.kv_ms_per_1k_tokens == pytest.approx(327_680 * 1000 / 4 / (3350e9 * 0.8) * 1000)


def test_tensor_parallelism_pays_two_all_reduces_a_layer() -> None:
    with_latency = replace(H100_70B, all_reduce_us=10.0)
    assert with_latency.decode_ms(1) - H100_70B.decode_ms(1) == pytest.approx(2 * 80 * 0.010)
    alone = replace(with_latency, tensor_parallel=1)
    assert alone.decode_ms(1) == pytest.approx(141.2 / (3350 * 0.8) * 1000)


@given(st.integers(1, 512), st.integers(1, 512))
def test_more_work_takes_no_less_time(fewer: int, more: int) -> None:
    model = replace(H100_70B, all_reduce_us=10.0, link_gb_per_s=450, per_sequence_ms=0.05)
    assert model.decode_ms(fewer + more) >= model.decode_ms(fewer)
    assert model.prefill_ms(fewer + more) >= model.prefill_ms(fewer)


def test_eight_gpus_are_faster_than_four_but_not_twice() -> None:
    four, eight = load("h100-llama3-70b-tp4").step_time, load("h100-llama3-70b-tp8").step_time
    ratio = four.duration_of_s(decode_seqs=1, prefill_tokens=0) / eight.duration_of_s(decode_seqs=1, prefill_tokens=0)
    assert 1.3 < ratio < 2


def test_long_contexts_slow_a_decode_down() -> None:
    step_time = load("h100-llama3-8b-tp1").step_time
    usual = step_time.duration_of_s(decode_seqs=8, prefill_tokens=0, context_tokens=8 * 1000)
    long = step_time.duration_of_s(decode_seqs=8, prefill_tokens=0, context_tokens=8 * 30_000)
    assert usual == pytest.approx(0.0072)
    assert long - usual == pytest.approx(8 * 29 * 0.049e-3)
