"""Amounts as a briefing says them: signed, and no more exact than what they rest on."""

from __future__ import annotations

from decimal import Decimal

from sre.reports.formats import NOT_AVAILABLE, money

_DIGITS = 3


def signed(amount: Decimal | None, currency: str) -> str:
    """An amount that may be negative: `-$40.00`."""
    return f"-{money(-amount, currency)}" if amount is not None and amount < 0 else money(amount, currency)


def simulated(amount: Decimal | None, currency: str) -> str:
    """Three significant digits, no cents from 100 on: `$154,000`, `-$2,270`, `$12.30`. More would be made up."""
    if amount is None:
        return NOT_AVAILABLE
    rounded = Decimal(f"{amount:.{_DIGITS}g}") if amount else Decimal(0)
    said = signed(rounded, currency)
    return said.removesuffix(".00") if abs(rounded) >= 100 else said
