"""What makes a series the same series in every source: sorted labels, no empty ones, bucket bounds written one way.

Exporters write the bound 1 as `1` or `1.0`, Prometheus 3 rewrites it to `1.0`, Prometheus 2 keeps it. So that an
upgrade does not end every bucket, `le` is brought to the spelling of Prometheus 3, and compared as a number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache

from sre.metrics.model import SeriesId

BOUND_LABEL = "le"


def series_id(name: str, labels: Iterable[tuple[str, str]]) -> SeriesId:
    """The identity every source gives a series. An empty label value counts as no label, as in Prometheus."""
    pairs = ((label, canonical_bound(value) if label == BOUND_LABEL else value) for label, value in labels if value)
    return SeriesId(name, tuple(sorted(pairs)))


@lru_cache(maxsize=4096)
def canonical_bound(text: str) -> str:
    """A bucket bound as Prometheus 3 and OpenMetrics write it (`1.0`, `0.5`, `1e+06`, `+Inf`); other text unchanged."""
    value = bound_value(text)
    if value is None:
        return text
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    power = len(digits) + int(exponent) - 1
    if value != 0 and not -4 <= power < 6:  # where Go's shortest format changes to exponents
        mantissa = str(digits[0]) + ("." + "".join(map(str, digits[1:])) if len(digits) > 1 else "")
        return f"{'-' if sign else ''}{mantissa}e{power:+03d}"
    return repr(value)


@lru_cache(maxsize=4096)
def bound_spellings(text: str) -> tuple[str, ...]:
    """Every way a bound is written in the wild, the canonical one first; text that is no number has only itself."""
    value = bound_value(text)
    if value is None:
        return (text,)
    if math.isinf(value):
        return ("+Inf", "Inf", "+inf", "inf") if value > 0 else ("-Inf", "-inf")
    plain = format(Decimal(repr(value)).normalize(), "f")
    spellings = (canonical_bound(text), plain, plain if "." in plain else plain + ".0", repr(value), text)
    return tuple(dict.fromkeys(spellings))


def bound_value(text: str) -> float | None:
    """The bound as a number; None for text that is none (NaN bounds nothing)."""
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value
