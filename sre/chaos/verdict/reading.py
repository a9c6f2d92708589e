"""Whether a reading is one at all: Chaos Toolkit takes NaN and None where a tolerance happens to let them through."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def unreadable(output: Any) -> str | None:
    """What is wrong with a probe's output, e.g. `NaN`; None for a reading."""
    return "nothing" if output is None else not_finite(output)


def not_finite(output: Any) -> str | None:
    """`NaN` or `infinity` when one is anywhere in the output."""
    if isinstance(output, float) and not math.isfinite(output):
        return "NaN" if math.isnan(output) else "infinity"
    inside: tuple[Any, ...] = ()
    if isinstance(output, Mapping):
        inside = tuple(output.values())
    elif isinstance(output, list | tuple):
        inside = tuple(output)
    return next((found for item in inside if (found := not_finite(item)) is not None), None)


def contradicts(tolerance: Any, output: Any) -> bool:
    """Whether a reading is outside a tolerance that is simple enough to be sure: a bool, a number, a range.

    Of the rest (patterns, probes, text with variables) the toolkit's word is taken.
    """
    if isinstance(tolerance, Mapping) and tolerance.get("type") == "range" and "target" not in tolerance:
        tolerance = tolerance.get("range")
    if isinstance(output, Mapping):
        output = output.get("status")
        if output is None:
            return False
    if isinstance(tolerance, bool | int):
        return bool(output != tolerance)
    if isinstance(tolerance, list) and len(tolerance) == 2 and all(isinstance(b, int | float) for b in tolerance):
        if isinstance(output, int | float):
            return not tolerance[0] <= output <= tolerance[1]
        return True
    return False


def shown(output: Any) -> str:
    """A reading for people, short."""
    text = f"{output:.4g}" if isinstance(output, float) else repr(output)
    return text if len(text) <= 200 else f"{text[:200]}..."


def tolerated(tolerance: Any) -> str:
    """A tolerance for people."""
    if isinstance(tolerance, Mapping) and tolerance.get("type") == "range":
        tolerance = tolerance.get("range")
    if isinstance(tolerance, list) and len(tolerance) == 2:
        return f"{tolerance[0]} to {tolerance[1]}"
    return shown(tolerance)
