"""A profile from the tables of NVIDIA's aiconfigurator-core (Apache-2.0): measured kernels, summed up to steps.

The package runs in an interpreter of its own (`aiconfigurator_child`), since it cannot be installed beside this one.
Its figures are of kernels, not of a served run: whatever the host adds is not in them, so they are planning figures.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from serving.batching import StepTimeModel
from serving.errors import BadInput, EnvironmentLacks
from serving.profiles.aiconfigurator_child import CONTEXT, EARLIER, LONG_CONTEXT, TOKENS
from serving.profiles.capacity import capacity_of, require_fits
from serving.profiles.fitting.document import cold_start_lines, gpu_named, quoted, step_time_lines
from serving.profiles.model import KvMemory
from serving.profiles.shapes import ModelShape, gpus, shape_named

_CHILD = Path(__file__).with_name("aiconfigurator_child.py")
_TIMEOUT_S = 300.0
_STEP_TIME_PCT = 30
_LENGTHS = (32_768, 16_384, 8192)
_ACTIVATIONS_GB, _UTILIZATION, _BYTES = 4.0, 0.9, 2
_SEQS, _BUDGET, _BLOCK = 256, 2048, 16


@dataclass(frozen=True, slots=True)
class Tables:
    """What is asked of the package, in its own words; `python` is the interpreter that has it."""

    model: str
    system: str
    tensor_parallel: int
    pipeline_parallel: int
    python: str
    backend: str = "vllm"


def document_from_tables(name: str, tables: Tables) -> str:
    """The YAML text of a profile. Raises BadInput, DoesNotFit, and EnvironmentLacks without the package."""
    shape = shape_named(tables.model)
    if shape is None:
        raise BadInput(f"{tables.model}: its shape is not known: add it to serving/profiles/families/models.yaml")
    found = _ask(tables)
    gpu = gpu_named(tables.system.replace("_", " "))
    memory = _memory(tables, shape, gpu, found)
    return "\n".join(_lines(name, tables, shape, gpu, memory, found)) + "\n"


def _ask(tables: Tables) -> Mapping[str, Any]:
    parallel = (str(tables.tensor_parallel), str(tables.pipeline_parallel))
    command = [tables.python, str(_CHILD), tables.model, tables.system, tables.backend, *parallel]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentLacks(
            f"{tables.python}: cannot be run ({error}): name the interpreter of an environment "
            "that has aiconfigurator-core"
        ) from error
    last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
    if "No module named 'aiconfigurator_core'" in done.stderr:
        raise EnvironmentLacks(
            f"{tables.python}: has no aiconfigurator-core, which needs numpy 2 and so an environment of its own: "
            "make one, `pip install aiconfigurator-core` there, and give its interpreter with --tables-python"
        )
    if done.returncode != 0:
        raise BadInput(
            f"aiconfigurator-core has no tables for {tables.model} on {tables.system} with {tables.backend}: {last}"
        )
    answer: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def step_time_of(found: Mapping[str, Any]) -> StepTimeModel:
    """The child's answer as a model; each table is made to rise, as a few of its measurements do not."""
    decode, late = _rising(found["decode_ms"]), _rising(found["decode_long_ms"])
    most = max(decode)
    kv_ms = (late[most] - decode[most]) / (most * (LONG_CONTEXT - CONTEXT) / 1000)
    prefill = _rising(found["prefill_ms"])
    pairs_millions = TOKENS[5] * EARLIER / 1e6
    return StepTimeModel.from_tables(
        decode_ms=decode,
        prefill_ms=prefill,
        mixed_ms=_rising(found["mixed_ms"]),
        kv_ms_per_1k_tokens=round(max(0.0, kv_ms), 5),
        kv_included_tokens=CONTEXT,
        prefill_ms_per_1m_pairs=round(max(0.0, found["prefill_late_ms"] - prefill[TOKENS[5]]) / pairs_millions, 5),
    )


def _rising(table: Mapping[str, float]) -> dict[int, float]:
    tokens = sorted(int(key) for key in table)
    return dict(zip(tokens, accumulate((round(table[str(key)], 4) for key in tokens), max), strict=True))


def _memory(tables: Tables, shape: ModelShape, gpu: str, found: Mapping[str, Any]) -> KvMemory:
    known = next((one for one in gpus() if one.title == gpu), None)
    return KvMemory(
        hbm_gb=known.hbm_gb if known else round(found["memory_bytes"] / 1e9, 2),
        utilization=_UTILIZATION,
        weights_gb=round(shape.parameters_b * (1 if "fp8" in tables.model.lower() else _BYTES), 2),
        activations_gb=known.activations_gb if known else _ACTIVATIONS_GB,
        layers=shape.layers,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        bytes_per_value=_BYTES,
        tensor_parallel=tables.tensor_parallel,
        pipeline_parallel=tables.pipeline_parallel,
    )


def _longest(memory: KvMemory, where: str) -> int:
    for length in _LENGTHS:
        capacity = capacity_of(memory, block_size_tokens=_BLOCK, max_model_len=length, max_num_seqs=_SEQS)
        if capacity.kv_tokens >= length:
            return length
    require_fits(capacity, where)
    return length


def _lines(
    name: str, tables: Tables, shape: ModelShape, gpu: str, memory: KvMemory, found: Mapping[str, Any]
) -> list[str]:
    return [
        "schema: 1",
        f"name: {quoted(name)}",
        f"model: {quoted(shape.title)}",
        f"gpu: {quoted(gpu)}",
        f"tensor_parallel: {tables.tensor_parallel}",
        f"pipeline_parallel: {tables.pipeline_parallel}",
        f"quantization: {'fp8' if 'fp8' in tables.model.lower() else 'bf16'}",
        f"max_model_len: {_longest(memory, name)}",
        "source: >-",
        f"  Step times by the tables of aiconfigurator-core {found['version']} (NVIDIA, Apache-2.0) for {tables.model} "
        f"on {tables.system}, {tables.backend}:",
        f"  measured kernels summed, decodes at {CONTEXT:,} tokens of context, mixed batches with 32 decodes.",
        "  Nothing of the host is in them. Where it has no rows of that engine it takes those of another. Memory by",
        "  the data sheet, activations assumed; cold start as vllm pull request 11005 has it, times layers / 32.",
        "  Planning figures, not tested on a served run: expect errors of about +/-30 %.",
        f"error: {{basis: planning, step_time_pct: {_STEP_TIME_PCT}}}",
        "",
        f"max_num_seqs: {_SEQS}",
        f"max_num_batched_tokens: {_BUDGET}",
        f"block_size_tokens: {_BLOCK}",
        "",
        "memory:  # hbm_gb and activations_gb of one GPU, weights_gb of the whole model",
        f"  hbm_gb: {memory.hbm_gb:g}",
        f"  utilization: {memory.utilization:g}",
        f"  weights_gb: {memory.weights_gb:g}",
        f"  activations_gb: {memory.activations_gb:g}",
        f"  layers: {memory.layers}",
        f"  kv_heads: {memory.kv_heads}",
        f"  head_dim: {memory.head_dim}",
        f"  bytes_per_value: {memory.bytes_per_value}",
        "",
        *step_time_lines(step_time_of(found)),
        "",
        *cold_start_lines(shape),
    ]
