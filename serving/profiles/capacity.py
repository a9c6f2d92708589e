"""How much a replica holds: KV blocks, tokens and sequences from the GPU memory, written out so that it can be checked.

    KV bytes a token and GPU = layers/PP x KV heads/TP x head dim x 2 (K and V) x bytes a value
    KV blocks = floor((HBM x utilization - weights/(TP x PP) - activations) / (KV bytes a token x block size))

This is the arithmetic by which vLLM sizes its cache, but for the activations, which vLLM measures in a profiling run
and a profile has to state. It serves the emulated engine's profiles and a vLLM configuration alike.
"""

from __future__ import annotations

from dataclasses import dataclass

from serving.errors import BadInput
from serving.profiles.model import KvMemory, Profile


class DoesNotFit(BadInput):
    """A configuration whose weights and one longest request exceed the GPU memory; the message has the numbers."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """What fits, and from what it follows. Sizes in GB (1e9 bytes) of one GPU.

    `longest_sequences` is how many sequences of the full `max_model_len` fit at once, `max_sequences` how many may run:
    the scheduler's seats, or less where the cache has fewer blocks than those (each sequence holds one at least).
    """

    gpus: int
    tensor_parallel: int
    pipeline_parallel: int
    hbm_gb: float
    usable_gb: float
    weights_gb: float
    activations_gb: float
    kv_gb: float
    kv_bytes_per_token: int
    block_size_tokens: int
    kv_blocks: int
    kv_tokens: int
    max_model_len: int
    longest_sequences: float
    max_sequences: int


def capacity_of(memory: KvMemory, *, block_size_tokens: int, max_model_len: int, max_num_seqs: int) -> Capacity:
    """Work out what `memory` holds; blocks are 0, not negative, when nothing is left for them."""
    blocks = max(0, memory.blocks(block_size_tokens))
    return Capacity(
        gpus=memory.gpus,
        tensor_parallel=memory.tensor_parallel,
        pipeline_parallel=memory.pipeline_parallel,
        hbm_gb=memory.hbm_gb,
        usable_gb=memory.hbm_gb * memory.utilization,
        weights_gb=memory.weights_gb_per_gpu,
        activations_gb=memory.activations_gb,
        kv_gb=memory.kv_bytes_per_gpu / 1e9,
        kv_bytes_per_token=memory.bytes_per_token_per_gpu,
        block_size_tokens=block_size_tokens,
        kv_blocks=blocks,
        kv_tokens=blocks * block_size_tokens,
        max_model_len=max_model_len,
        longest_sequences=blocks / -(-max_model_len // block_size_tokens),
        max_sequences=min(max_num_seqs, blocks),
    )


def shortfall(capacity: Capacity) -> str | None:
    """Why the longest request could not be served, with the numbers, in one line; None when it can."""
    c = capacity
    if c.kv_tokens >= c.max_model_len:
        return None
    return (
        f"{c.usable_gb:.1f} GB usable of {c.hbm_gb:.1f} - {c.weights_gb:.1f} weights - {c.activations_gb:.1f} "
        f"activations = {c.kv_gb:.1f} GB a GPU for KV: at {c.kv_bytes_per_token:,} bytes a token that is "
        f"{c.kv_tokens:,} tokens, less than max_model_len {c.max_model_len:,} by {_missing_gb(c):.1f} GB a GPU"
    )


def _missing_gb(c: Capacity) -> float:
    blocks = -(-c.max_model_len // c.block_size_tokens)
    return blocks * c.block_size_tokens * c.kv_bytes_per_token / 1e9 - c.kv_gb


def require_fits(capacity: Capacity, where: str) -> None:
    """Raise DoesNotFit, one line that begins with `where`, unless one longest request fits."""
    if (reason := shortfall(capacity)) is not None:
        raise DoesNotFit(
            f"{where}: {reason}: use more or larger GPUs, quantized weights, a lower max_model_len or more utilization"
        )


def capacity_of_profile(profile: Profile) -> Capacity:
    return capacity_of(
        profile.memory,
        block_size_tokens=profile.scheduler.block_size_tokens,
        max_model_len=profile.scheduler.max_model_len,
        max_num_seqs=profile.scheduler.max_num_seqs,
    )


def describe_capacity(profile: Profile) -> list[tuple[str, str]]:
    """The sum as (label, value) lines for a reader."""
    c = capacity_of_profile(profile)
    times = profile.step_time
    decode_ms = [times.duration_of_s(decode_seqs=n, prefill_tokens=0) * 1000 for n in (1, 64)]
    budget = profile.scheduler.max_num_batched_tokens
    return [
        ("model", f"{profile.model}, {profile.quantization}"),
        ("replica", f"{c.gpus} x {profile.gpu}, tensor parallel {c.tensor_parallel}, pipeline {c.pipeline_parallel}"),
        ("usable memory", f"{c.hbm_gb:.1f} GB x {profile.memory.utilization:g} = {c.usable_gb:.1f} GB a GPU"),
        ("weights", f"{profile.memory.weights_gb:.1f} GB / {c.gpus} = {c.weights_gb:.1f} GB a GPU"),
        ("activations", f"{c.activations_gb:.1f} GB a GPU"),
        ("left for KV", f"{c.kv_gb:.1f} GB a GPU"),
        ("KV of one token", f"{c.kv_bytes_per_token:,} bytes a GPU"),
        ("KV blocks", f"{c.kv_blocks:,} of {c.block_size_tokens} tokens = {c.kv_tokens:,} tokens"),
        ("longest sequences", f"{c.longest_sequences:.1f} of {c.max_model_len:,} tokens at once"),
        ("max sequences", f"{c.max_sequences} (max_num_seqs {profile.scheduler.max_num_seqs})"),
        ("decode step", f"{decode_ms[0]:.1f} ms for 1 sequence, {decode_ms[1]:.1f} ms for 64"),
        ("KV reading", f"{times.kv_ms_per_1k_tokens:.3f} ms a step and 1,000 tokens of context"),
        ("prefill", f"{times.duration_of_s(decode_seqs=0, prefill_tokens=budget) * 1000:.0f} ms for {budget:,} tokens"),
        ("cold start", _cold_start(profile)),
        ("source", profile.source),
    ]


def _cold_start(profile: Profile) -> str:
    phases = ", ".join(f"{phase} {seconds:.1f}" for phase, seconds in profile.cold_start_s.items())
    return f"{sum(profile.cold_start_s.values()):.1f} s ({phases})" if phases else "not stated"
