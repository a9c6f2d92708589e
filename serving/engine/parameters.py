"""Engine parameters of a replica, from the `parameters` section of its model configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from serving.batching import SchedulerConfig
from serving.errors import BadInput

ENGINES = ("emulated",)
LIMITS = ("max_num_seqs", "max_num_batched_tokens")
"""Of the scheduler, vLLM's names: what a profile says can be overruled."""


@dataclass(frozen=True, slots=True)
class EngineParameters:
    """`time_scale` stretches the profile's step times; `replica` is the name in log lines.

    `cold_start_scale` stretches the profile's cold start; 0 is none. `limits` are those of the profile's scheduler that
    are others here, by name.
    """

    engine: str
    profile: str
    time_scale: float
    replica: str
    cold_start_scale: float = 0.0
    prefix_caching: bool = True
    limits: Mapping[str, int] = field(default_factory=dict)

    def scheduler(self, of_profile: SchedulerConfig) -> SchedulerConfig:
        """The profile's scheduler as it is to be here. Raises BadInput when its limits contradict each other."""
        return replace(of_profile, enable_prefix_caching=self.prefix_caching, **self.limits)


def parse_parameters(model_config: str) -> EngineParameters:
    """Read Triton's model configuration (JSON text). Raises BadInput, one line, for a missing or wrong parameter."""
    given: Mapping[str, Any] = json.loads(model_config).get("parameters", {})
    values = {key: str(entry.get("string_value", "")) for key, entry in given.items()}
    missing = [key for key in ("engine", "profile", "time_scale", "replica") if not values.get(key)]
    if missing:
        raise BadInput(f"config.pbtxt: parameters: {', '.join(missing)} missing: copy serving/model_repository/llm")
    if values["engine"] not in ENGINES:
        raise BadInput(f"config.pbtxt: parameters: engine is {values['engine']!r}: use {' or '.join(ENGINES)}")
    return EngineParameters(
        engine=values["engine"],
        profile=values["profile"],
        time_scale=_time_scale(values["time_scale"]),
        replica=values["replica"],
        cold_start_scale=_cold_start_scale(values.get("cold_start_scale", "0")),
        prefix_caching=_flag("prefix_caching", values.get("prefix_caching", "true")),
        limits={name: _limit(name, values[name]) for name in LIMITS if values.get(name)},
    )


def _time_scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise BadInput(f"config.pbtxt: parameters: time_scale is {text!r}: use a number above 0 (1 is real time)")
    return value


def _cold_start_scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise BadInput(
            f"config.pbtxt: parameters: cold_start_scale is {text!r}: use 0 (no cold start) or more (1 is real time)"
        )
    return value


def _limit(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= 1):
        raise BadInput(f"config.pbtxt: parameters: {name} is {text!r}: use a whole number from 1, or none")
    return int(text)


def _flag(name: str, text: str) -> bool:
    if text not in {"true", "false"}:
        raise BadInput(f"config.pbtxt: parameters: {name} is {text!r}: use true or false")
    return text == "true"
