"""Rounding that keeps sums: parts are rounded so that they add up to the rounded whole, by largest remainder.

Rounding each part on its own makes a table whose lines do not add up to its last one; finance sends those back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction

MOST_EXACT = Decimal("0.000000000001")
"""To what amounts are kept: far below a cent, and the same for the parts and the bill."""
CENT = Decimal("0.01")
_DIGITS = 60


def rounded(amount: Fraction | Decimal, quantum: Decimal = MOST_EXACT) -> Decimal:
    """The nearest multiple of `quantum`, a tie to the even one."""
    return _times(round(Fraction(amount) / Fraction(quantum)), quantum)


def apportioned(parts: Sequence[Fraction | Decimal], quantum: Decimal = MOST_EXACT) -> tuple[Decimal, ...]:
    """The parts as multiples of `quantum` whose sum is `rounded(sum(parts))`; each is off by less than one `quantum`.

    What rounding down leaves goes to the largest remainders, to the first of equal ones (Hamilton's method). A part
    of 0 stays 0. Parts are not negative.
    """
    exact = [Fraction(part) / Fraction(quantum) for part in parts]
    down = [value.numerator // value.denominator for value in exact]
    left = round(sum(exact, Fraction(0))) - sum(down)
    by_remainder = sorted(range(len(exact)), key=lambda i: (down[i] - exact[i], i))
    extra = frozenset(by_remainder[:left])
    return tuple(_times(units + (i in extra), quantum) for i, units in enumerate(down))


def divided(whole: Decimal, weights: Sequence[Fraction], quantum: Decimal = MOST_EXACT) -> tuple[Decimal, ...]:
    """`whole`, a multiple of `quantum`, in parts as the weights are: multiples whose sum is `whole` exactly.

    As `apportioned`, for a whole that was rounded before. Without any weight the first part gets all.
    """
    units = Fraction(whole) / Fraction(quantum)
    sum_of_weights = sum(weights, Fraction(0))
    if not sum_of_weights:
        return (whole, *(Decimal(0) for _ in weights[1:]))
    exact = [units * weight / sum_of_weights for weight in weights]
    return apportioned([part * Fraction(quantum) for part in exact], quantum)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum, whatever the precision of the caller's decimal context."""
    with localcontext() as context:
        context.prec = _DIGITS
        return sum(amounts, Decimal(0))


def _times(units: int, quantum: Decimal) -> Decimal:
    if not units:
        return Decimal(0)  # not 0E-12, which no reader of a file wants to see
    with localcontext() as context:
        context.prec = _DIGITS
        return units * quantum
