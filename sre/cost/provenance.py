"""Where a figure comes from. Every input and every line of a sum is measured or assumed, and says by whom or what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Basis = Literal["measured", "assumed"]


@dataclass(frozen=True, slots=True)
class Input:
    """A number that goes into a sum. `low` and `high` bound it where it is not known exactly; `source` is a file, a
    query, a published page with its date, or who said so.
    """

    name: str
    value: Decimal
    unit: str
    basis: Basis
    source: str
    low: Decimal | None = None
    high: Decimal | None = None

    @property
    def bounds(self) -> tuple[Decimal, Decimal]:
        """(low, high); the value itself where a bound is not given."""
        return self.value if self.low is None else self.low, self.value if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class CostLine:
    """One part of a sum. `amount` is None, with `reason`, where it cannot be told. `is_billed`: somebody sends a bill
    for it (GPUs); lost revenue, credits and labour are not on any bill of the cloud and never in FOCUS rows. `formula`
    is in words and numbers: `12 failed requests x 0.02 USD`. `low` and `high` bound an amount that rests on inputs with
    a range; None where the amount is exact.
    """

    name: str
    amount: Decimal | None
    basis: Basis
    is_billed: bool
    formula: str
    source: str
    reason: str = ""
    low: Decimal | None = None
    high: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CostSum:
    """What something cost, in one currency: the sum of the known lines. Unknown lines are named, never counted as 0."""

    title: str
    currency: str
    lines: tuple[CostLine, ...]
    inputs: tuple[Input, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> Decimal | None:
        """None when no line is known."""
        known = [line.amount for line in self.lines if line.amount is not None]
        return sum(known, Decimal(0)) if known else None

    @property
    def bounds(self) -> tuple[Decimal, Decimal] | None:
        """(low, high) of the total, every known line at its own bound; None when no line is known."""
        known = [line for line in self.lines if line.amount is not None]
        if not known:
            return None
        lows = (line.amount if line.low is None else line.low for line in known)
        highs = (line.amount if line.high is None else line.high for line in known)
        return _sum(lows), _sum(highs)

    def part(self, *, is_billed: bool) -> Decimal | None:
        """The sum of the known lines that are, or are not, on somebody's bill; None when none of them is known."""
        known = [line.amount for line in self.lines if line.is_billed is is_billed and line.amount is not None]
        return _sum(known) if known else None

    @property
    def unknown(self) -> tuple[CostLine, ...]:
        return tuple(line for line in self.lines if line.amount is None)


def _sum(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((amount for amount in amounts if amount is not None), Decimal(0))


def weakest(inputs: Iterable[Input]) -> Basis:
    """What a figure made of inputs rests on: measured only where each of them is."""
    return "measured" if all(one.basis == "measured" for one in inputs) else "assumed"
