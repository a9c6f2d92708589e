"""Where a figure comes from. Every input and every line of a sum is measured or assumed, and says by whom or what."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class CostLine:
    """One part of a sum. `amount` is None, with `reason`, where it cannot be told. `is_billed`: somebody sends a bill for
    it (GPUs); lost revenue, credits and labour are not on any bill of the cloud and never in FOCUS rows. `formula` is
    in words and numbers: `12 failed requests x 0.02 USD`.
    """

    name: str
    amount: Decimal | None
    basis: Basis
    is_billed: bool
    formula: str
    source: str
    reason: str = ""


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
    def unknown(self) -> tuple[CostLine, ...]:
        return tuple(line for line in self.lines if line.amount is None)
