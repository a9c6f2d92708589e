"""Sampling parameters of one request: the JSON in the tensor `sampling_parameters`, checked (docs/contracts.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.errors import BadInput

DEFAULT_MAX_TOKENS = 256
"""Chat-like; OpenAI's completions default of 16 would cut most answers."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Lower `priority` goes first. `seed` is accepted and changes nothing on the emulated engine."""

    max_tokens: int = DEFAULT_MAX_TOKENS
    ignore_eos: bool = False
    stop: tuple[str, ...] = ()
    priority: int = 0
    seed: int | None = None


def _is_integer(value: object) -> bool:
    return type(value) is int


def _is_stop(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) and entry for entry in value)


_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "max_tokens": (lambda value: _is_integer(value) and value >= 1, "a whole number of at least 1"),
    "ignore_eos": (lambda value: isinstance(value, bool), "true or false"),
    "stop": (_is_stop, "a list of strings, none empty"),
    "priority": (_is_integer, "a whole number, lower goes first"),
    "seed": (lambda value: value is None or _is_integer(value), "a whole number or null"),
}


def parse_sampling(text: str) -> Sampling:
    """Parse the tensor's JSON (empty text means all defaults). Raises BadInput naming every fault."""
    try:
        data = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise BadInput(f"sampling_parameters: not JSON ({error}): send an object such as {{}}") from error
    if not isinstance(data, dict):
        raise BadInput(f"sampling_parameters: {type(data).__name__} instead of an object: send one such as {{}}")
    faults = [fault for key, value in data.items() if (fault := _fault(key, value))]
    if faults:
        raise BadInput(f"sampling_parameters: {'; '.join(faults)}")
    data["stop"] = tuple(data.get("stop", ()))
    return Sampling(**data)


def _fault(key: str, value: object) -> str | None:
    if key not in _RULES:
        return f"{key} is unknown: known are {', '.join(_RULES)}"
    accepts, need = _RULES[key]
    return None if accepts(value) else f"{key} is {json.dumps(value)}: send {need}"
