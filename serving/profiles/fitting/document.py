"""The profile file of a fit: figures as fitted, what they were fitted and tested on, and how far off the test was.

Memory is the run's own number of blocks. What a run does not say stands in the source as assumed: how long a start
takes, and the model's shape when `families/models.yaml` does not know the model.
"""

from __future__ import annotations

import re
from textwrap import fill

from serving.batching import Curve, StepTimeModel
from serving.profiles.fitting.engine_facts import EngineFacts
from serving.profiles.fitting.fit import Fit, TestedRun
from serving.profiles.fitting.request_log import Run, rate_in_words
from serving.profiles.shapes import ModelShape, shape_named

_WIDTH = 118
_BILLIONS = re.compile(r"(\d+(?:\.\d+)?)b\b", re.IGNORECASE)
_GPUS = (
    ("4090", "RTX-4090"),
    ("pro 6000", "RTX-PRO-6000-96GB"),
    ("h200", "H200-141GB"),
    ("h100", "H100-80GB"),
    ("a100-sxm4-40", "A100-40GB"),
    ("a100", "A100-80GB"),
    ("l40s", "L40S-48GB"),
    ("b200", "B200-180GB"),
)
_ASSUMED_ACTIVATIONS_GB = 1.0


def gpu_named(device: str) -> str:
    """The name price books use for a device as CUDA calls it; the device's own where none is known."""
    return next((name for part, name in _GPUS if part in device.lower()), "-".join(device.split()))


def quantization_named(facts: EngineFacts) -> str:
    """What a profile calls the precision of the run's weights."""
    return facts.quantization or {"bfloat16": "bf16"}.get(facts.dtype, facts.dtype)


def profile_document(name: str, runs: list[Run], found: Fit) -> str:
    """The YAML text of a profile called `name`."""
    facts = runs[0].facts
    shape = shape_named(facts.model)
    lines = [
        "schema: 1",
        f"name: {quoted(name)}",
        f"model: {quoted(facts.model.rsplit('/', 1)[-1])}",
        f"gpu: {quoted(gpu_named(facts.gpu))}",
        f"tensor_parallel: {facts.tensor_parallel}",
        f"pipeline_parallel: {facts.pipeline_parallel}",
        f"quantization: {quoted(quantization_named(facts))}",
        f"max_model_len: {facts.scheduler.max_model_len}",
        "source: >-",
        fill(_source(runs, found, shape), _WIDTH, initial_indent="  ", subsequent_indent="  "),
        *_error_bars(found),
        "",
        "# Scheduler limits, vLLM's names, as in the run.",
        f"max_num_seqs: {facts.scheduler.max_num_seqs}",
        f"max_num_batched_tokens: {facts.scheduler.max_num_batched_tokens}",
        f"block_size_tokens: {facts.scheduler.block_size_tokens}",
        f"enable_prefix_caching: {str(facts.scheduler.enable_prefix_caching).lower()}",
        "",
        *_memory(facts, shape),
        "",
        *step_time_lines(found.step_time),
        "",
        *cold_start_lines(shape),
    ]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """A YAML scalar that is text whatever it looks like."""
    return text if re.fullmatch(r"[A-Za-z][\w.-]*", text) else "'" + text.replace("'", "''") + "'"


def _source(runs: list[Run], found: Fit, shape: ModelShape | None) -> str:
    facts = runs[0].facts
    logs = "; ".join(
        f"{one.title}, {one.requests} requests {rate_in_words(one.rate_rps)}, fitted on {one.part}"
        for one in found.runs
    )
    numbers = ", ".join(f"{name} {value:g}" for name, value in found.parameters.rounded().items())
    known = (
        "Shape by the model's card and configuration."
        if shape
        else "The model's shape is not known here: layers, heads and weights stand for what the run's blocks leave."
    )
    return (
        f"Fitted by `sre profile fit` to {facts.engine} request logs on {facts.tensor_parallel} x {facts.gpu} "
        f"({facts.model}): {logs}. Tested on all other requests, by a replay of the whole log: means within "
        f"{_percent(found.mean_error):g} %, p99 within {_percent(found.p99_error):g} % of end-to-end, first-token and "
        f"per-token time. Parameters (serving/profiles/fitting/parameters.py): {numbers}. {known} Assumed: the cold "
        "start (vllm pull request 11005, an 8B model, times layers / 32) and 2 GB/s for the weights."
    )


def _percent(share: float) -> float:
    return round(share * 100, 1)


def _error_bars(found: Fit) -> list[str]:
    tested = "; ".join(_tested(one) for one in found.runs)
    return [
        "error:",
        "  basis: fitted",
        f"  step_time_pct: {_percent(found.step_error):g}",
        f"  mean_pct: {_percent(found.mean_error):g}",
        f"  p99_pct: {_percent(found.p99_error):g}",
        f"  tested_on: {quoted(tested)}",
    ]


