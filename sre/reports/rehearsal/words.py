"""Figures of a rehearsal as people read them, in the same words on terminals and pages."""

from __future__ import annotations

from decimal import Decimal

from sre.reports.formats import NOT_AVAILABLE, count, money, number, percent, seconds
from sre.reports.rehearsal.comparison import Compared
from sre.reports.rehearsal.model import Rehearsal, Spread
from sre.reports.rehearsal.quantities import Quantity

_SHORT_S = 0.02


def told(one: Quantity, value: float | None, currency: str) -> str:
    """A value in the unit of its figure."""
    if value is None:
        return NOT_AVAILABLE
    if one.unit == "money":
        return money(Decimal(str(value)), currency)
    if one.unit == "burn":
        return f"{number(value)}x"
    if one.unit == "ratio":
        return percent(value)
    if one.unit == "s":
        return f"{value * 1000:.2f} ms" if 0 < abs(value) < _SHORT_S else seconds(value)
    return count(value)


def off_by(row: Compared) -> str:
    """`+12 %`; the difference itself where nothing was measured to relate it to."""
    if row.difference is not None:
        return f"{row.difference * 100:+.0f} %" if round(row.difference * 100) else "0 %"
    return NOT_AVAILABLE if row.predicted.value is None or row.measured.value is None else "from 0"


def mark(row: Compared) -> str:
    """Within tolerance or not; nothing to compare is said so."""
    if row.predicted.value is None and row.measured.value is None:
        return "both n/a"
    return "yes" if row.within else "no"


def span(one: Spread, currency: str) -> str:
    """`least to most`, or the one value that all seeds agree on."""
    if one.least is None or one.most is None:
        return NOT_AVAILABLE
    least, most = told(one.quantity, one.least, currency), told(one.quantity, one.most, currency)
    return least if least == most else f"{least} to {most}"


def verdict(rehearsal: Rehearsal) -> str:
    """What the drill would be."""
    report = rehearsal.report
    if report.verdict == "passed":
        return "would pass"
    known = f" as {report.subject.risk} says" if report.is_known and report.subject is not None else ""
    return f"would be {report.verdict}{known}"


def assumed(rehearsal: Rehearsal) -> tuple[str, ...]:
    """A line for each figure of the machine, with where it is from."""
    return tuple(
        f"{one.name} {seconds(one.value_s)}: "
        + (f"median of {one.n} in {_drills(one.source)}" if one.n else f"shipped, {one.source}")
        for one in rehearsal.assumptions
    )


def _drills(source: str) -> str:
    """Their names where they are few, else how many and the newest."""
    names = source.split(", ")
    return source if len(names) < 3 else f"{len(names)} drills, the newest {max(names)}"
