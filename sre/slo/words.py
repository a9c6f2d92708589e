"""Budgets and durations as a manager reads them: one way for each, in `sre slo status`, `gate` and the rules' texts."""

from __future__ import annotations

_UNITS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def percent(share: float | None) -> str:
    """`71 %`, `2.4 %`, `0.03 %`, `-31 %`; never rounds what is left of a budget to 0 or to all of it."""
    if share is None:
        return "n/a"
    value = share * 100
    if value == 0 or abs(value) >= 10:
        text = f"{value:.0f}"
        return f"{text} %" if text != "100" or share >= 1 else f"{value:.2f} %"
    return f"{value:.2g} %"


def band(error_band: tuple[float, float]) -> str:
    """(least, most) of an error ratio as what was good: `between 97.1 % and 99.0 % good`, never one figure twice."""
    least, most = (100 * (1 - error) for error in reversed(error_band))
    digits = next((n for n in range(1, 6) if f"{least:.{n}f}" != f"{most:.{n}f}"), 6)
    if most < 100:  # what is not known to be all is not rounded to it
        digits = next((n for n in range(digits, 6) if float(f"{most:.{n}f}") < 100), 6)
    return f"between {least:.{digits}f} % and {most:.{digits}f} % good"


def span(seconds: float) -> str:
    """At most two units, rounded down: `2 d 2 h`, `14 min`, `0 s`."""
    whole, parts = max(int(seconds), 0), []
    for unit, size in _UNITS:
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def times(burn: float | None) -> str:
    """A burn rate: `0.4x`, `14x`; `-` without events."""
    return "-" if burn is None else f"{burn:.3g}x" if burn < 100 else f"{burn:,.0f}x"
