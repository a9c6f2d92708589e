"""Models and GPUs as data (`families/`): what planning profiles are built of, and how a run's names are understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_ENDINGS = ("-awq", "-gptq", "-bf16", "-dynamic", "-fp8", "-hf", "-chat", "-base", "-instruct")  # outermost first
_FOLDER = Path(__file__).resolve().parent / "families"


@dataclass(frozen=True, slots=True)
class ModelShape:
    """`parameters_b` are held in memory, `active_b` of them computed with for one token (all, but for experts)."""

    key: str
    title: str
    names: tuple[str, ...]
    parameters_b: float
    active_b: float
    layers: int
    hidden_size: int
    kv_heads: int
    head_dim: int
    family: bool


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, its link to the others, and the efficiencies assumed of it; `step_time_pct` is how far to trust them."""

    key: str
    title: str
    source: str
    hbm_gb: float
    hbm_gb_per_s: float
    tflops: float
    bandwidth_efficiency: float
    mfu: float
    per_sequence_ms: float
    activations_gb: float
    all_reduce_us: float
    hop_us: float
    link_gb_per_s: float
    step_time_pct: float


def _entries(name: str) -> Mapping[str, dict[str, Any]]:
    entries: Mapping[str, dict[str, Any]] = yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))
    return entries


@cache
def models() -> tuple[ModelShape, ...]:
    """Every model there is, in the file's order."""
    return tuple(
        ModelShape(
            key=key,
            names=tuple(entry["names"]),
            active_b=entry.get("active_b", entry["parameters_b"]),
            family=entry.get("family", False),
            **{
                name: entry[name] for name in ("title", "parameters_b", "layers", "hidden_size", "kv_heads", "head_dim")
            },
        )
        for key, entry in _entries("models.yaml").items()
    )


@cache
def gpus() -> tuple[Gpu, ...]:
    """Every GPU there is, in the file's order."""
    return tuple(Gpu(key=key, **entry) for key, entry in _entries("gpus.yaml").items())


def shape_named(model: str) -> ModelShape | None:
    """The model that a run calls so, whatever its organisation and precision; None for one that is not known."""
    name = model.rsplit("/", 1)[-1].lower().removeprefix("meta-")
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return next((shape for shape in models() if name in shape.names), None)
