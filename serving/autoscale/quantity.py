"""Kubernetes quantities (`500m`, `2`, `1k`, `1.5Gi`) as exact numbers.

The autoscaler reckons in thousandths, as Kubernetes does (`MilliValue`, rounded up): float ratios would round 1.1 x 10
up to 12 replicas.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from fractions import Fraction
from types import MappingProxyType

_FORM = re.compile(r"(?P<number>[+-]?(?:\d+(?:\.\d*)?|\.\d+))(?P<suffix>[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d{1,2})?")
_SUFFIXES: Mapping[str, Fraction] = MappingProxyType(
    {
        **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
        **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", start=1)},
        **{letter: Fraction(1, 1000**power) for power, letter in enumerate("mun", start=1)},
    }
)


def parse_quantity(text: str) -> Fraction:
    """The number a quantity stands for. Raises ValueError for anything else."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no Kubernetes quantity")
    number, suffix = Fraction(found["number"]), found["suffix"] or ""
    if suffix in _SUFFIXES:
        return number * _SUFFIXES[suffix]
    return number * Fraction(10) ** int(suffix[1:] or 0) if suffix else number


def milli(value: Fraction | float) -> int:
    """Thousandths, rounded up as `resource.Quantity.MilliValue` does."""
    exact = value if isinstance(value, Fraction) else Fraction(repr(value))  # the digits written, not the binary float
    return math.ceil(exact * 1000)
