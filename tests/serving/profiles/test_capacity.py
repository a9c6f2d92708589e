"""What fits into a replica's memory, and what is said about a configuration that does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.errors import BadInput
from serving.profiles import (
    Capacity,
    KvMemory,
    capacity_of,
    capacity_of_profile,
    describe_capacity,
    load,
    profile_names,
)
from serving.profiles import require_fits as require

LLAMA_70B = KvMemory(
    hbm_gb=80,
    utilization=0.9,
    weights_gb=141.2,
    activations_gb=4,
    layers=80,
    kv_heads=8,
    head_dim=128,
    bytes_per_value=2,
    tensor_parallel=4,
)


def capacity(memory: KvMemory, **limits: int) -> Capacity:
    return capacity_of(memory, **{"block_size_tokens": 16, "max_model_len": 8192, "max_num_seqs": 256, **limits})


def test_four_gpus_share_weights_and_heads() -> None:
    result = capacity(LLAMA_70B)
    assert result.weights_gb == pytest.approx(35.3)
    assert result.kv_gb == pytest.approx(32.7)
    assert result.kv_bytes_per_token == 80 * 2 * 128 * 2 * 2
    assert result.kv_tokens == pytest.approx(32.7e9 / 81_920, abs=16)
    assert result.longest_sequences == pytest.approx(result.kv_tokens / 8192)


def test_kv_heads_are_repeated_when_there_are_more_gpus_than_heads() -> None:
    eight = replace(LLAMA_70B, tensor_parallel=8)
    sixteen = replace(LLAMA_70B, tensor_parallel=16)
    assert sixteen.bytes_per_token_per_gpu == eight.bytes_per_token_per_gpu


def test_pipeline_stages_share_the_layers() -> None:
    both = replace(LLAMA_70B, tensor_parallel=2, pipeline_parallel=2)
    assert both.gpus == 4
    assert both.weights_gb_per_gpu == pytest.approx(35.3)
    assert both.bytes_per_token_per_gpu == 40 * 4 * 128 * 2 * 2


def test_what_does_not_fit_is_refused_in_one_line_with_the_numbers() -> None:
    with pytest.raises(BadInput) as caught:
        require(capacity(replace(LLAMA_70B, tensor_parallel=2)), "vllm")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("vllm: 72.0 GB usable of 80.0 - 70.6 weights - 4.0 activations = -2.6 GB a GPU for KV")
    assert "0 tokens, less than max_model_len 8,192" in message


def test_what_fits_is_let_through() -> None:
    require(capacity(LLAMA_70B), "vllm")


def test_few_blocks_limit_the_sequences_more_than_the_seats() -> None:
    tight = replace(LLAMA_70B, activations_gb=36.5)
    result = capacity(tight, max_model_len=2048)
    assert result.max_sequences == result.kv_blocks < 256


@given(st.floats(24, 200), st.integers(1, 4))
def test_more_memory_never_holds_less(hbm_gb: float, tensor_parallel: int) -> None:
    smaller = replace(LLAMA_70B, hbm_gb=hbm_gb, tensor_parallel=2**tensor_parallel)
    larger = replace(smaller, hbm_gb=hbm_gb + 1)
    assert capacity(larger).kv_blocks >= capacity(smaller).kv_blocks


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_s_sum_can_be_read(name: str) -> None:
    profile = load(name)
    lines = dict(describe_capacity(profile))
    held = capacity_of_profile(profile)
    assert f"{held.kv_blocks:,} of 16 tokens = {held.kv_tokens:,} tokens" in lines["KV blocks"]
    assert held.kv_blocks == profile.scheduler.kv_blocks
    assert lines["source"] == profile.source
