"""Does the model fit, and how much KV cache is left: written arithmetic, done before vLLM spends a minute on it.

weights      sum of the weight files, rescaled to the type they are loaded in; estimated without files
KV / token   2 (K and V) x layers x KV heads x head size x bytes of the cache's type;
             latent attention (MLA): layers x (KV rank + rotary size) x bytes
needed       weights + KV cache + what the engine itself takes, all of them over the ranks
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.engine.vllm.config import VllmConfig
from serving.errors import BadInput

GIB = 1 << 30
CPU_BLOCK_SIZE_TOKENS = 128
GPU_BLOCK_SIZE_TOKENS = 16
GPU_MEMORY_UTILIZATION = 0.92
ENGINE_BYTES = int(1.4 * GIB)  # measured: frontend, engine core and one worker of vLLM 0.32, without weights and KV
RANK_BYTES = int(0.6 * GIB)  # one more worker
_BYTES = {
    "float32": 4.0,
    "float16": 2.0,
    "bfloat16": 2.0,
    "float": 4.0,
    "half": 2.0,
    "fp8": 1.0,
    "int8": 1.0,
    "nvfp4": 0.5,
}


@dataclass(frozen=True, slots=True)
class Model:
    """A model's sizes as vLLM will load it; `kv_bytes_per_token` is over all layers, `max_length` in tokens."""

    weights_bytes: int
    kv_bytes_per_token: int
    max_length: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """What one replica holds, which routing and admission ask: sequences at once, tokens of KV cache, longest one."""

    max_num_seqs: int
    kv_tokens: int
    max_model_len: int


def read_model(directory: Path, config: VllmConfig) -> Model:
    """Sizes from `config.json` and the weight files. Raises BadInput when this is no model directory."""
    path = directory / "config.json"
    try:
        top: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        shape: Mapping[str, Any] = top.get("text_config", top)
        stored = str(shape.get("dtype") or shape.get("torch_dtype") or "float32")
        loaded = stored if config.effective_dtype == "auto" else config.effective_dtype
        return Model(
            weights_bytes=_weights_bytes(directory, shape, stored=stored, loaded=loaded, config=config),
            kv_bytes_per_token=int(_kv_values(shape) * _kv_bytes(config.kv_cache_dtype, loaded)),
            max_length=config.max_model_len or int(shape["max_position_embeddings"]),
        )
    except (OSError, ValueError, AttributeError) as error:
        raise BadInput(f"{path}: not a model's configuration ({error}): give a directory vLLM can load") from error
    except KeyError as error:
        raise BadInput(f"{path}: {error} is missing: give a model of a transformer vLLM can load") from error


def require_fits(model: Model, config: VllmConfig, *, memory_bytes: int) -> Capacity:
    """What a replica holds in `memory_bytes`: free host memory on a CPU, the whole of one device on a GPU.

    Raises BadInput with the numbers when weights and KV cache do not fit, or the KV cache holds no full sequence.
    """
    if config.device == "cpu":
        kv_bytes = _block_bytes(model, config) or config.kv_cache_gib * GIB * config.ranks
        overhead = ENGINE_BYTES + RANK_BYTES * (config.ranks - 1)
        available = memory_bytes
    else:
        share = config.gpu_memory_utilization or GPU_MEMORY_UTILIZATION
        available, overhead = int(memory_bytes * share) * config.ranks, 0
        offloaded = int(config.cpu_offload_gb * GIB) * config.ranks
        kv_bytes = _block_bytes(model, config) or max(0, available + offloaded - model.weights_bytes)
        available += offloaded
    tokens = kv_bytes // model.kv_bytes_per_token
    if model.weights_bytes + kv_bytes + overhead > available or model.weights_bytes >= available:
        raise BadInput(f"vllm: does not fit: {_sum(model, kv_bytes, overhead, available)}: {_mend(config)}")
    if tokens < model.max_length:
        raise BadInput(
            f"vllm: the KV cache holds {tokens} tokens at {model.kv_bytes_per_token} bytes each, less than one "
            f"sequence of max_model_len {model.max_length}: lower max_model_len or enlarge the cache"
        )
    return Capacity(config.max_num_seqs, int(tokens), model.max_length)


def _sum(model: Model, kv_bytes: int, overhead: int, available: int) -> str:
    parts = {"weights": model.weights_bytes, "KV cache": kv_bytes, "engine": overhead}
    total = " + ".join(f"{name} {size / GIB:.2f}" for name, size in parts.items() if size)
    return f"{total} = {sum(parts.values()) / GIB:.2f} GiB needed, {available / GIB:.2f} GiB there"


def _mend(config: VllmConfig) -> str:
    if config.device == "cpu":
        return "use a smaller model, less kv_cache_gib, fewer replicas, or a larger machine"
    return "use quantization, more tensor_parallel_size or pipeline_parallel_size, or cpu_offload_gb"


def _block_bytes(model: Model, config: VllmConfig) -> int:
    default = CPU_BLOCK_SIZE_TOKENS if config.device == "cpu" else GPU_BLOCK_SIZE_TOKENS
    return (config.num_gpu_blocks_override or 0) * (config.block_size or default) * model.kv_bytes_per_token


def _kv_values(shape: Mapping[str, Any]) -> int:
    layers = int(shape["num_hidden_layers"])
    if rank := shape.get("kv_lora_rank"):
        return layers * (int(rank) + int(shape.get("qk_rope_head_dim", 0)))
    heads = int(shape["num_attention_heads"])
    head_size = int(shape.get("head_dim") or int(shape["hidden_size"]) // heads)
    return 2 * layers * int(shape.get("num_key_value_heads") or heads) * head_size


def _kv_bytes(kv_cache_dtype: str, loaded: str) -> float:
    if kv_cache_dtype == "auto":
        return _BYTES.get(loaded, 2.0)
    return next((size for name, size in _BYTES.items() if kv_cache_dtype.startswith(name)), 1.0)


def _weights_bytes(directory: Path, shape: Mapping[str, Any], *, stored: str, loaded: str, config: VllmConfig) -> int:
    files = sum(path.stat().st_size for path in directory.glob("*.safetensors"))
    if not files or config.load_format == "dummy":
        return int(_parameters(shape) * _BYTES.get(loaded, 2.0))
    is_quantized = config.quantization is not None or "quantization_config" in shape
    return files if is_quantized else math.ceil(files * _BYTES.get(loaded, 2.0) / _BYTES.get(stored, 2.0))


def _parameters(shape: Mapping[str, Any]) -> int:
    """Parameters of a gated-MLP transformer with its (untied) embeddings; norms and biases are left out."""
    hidden, heads = int(shape["hidden_size"]), int(shape["num_attention_heads"])
    head_size = int(shape.get("head_dim") or hidden // heads)
    kv_heads = int(shape.get("num_key_value_heads") or heads)
    attention = hidden * head_size * (2 * heads + 2 * kv_heads)
    experts = int(shape.get("num_local_experts") or shape.get("num_experts") or shape.get("n_routed_experts") or 1)
    width = (
        int(shape.get("moe_intermediate_size") or shape["intermediate_size"])
        if experts > 1
        else int(shape["intermediate_size"])
    )
    embeddings = int(shape["vocab_size"]) * hidden * (1 if shape.get("tie_word_embeddings") else 2)
    return int(shape["num_hidden_layers"]) * (attention + 3 * hidden * width * experts) + embeddings
