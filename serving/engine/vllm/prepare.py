"""Everything a platform does once before its replicas can run vLLM: find it, make the tiny model, check what fits."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from serving.engine.vllm.capacity import Capacity, read_model, require_fits
from serving.engine.vllm.config import VllmConfig
from serving.engine.vllm.environment import find_vllm_env
from serving.errors import BadInput, EnvironmentLacks

TINY = VllmConfig(max_model_len=2048, num_gpu_blocks_override=128)
"""The tiny model's defaults: 16,384 tokens of KV cache, 64 MiB."""
_TINY_SCRIPT = Path(__file__).resolve().with_name("tiny.py")
_TINY_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class VllmPlan:
    """What the replicas of one platform share: vLLM's Python, the written configuration, and what a replica holds.

    `capacity` is None on a GPU, whose memory is asked at the start of the engine.
    """

    python: Path
    config_path: Path
    config: VllmConfig
    capacity: Capacity | None


def prepare_vllm(
    directory: Path,
    config: VllmConfig | None = None,
    *,
    python: Path | None = None,
    replicas: int = 1,
    memory_bytes: int | None = None,
) -> VllmPlan:
    """Write `vllm.json` (and the tiny model, when the configuration names none) below `directory`.

    `memory_bytes` is the host memory the replicas may fill together (None: what is free now). Raises EnvironmentLacks
    without vLLM, BadInput for a model that is none or does not fit.
    """
    python = python or find_vllm_env()
    config = config or TINY
    directory.mkdir(parents=True, exist_ok=True)
    if config.model is None:
        config = with_tiny_model(config, make_tiny_model(directory / "tiny", python))
    path = Path(str(config.model)).resolve()
    if config.device == "cpu" and config.effective_dtype in {"bfloat16", "auto"} and _has_amx():
        raise BadInput(
            f"vllm: dtype is {config.effective_dtype!r}: vLLM's bfloat16 kernels die on this processor (AMX): "
            "use float32"
        )
    config = replace(config, model=str(path))
    model = read_model(path, config)
    capacity = None
    if config.device == "cpu":
        free = memory_bytes if memory_bytes is not None else _free_memory_bytes()
        capacity = require_fits(model, config, memory_bytes=free // max(1, replicas))
    target = directory / "vllm.json"
    _write(target, config.to_json())
    return VllmPlan(python, target.resolve(), config, capacity)


def with_tiny_model(config: VllmConfig, model: Path) -> VllmConfig:
    """`config` on the tiny model, with its defaults where nothing else is asked for."""
    return replace(
        config,
        model=str(model),
        max_model_len=config.max_model_len or TINY.max_model_len,
        num_gpu_blocks_override=config.num_gpu_blocks_override or TINY.num_gpu_blocks_override,
    )


def make_tiny_model(directory: Path, python: Path) -> Path:
    """The tiny model in `directory`, made by vLLM's environment unless it is there. Returns the directory."""
    done = directory / "model.safetensors"
    if done.is_file():
        return directory
    try:
        made = subprocess.run(
            [str(python), "-I", str(_TINY_SCRIPT), str(directory)],
            check=False,
            capture_output=True,
            text=True,
            timeout=_TINY_TIMEOUT_S,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentLacks(f"vLLM: the tiny model was not made ({error}): run `make setup-vllm`") from error
    if made.returncode != 0 or not done.is_file():
        last = (made.stderr.strip().splitlines() or ["no output"])[-1]
        raise EnvironmentLacks(f"vLLM: the tiny model was not made ({last}): run `make setup-vllm`")
    return directory


def _free_memory_bytes() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


def _has_amx() -> bool:
    try:
        return " amx_tile" in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)
