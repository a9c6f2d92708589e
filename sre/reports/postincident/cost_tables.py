"""Sums of `sre.cost` as tables of the report: every line with its basis, its formula and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sre.cost.provenance import CostLine, CostSum, Input
from sre.reports.formats import NOT_AVAILABLE, money
from sre.reports.postincident.model import CostRow, CostTable, Source, Sourced

_NOWHERE = "the price book and finance.yaml"


def cost_tables(sums: Sequence[CostSum]) -> tuple[CostTable, ...]:
    return tuple(_table(one) for one in sums)


def _table(one: CostSum) -> CostTable:
    sources = tuple(dict.fromkeys(Source(line.source or _NOWHERE) for line in one.lines if line.amount is not None))
    return CostTable(
        title=one.title,
        currency=one.currency,
        total=_total(one, sources or (Source(_NOWHERE),)),
        rows=tuple(_row(line, one.currency) for line in one.lines),
        inputs=tuple(_input(given) for given in one.inputs),
        notes=(*one.notes, *_unknown(one)),
    )


def _total(one: CostSum, sources: tuple[Source, ...]) -> Sourced:
    if one.total is None:
        return Sourced(NOT_AVAILABLE, sources, "no line of it is known")
    return Sourced(money(one.total, one.currency) + _range(one.bounds, one.currency), sources)


def _range(bounds: tuple[Decimal, Decimal] | None, currency: str) -> str:
    if bounds is None or bounds[0] == bounds[1]:
        return ""
    return f" ({money(bounds[0], currency)} to {money(bounds[1], currency)})"


def _row(line: CostLine, currency: str) -> CostRow:
    source = (Source(line.source or _NOWHERE, line.formula),)
    if line.amount is None:
        amount = Sourced(NOT_AVAILABLE, source, line.reason or "not known")
    else:
        amount = Sourced(money(line.amount, currency), source)
    return CostRow(line.name, amount, line.basis, line.is_billed, line.formula)


def _input(given: Input) -> CostRow:
    text = f"{given.value.normalize():f} {given.unit}".strip()
    if given.low is not None or given.high is not None:
        low, high = given.bounds
        text += f" ({low.normalize():f} to {high.normalize():f})"
    return CostRow(given.name, Sourced(text, (Source(given.source or _NOWHERE),)), given.basis, False, "")


def _unknown(one: CostSum) -> tuple[str, ...]:
    names = ", ".join(line.name for line in one.unknown)
    return (f"Not in the total, because not known: {names}.",) if names else ()
