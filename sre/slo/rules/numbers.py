"""Numbers as rules and annotations write them, the same on every machine."""

from __future__ import annotations


def number(value: float) -> str:
    """Twelve digits: 1 - 0.999 is written 0.001, not 0.0010000000000000009."""
    return f"{value:.12g}"


def percent(share: float) -> str:
    """A share in percent with at most four digits, `2 %`."""
    return f"{share * 100:.4g} %"
