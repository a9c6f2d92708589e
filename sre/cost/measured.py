"""A quantity that was counted or timed, or could not be, and the sums made of quantity x value.

`Measure` is what evidence gives; `Input` is what finance gives. A line needs both, and is n/a with the first reason
that stands in its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sre.cost.provenance import CostLine, Input, weakest


@dataclass(frozen=True, slots=True)
class Measure:
    """`value` in `unit` as `source` says it (file, query); None, with `reason`, where nobody measured it."""

    value: Decimal | None
    unit: str
    source: str
    reason: str = ""


def measured(value: float | Decimal, unit: str, source: str) -> Measure:
    """A measure that is known."""
    return Measure(value if isinstance(value, Decimal) else Decimal(str(value)), unit, source)


def unknown(name: str, reason: str, *, is_billed: bool, source: str = "") -> CostLine:
    """A line that cannot be told."""
    return CostLine(name, None, "measured", is_billed, "", source, reason)


def product(
    name: str, count: Measure, factors: tuple[Input | None, ...], *, missing: str, is_billed: bool = False
) -> CostLine:
    """`count` x every factor. A measured count of 0 is 0, whatever it would be multiplied with; a factor that is None
    makes the line n/a with the reason `missing`.
    """
    if count.value is None:
        return unknown(name, count.reason, is_billed=is_billed, source=count.source)
    if count.value == 0:
        return CostLine(name, Decimal(0), "measured", is_billed, f"0 {count.unit}", count.source)
    known = [factor for factor in factors if factor is not None]
    if len(known) < len(factors):
        return unknown(name, missing, is_billed=is_billed, source=count.source)
    amount = low = high = count.value
    for factor in known:
        amount, low, high = amount * factor.value, low * factor.bounds[0], high * factor.bounds[1]
    has_bounds = any(factor.low is not None or factor.high is not None for factor in known)
    words = " x ".join((f"{shown(count.value)} {count.unit}", *(f"{shown(f.value)} {f.unit}" for f in known)))
    return CostLine(
        name=name,
        amount=amount,
        basis=weakest(known),
        is_billed=is_billed,
        formula=words,
        source="; ".join(dict.fromkeys((count.source, *(f.name for f in known)))),
        low=low if has_bounds else None,
        high=high if has_bounds else None,
    )


def shown(value: Decimal) -> str:
    """A number in a formula: up to six significant digits, no exponent, no trailing zeros."""
    rounded = Decimal(f"{value:.6g}") if abs(value) < 1_000_000 else value.quantize(Decimal(1))
    text = f"{rounded:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
