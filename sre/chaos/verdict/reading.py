"""Whether a reading is one at all: Chaos Toolkit takes NaN and None where a tolerance happens to let them through."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

TRUSTED = frozenset({"probe", "regex", "jsonpath"})


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
    """Whether a reading that is said to be tolerated cannot be: what the toolkit does for values, lists and ranges.

    Of patterns, paths, probes and text with variables the toolkit's word is taken.
    """
    if isinstance(tolerance, Mapping):
        kind = tolerance.get("type")
        if kind != "range":
            return kind not in TRUSTED
        if "target" in tolerance:
            return False
        tolerance, output = tolerance.get("range"), (output if isinstance(output, int | float) else None)
    elif isinstance(output, Mapping) and "status" in output:  # of an HTTP or a process probe
        output = output["status"]
    if isinstance(tolerance, list):
        return not _is_in(tolerance, output)
    if isinstance(tolerance, str) and "${" in tolerance:
        return False
    return not isinstance(tolerance, bool | int | str) or bool(output != tolerance)


def _is_in(bounds: Sequence[Any], output: Any) -> bool:
    try:
        return bool(bounds[0] <= output <= bounds[1]) if len(bounds) == 2 else output in bounds
    except TypeError:
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
