"""What vLLM's engine is started with. Names are vLLM's own where it has one, so its documentation applies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from serving.errors import BadInput

Device = Literal["cpu", "cuda"]
DTYPES = ("auto", "float32", "float16", "bfloat16")
_NOT_ARGUMENTS = frozenset({"device", "kv_cache_gib", "stall_timeout_s", "start_timeout_s"})


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmConfig:
    """Configuration of one replica's engine. None leaves a choice to vLLM, but for `dtype` and `enforce_eager`.

    `model` is a directory (None: the tiny model made by `prepare_vllm`). `dtype` None is float32 on a CPU, where
    bfloat16 dies with an illegal instruction on AMX processors, and the model's own on a GPU. `enforce_eager` None is
    True on a CPU. `kv_cache_gib` is the KV cache of each CPU rank (on a GPU `gpu_memory_utilization` decides);
    `num_gpu_blocks_override` shrinks either. `kv_offloading_size` (GiB) and `cpu_offload_gb` use host memory behind a
    GPU. Work pending without a step for `stall_timeout_s` counts as a dead engine; 0 never does.
    """

    model: str | None = None
    device: Device = "cpu"
    dtype: str | None = None
    tensor_parallel_size: int = 1
    pipeline_parallel_size: int = 1
    quantization: str | None = None
    gpu_memory_utilization: float | None = None
    max_model_len: int | None = None
    max_num_seqs: int = 32
    max_num_batched_tokens: int | None = None
    block_size: int | None = None
    num_gpu_blocks_override: int | None = None
    kv_cache_gib: int = 1
    kv_cache_dtype: str = "auto"
    kv_offloading_size: float | None = None
    cpu_offload_gb: float = 0.0
    enable_prefix_caching: bool = True
    enforce_eager: bool | None = None
    load_format: str = "auto"
    trust_remote_code: bool = False
    seed: int = 0
    stall_timeout_s: float = 60.0
    start_timeout_s: float = 600.0

    def __post_init__(self) -> None:
        if faults := [*_faults(self), *_contradictions(self)]:
            raise BadInput(f"vllm: {'; '.join(faults)}")

    @property
    def ranks(self) -> int:
        """Devices (on a CPU: worker processes) the model is spread over."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    @property
    def effective_dtype(self) -> str:
        return self.dtype or ("float32" if self.device == "cpu" else "auto")

    def engine_arguments(self) -> dict[str, Any]:
        """Keyword arguments of vLLM's AsyncEngineArgs. `priority` of a request needs the scheduling policy."""
        given = {key: value for key, value in asdict(self).items() if key not in _NOT_ARGUMENTS and value is not None}
        eager = self.enforce_eager if self.enforce_eager is not None else self.device == "cpu"
        return {
            **given,
            "dtype": self.effective_dtype,
            "enforce_eager": eager,
            "scheduling_policy": "priority",
            "disable_log_stats": True,
        }

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str, *, path: str = "vllm.json") -> VllmConfig:
        """Parse an object with any of the fields. Raises BadInput, one line, for anything else."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise BadInput(f"{path}: not JSON ({error}): write an object such as {{}}") from error
        known = [entry.name for entry in fields(cls)]
        if not isinstance(data, dict):
            raise BadInput(f"{path}: {type(data).__name__} instead of an object: write one such as {{}}")
        if unknown := sorted(set(data) - set(known)):
            raise BadInput(f"{path}: unknown keys ({', '.join(unknown)}): known are {', '.join(known)}")
        try:
            return cls(**data)
        except BadInput as error:
            raise BadInput(f"{path}: {error}") from error


def _whole(low: int, high: int = 1 << 40) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and low <= value <= high


def _number(low: float, high: float = 1e9) -> Callable[[Any], bool]:
    return lambda value: type(value) in {int, float} and low <= value <= high


def _or_none(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or accepts(value)


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "model": (_or_none(_text), "a directory with config.json, or null for the tiny model"),
    "device": (lambda value: value in {"cpu", "cuda"}, "cpu or cuda"),
    "dtype": (lambda value: value is None or value in DTYPES, f"{', '.join(DTYPES)} or null"),
    "tensor_parallel_size": (_whole(1, 1024), "1 to 1024"),
    "pipeline_parallel_size": (_whole(1, 1024), "1 to 1024"),
    "quantization": (_or_none(_text), "a method vLLM knows (awq, gptq, fp8 ...) or null"),
    "gpu_memory_utilization": (
        lambda value: value is None or (value != 0 and _number(0, 1)(value)),
        "a share above 0, at most 1, or null",
    ),
    "max_model_len": (_or_none(_whole(16)), "a whole number of tokens of at least 16, or null for the model's own"),
    "max_num_seqs": (_whole(1, 1 << 16), "a whole number of at least 1"),
    "max_num_batched_tokens": (_or_none(_whole(16)), "a whole number of tokens of at least 16, or null"),
    "block_size": (_or_none(_whole(1, 1024)), "a whole number of tokens, or null"),
    "num_gpu_blocks_override": (_or_none(_whole(2)), "a whole number of KV blocks of at least 2, or null"),
    "kv_cache_gib": (_whole(1, 1 << 16), "a whole number of GiB (vLLM takes no fraction)"),
    "kv_cache_dtype": (_text, "auto, or a type vLLM knows (fp8 ...)"),
    "kv_offloading_size": (_or_none(_number(0)), "GiB, or null"),
    "cpu_offload_gb": (_number(0), "GiB, 0 for none"),
    "enable_prefix_caching": (_flag, "true or false"),
    "enforce_eager": (_or_none(_flag), "true, false or null"),
    "load_format": (_text, "auto, safetensors, dummy or another vLLM knows"),
    "trust_remote_code": (_flag, "true or false"),
    "seed": (_whole(0), "a whole number of at least 0"),
    "stall_timeout_s": (_number(0), "seconds, 0 for never"),
    "start_timeout_s": (_number(1), "seconds, at least 1"),
}


def _faults(config: VllmConfig) -> list[str]:
    values = asdict(config)
    return [
        f"{key} is {values[key]!r}: use {need}" for key, (accepts, need) in _RULES.items() if not accepts(values[key])
    ]


def _contradictions(config: VllmConfig) -> list[str]:
    """What each value allows alone and both together do not."""
    cpu = config.device == "cpu"
    checks = {
        "gpu_memory_utilization has no effect on a cpu: set kv_cache_gib": cpu and config.gpu_memory_utilization,
        "cpu_offload_gb and kv_offloading_size relieve a gpu: leave them out on a cpu": cpu
        and (config.cpu_offload_gb or config.kv_offloading_size),
        "block_size must be a multiple of 32 on a cpu": cpu and _whole(1)(config.block_size) and config.block_size % 32,  # type: ignore[operator]
    }
    return [text for text, is_wrong in checks.items() if is_wrong]
