"""Engine parameters of a replica, from the `parameters` section of its model configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.errors import BadInput

ENGINES = ("emulated",)


@dataclass(frozen=True, slots=True)
class EngineParameters:
    """`time_scale` stretches the profile's step times; `replica` is the name in log lines."""

    engine: str
    profile: str
    time_scale: float
    replica: str


def parse_parameters(model_config: str) -> EngineParameters:
    """Read Triton's model configuration (JSON text). Raises BadInput, one line, for a missing or wrong parameter."""
    given: Mapping[str, Any] = json.loads(model_config).get("parameters", {})
    values = {key: str(entry.get("string_value", "")) for key, entry in given.items()}
    missing = [key for key in ("engine", "profile", "time_scale", "replica") if not values.get(key)]
    if missing:
        raise BadInput(f"config.pbtxt: parameters: {', '.join(missing)} missing: copy serving/model_repository/llm")
    if values["engine"] not in ENGINES:
        raise BadInput(f"config.pbtxt: parameters: engine is {values['engine']!r}: use {' or '.join(ENGINES)}")
    return EngineParameters(values["engine"], values["profile"], _time_scale(values["time_scale"]), values["replica"])


def _time_scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise BadInput(f"config.pbtxt: parameters: time_scale is {text!r}: use a number above 0 (1 is real time)")
    return value
