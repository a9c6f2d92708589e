"""Prometheus's template functions, as far as our annotations use them: a promtool test states the text it expects."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_EVEN, Decimal

_CALL = re.compile(
    r'\{\{ printf "(?P<format>[^"]*)" \$value(?P<query> \| query \| first \| value \| (?P<shown>\w+))? \}\}'
)
_SHARE = re.compile(r"%f \* ([0-9.e+]+) / ([0-9.e+]+)")
_LASTS = re.compile(r"round\(vector\(([0-9.e+]+) / %f\)\)")


def expanded(text: str, value: float) -> str:
    """The annotation as Prometheus writes it when `$value` is `value`."""
    return _CALL.sub(lambda call: _one(call, value), text).replace('{{ "{{" }}', "{{")


def _one(call: re.Match[str], value: float) -> str:
    if call["query"] is None:
        return call["format"].replace("%.1f", f"{value:.1f}")
    printed = float(f"{value:f}")
    if share := _SHARE.fullmatch(call["format"]):
        return humanize_percentage(printed * float(share[1]) / float(share[2]))
    if lasts := _LASTS.fullmatch(call["format"]):
        return humanize_duration(math.floor(float(lasts[1]) / printed + 0.5))
    raise ValueError(f"an annotation asks what is not emulated here: {call.group()}")


def humanize_percentage(share: float) -> str:
    """`humanizePercentage`: four significant digits."""
    return f"{_significant(share * 100)}%"


def humanize_duration(seconds: float) -> str:
    """`humanizeDuration` of whole seconds: `2d 2h 0m 0s`, with nothing before the first unit that counts."""
    whole = int(seconds)
    days, hours, minutes, left = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{days}d {hours}h {minutes}m {left}s"
    if hours:
        return f"{hours}h {minutes}m {left}s"
    return f"{minutes}m {left}s" if minutes else f"{left}s"


def _significant(value: float) -> str:
    """Go's `%.4g`: exponents from 1e+04 on and below 1e-04."""
    if value == 0:
        return "0"
    exact = Decimal(value)
    rounded = exact.quantize(Decimal(1).scaleb(exact.adjusted() - 3), rounding=ROUND_HALF_EVEN)
    return f"{float(rounded):.4g}"
