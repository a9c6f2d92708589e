"""Numbers as people read them: one way for each quantity, everywhere in a report. Unknown is `n/a`."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal

NOT_AVAILABLE = "n/a"
_SYMBOLS = (("USD", "$"), ("EUR", "€"), ("GBP", "£"))


def seconds(value: float | None) -> str:
    """An elapsed time: `84 ms`, `1.84 s`, `12.8 s`, `124 s`, `12 min 4 s`."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    size = abs(value)
    if size < 0.9995:
        return f"{value * 1000:.0f} ms"
    if size < 9.995:
        return f"{value:.2f} s"
    if size < 99.95:
        return f"{value:.1f} s"
    if size < 599.5:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s"


def window(value: float) -> str:
    """A window of an alert rule, exact and short: `1 h`, `5 min`, `3 d`, `60 s`, `5 s`, `0.5 s`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if (value >= 2 * size and value % size == 0) or (value == size and unit != "min"):
            return f"{value / size:.0f} {unit}"
    return f"{value:.4g} s"


def offset(at: float | None, zero: float) -> str:
    """An instant relative to `zero`: `+12.3 s`."""
    return NOT_AVAILABLE if at is None else f"{at - zero:+.2f} s"


def clock(at: float) -> str:
    """Time of day, UTC, to the millisecond."""
    return datetime.fromtimestamp(round(at, 3), UTC).strftime("%H:%M:%S.%f")[:-3]


def date_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def date(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def percent(ratio: float | None, digits: int = 2) -> str:
    """A ratio as a percentage; never rounds a failure away: 0.99999 is not shown as 100 %."""
    if ratio is None or not math.isfinite(ratio):
        return NOT_AVAILABLE
    text = f"{ratio * 100:.{digits}f}"
    wrong = (ratio < 1 and float(text) >= 100) or (ratio > 0 and float(text) == 0)
    return f"{ratio * 100:.3g} %" if wrong and ratio < 0.5 else f"{ratio * 100:.6f} %" if wrong else f"{text} %"


def target(ratio: float) -> str:
    """An objective without trailing zeros: `99.9 %`."""
    return f"{ratio * 100:.6g} %"


def count(value: float | None) -> str:
    """Events, with thousands separators; fractions only where a counter was extrapolated."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    return f"{value:,.0f}" if abs(value - round(value)) < 0.05 else f"{value:,.1f}"


def number(value: float | None) -> str:
    """A plain number to four digits."""
    return NOT_AVAILABLE if value is None or not math.isfinite(value) else f"{value:,.4g}"


def money(amount: Decimal | None, currency: str) -> str:
    """An amount: cents from 1 on, below that two significant digits, so that a drill's small sums stay visible."""
    if amount is None:
        return NOT_AVAILABLE
    symbol = dict(_SYMBOLS).get(currency, f"{currency} ")
    if amount == 0 or abs(amount) >= 1:
        return f"{symbol}{amount:,.2f}"
    digits = min(8, max(2, 1 - amount.adjusted()))
    return f"{symbol}{amount:.{digits}f}"


def multiple(value: float | None) -> str:
    """How many times something: `0.48x`, `14.4x`."""
    return NOT_AVAILABLE if value is None or not math.isfinite(value) else f"{value:,.3g}x"


def plural(n: int, word: str) -> str:
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"
