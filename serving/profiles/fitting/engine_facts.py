"""What engine a run was made on: its settings, model and hardware, out of the run's `meta.json`.

vLLM's resolved configuration is believed before what was asked for, since it has the defaults filled in. What the file
does not say is taken from vLLM's defaults, except the number of KV blocks: nothing can stand for that.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.batching import SchedulerConfig
from serving.errors import BadInput

_MOE_NAME = re.compile(r"\d+B-A\d+|moe|mixtral|deepseek-(v|r1)|gpt-oss|maverick|scout", re.IGNORECASE)
_DEFAULT_SEQS, _DEFAULT_BUDGET, _DEFAULT_BLOCK, _DEFAULT_LENGTH = 256, 2048, 16, 131_072


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """Settings of one engine. `memory_gb` of one GPU (1e9 bytes), 0 when the run does not say."""

    path: Path
    model: str
    engine: str
    gpu: str
    memory_gb: float
    utilization: float
    tensor_parallel: int
    pipeline_parallel: int
    dtype: str
    quantization: str
    kv_dtype: str
    is_moe: bool
    scheduler: SchedulerConfig

    def same_engine(self) -> tuple[object, ...]:
        """What runs must have in common to be fitted together."""
        return self.model, self.gpu, self.tensor_parallel, self.pipeline_parallel, self.dtype, self.quantization


class _Meta:
    """Looks a setting up in several sections, the first that has it."""

    def __init__(self, path: Path, data: Mapping[str, Any]) -> None:
        self.path, self._data = path, data

    def section(self, *names: str) -> Mapping[str, Any]:
        found: Any = self._data
        for name in names:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found if isinstance(found, Mapping) else {}

    def setting(self, key: str, *sections: tuple[str, ...]) -> Any:
        for names in sections:
            if (value := self.section(*names).get(key)) is not None:
                return value
        return None

    def text(self, key: str, default: str, *sections: tuple[str, ...]) -> str:
        value = self.setting(key, *sections)
        return str(value) if value is not None else default

    def whole(self, key: str, default: int, *sections: tuple[str, ...]) -> int:
        value = self.setting(key, *sections)
        if value is None:
            return default
        if type(value) is not int or value < 1:
            raise BadInput(f"{self.path}: {key} is {value!r}: a whole number of at least 1 is needed")
        return value

    def number(self, key: str, default: float, *sections: tuple[str, ...]) -> float:
        value = self.setting(key, *sections)
        if value is None:
            return default
        if type(value) not in (int, float) or not 0 <= value < float("inf"):
            raise BadInput(f"{self.path}: {key} is {value!r}: a number of at least 0 is needed")
        return float(value)


_ASKED = ("engine_kwargs",)
_CACHE = ("kv_cache",)


def _resolved(name: str) -> tuple[str, ...]:
    return "resolved_config", f"{name}_config"


def read_facts(path: Path, *, kv_blocks: int | None = None) -> EngineFacts:
    """Read `meta.json`. Raises BadInput, one line."""
    meta = _Meta(path, _load(path))
    parallel, model = _resolved("parallel"), _resolved("model")
    if meta.whole("data_parallel_size", 1, _ASKED, parallel) > 1:
        raise BadInput(f"{path}: data_parallel_size is above 1: fit the log of one engine, they share no batch")
    if meta.setting("speculative_config", ("resolved_config",), _ASKED):
        raise BadInput(f"{path}: the run used speculative decoding, whose steps give several tokens: fit one without")
    hardware = ("hardware",)
    return EngineFacts(
        path=path,
        model=meta.text("model", "unknown model", (), _ASKED),
        engine=f"vLLM {meta.text('vllm_version', 'of unknown version', ())}",
        gpu=meta.text("device_name", "unknown GPU", hardware),
        memory_gb=meta.number("device_total_memory_bytes", 0.0, hardware) / 1e9,
        utilization=meta.number("gpu_memory_utilization", 0.9, _CACHE, _resolved("cache")),
        tensor_parallel=meta.whole("tensor_parallel_size", 1, parallel, _ASKED),
        pipeline_parallel=meta.whole("pipeline_parallel_size", 1, parallel, _ASKED),
        dtype=meta.text("dtype", "bfloat16", _ASKED, model).removeprefix("torch."),
        quantization=meta.text("quantization", "", model, _ASKED),
        kv_dtype=meta.text("kv_cache_dtype", "auto", _ASKED),
        is_moe=_is_moe(meta),
        scheduler=_scheduler(meta, kv_blocks),
    )


def _is_moe(meta: _Meta) -> bool:
    """A mixture of experts: by the resolved configuration, or by the model's name where there is none."""
    told = meta.setting("is_moe_model", _resolved("parallel"))
    return bool(told) if told is not None else _MOE_NAME.search(meta.text("model", "", (), _ASKED)) is not None


def _load(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise BadInput(f"{path}: not readable ({reason}): the engine's settings must lie beside the log") from error
    if not isinstance(data, Mapping):
        raise BadInput(f"{path}: is {type(data).__name__}: the engine's settings are one JSON object")
    return data


def _scheduler(meta: _Meta, kv_blocks: int | None) -> SchedulerConfig:
    asked, limits, cache = _ASKED, _resolved("scheduler"), _resolved("cache")
    block_size = meta.whole("block_size", _DEFAULT_BLOCK, _CACHE, cache)
    tokens = meta.whole("num_kv_tokens", 0, _CACHE)
    blocks = tokens // block_size or meta.whole("num_gpu_blocks", 0, _CACHE, cache) or kv_blocks
    if not blocks:
        raise BadInput(f"{meta.path}: does not say how many KV blocks there were: give --kv-blocks (vLLM logs it)")
    budget = meta.whole("max_num_batched_tokens", _DEFAULT_BUDGET, limits, asked)
    return SchedulerConfig(
        kv_blocks=blocks,
        block_size_tokens=block_size,
        max_num_seqs=min(budget, meta.whole("max_num_seqs", _DEFAULT_SEQS, limits, asked)),
        max_num_batched_tokens=budget,
        max_model_len=min(blocks * block_size, meta.whole("max_model_len", _DEFAULT_LENGTH, _resolved("model"), asked)),
        enable_prefix_caching=bool(meta.setting("enable_prefix_caching", _CACHE, cache) in (True, None)),
    )
