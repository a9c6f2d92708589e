"""Sampling parameters of one request: the JSON in the tensor `sampling_parameters`, checked (docs/contracts.md)."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serving.errors import BadInput

DEFAULT_MAX_TOKENS = 256
"""Chat-like; OpenAI's completions default of 16 would cut most answers."""


@dataclass(frozen=True, slots=True)
class Resume:
    """What the client already has of the answer: so many tokens, their text, and ids where the engine tells them."""

    output_tokens: int
    text: str = ""
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """Lower `priority` goes first; `deadline_at` is Unix time, seconds. None leaves a value to the engine.

    The emulated engine accepts `seed`, `temperature`, `top_p` and the penalties, and they change nothing on it.
    """

    max_tokens: int = DEFAULT_MAX_TOKENS
    ignore_eos: bool = False
    stop: tuple[str, ...] = ()
    priority: int = 0
    seed: int | None = None
    deadline_at: float | None = None
    temperature: float | None = None
    top_p: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    resume: Resume | None = None

    @property
    def resumed_tokens(self) -> int:
        return self.resume.output_tokens if self.resume else 0


def _is_integer(value: object) -> bool:
    return type(value) is int


def _is_number(value: object, low: float, high: float) -> bool:
    return value is None or (type(value) in {int, float} and low <= float(value) <= high)  # type: ignore[arg-type]


def _is_stop(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(entry, str) and entry for entry in value)


def _is_resume(value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, dict) or not value.keys() <= {"output_tokens", "text", "token_ids"}:
        return False
    ids = value.get("token_ids")
    return (
        _is_integer(value.get("output_tokens"))
        and value["output_tokens"] >= 0
        and isinstance(value.get("text", ""), str)
        and (ids is None or (isinstance(ids, list) and all(map(_is_integer, ids))))
    )


_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "max_tokens": (lambda value: _is_integer(value) and value >= 1, "a whole number of at least 1"),
    "ignore_eos": (lambda value: isinstance(value, bool), "true or false"),
    "stop": (_is_stop, "a list of strings, none empty"),
    "priority": (_is_integer, "a whole number, lower goes first"),
    "seed": (lambda value: value is None or _is_integer(value), "a whole number or null"),
    "deadline_at": (lambda value: _is_number(value, 0, sys.float_info.max), "Unix time in seconds, or null"),
    "temperature": (lambda value: _is_number(value, 0, 2), "a number from 0 to 2, or null"),
    "top_p": (lambda value: value != 0 and _is_number(value, 0, 1), "a number above 0, at most 1, or null"),
    "presence_penalty": (lambda value: _is_number(value, -2, 2), "a number from -2 to 2, or null"),
    "frequency_penalty": (lambda value: _is_number(value, -2, 2), "a number from -2 to 2, or null"),
    "resume": (_is_resume, '{"output_tokens": n, "text": "...", "token_ids": [...]} with n of at least 0, or null'),
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
    data["resume"] = _resume(data.get("resume"), data.get("max_tokens", DEFAULT_MAX_TOKENS))
    return Sampling(**data)


def _resume(given: Mapping[str, Any] | None, max_tokens: int) -> Resume | None:
    if given is None:
        return None
    resume = Resume(given["output_tokens"], given.get("text", ""), tuple(given.get("token_ids") or ()))
    if resume.output_tokens > max_tokens:
        raise BadInput(
            f"sampling_parameters: resume.output_tokens is {resume.output_tokens}, more than max_tokens {max_tokens}: "
            "max_tokens counts the whole answer"
        )
    return resume


def _fault(key: str, value: object) -> str | None:
    if key not in _RULES:
        return f"{key} is unknown: known are {', '.join(_RULES)}"
    accepts, need = _RULES[key]
    return None if accepts(value) else f"{key} is {json.dumps(value)}: send {need}"