def _tested(one: TestedRun) -> str:
    return f"the requests of {one.title} that were not fitted (fitted: {one.part})"


def _memory(facts: EngineFacts, shape: ModelShape | None) -> list[str]:
    blocks, size = facts.scheduler.kv_blocks, facts.scheduler.block_size_tokens
    value_bytes = 1 if "fp8" in facts.kv_dtype else 2
    billions = shape.parameters_b if shape else _billions(facts.model)
    weights_gb = round(billions * _weight_bytes(facts), 2)
    layers, heads, dim = (shape.layers, shape.kv_heads, shape.head_dim) if shape else _stand_in(facts, weights_gb)
    usable_gb = (facts.memory_gb or weights_gb * 2) * facts.utilization
    kv_heads = -(-heads // facts.tensor_parallel)
    kv_gb = blocks * size * -(-layers // facts.pipeline_parallel) * kv_heads * dim * 2 * value_bytes / 1e9
    gpus = facts.tensor_parallel * facts.pipeline_parallel
    rest_gb = max(0.0, usable_gb - weights_gb / gpus - kv_gb)
    return [
        f"# The run had {blocks:,} blocks = {blocks * size:,} tokens; what remains beside weights and KV is put down",
        "# as activations.",
        "memory:  # hbm_gb and activations_gb of one GPU, weights_gb of the whole model",
        f"  hbm_gb: {facts.memory_gb or weights_gb * 2:.4g}",
        f"  utilization: {facts.utilization:g}",
        f"  weights_gb: {weights_gb:g}",
        f"  activations_gb: {rest_gb:.3f}",
        f"  layers: {layers}",
        f"  kv_heads: {heads}",
        f"  head_dim: {dim}",
        f"  bytes_per_value: {value_bytes}",
        f"  measured_kv_blocks: {blocks}",
    ]


def _billions(model: str) -> float:
    found = _BILLIONS.search(model)
    return float(found[1]) if found else 8.0


def _weight_bytes(facts: EngineFacts) -> float:
    how = f"{facts.quantization} {facts.model}".lower()
    if "fp8" in how or "w8a8" in how or "int8" in how:
        return 1.0
    if any(word in how for word in ("awq", "gptq", "fp4", "int4", "w4a16")):
        return 0.5
    return 4.0 if facts.dtype == "float32" else 2.0


def _stand_in(facts: EngineFacts, weights_gb: float) -> tuple[int, int, int]:
    """Layers, heads and width whose KV of a token is what the run's blocks leave of the memory for it."""
    gpus = facts.tensor_parallel * facts.pipeline_parallel
    left_gb = facts.memory_gb * facts.utilization - weights_gb / gpus - _ASSUMED_ACTIVATIONS_GB
    tokens = facts.scheduler.kv_blocks * facts.scheduler.block_size_tokens
    width = round(max(0.1, left_gb) * 1e9 / tokens / 4)
    return facts.pipeline_parallel, facts.tensor_parallel, max(1, width)


def step_time_lines(model: StepTimeModel) -> list[str]:
    """The section `step_time`."""
    mixed = [f"  mixed_ms: {_table(model.mixed_ms)}  # over the tokens of both kinds"] if model.mixed_ms else []
    return [
        "# Milliseconds by sequences, by prefill tokens, and by all tokens of a batch of both kinds.",
        "step_time:",
        "  kind: knots" if model.mixed_ms else "  kind: table",
        f"  decode_ms: {_table(model.decode_ms)}",
        f"  prefill_ms: {_table(model.prefill_ms)}",
        *mixed,
        f"  kv_ms_per_1k_tokens: {model.kv_ms_per_1k_tokens!r}",
        f"  kv_included_tokens: {model.kv_included_tokens}",
        f"  prefill_ms_per_1m_pairs: {model.prefill_ms_per_1m_pairs!r}",
        f"  host_overhead_ms: {model.host_overhead_ms!r}",
        f"  request_overhead_ms: {model.request_overhead_ms!r}",
    ]


def _table(curve: Curve) -> str:
    return "{" + ", ".join(f"{x:.0f}: {y!r}" for x, y in curve.knots) + "}"


def cold_start_lines(shape: ModelShape | None) -> list[str]:
    """The section `cold_start`, an 8B model's times by the layers."""
    layers = shape.layers if shape else 32
    return [
        "cold_start:",
        "  weights_gb_per_s: 2.0",
        f"  compile_s: {19.4 * layers / 32:.1f}",
        f"  capture_graphs_s: {15 * layers / 32:.1f}",
        f"  warmup_s: {5 * layers / 32:.1f}",
    ]
