"""Sums of `sre.cost` as tables of the report: every line with its basis, its formula and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sre.cost.provenance import CostLine, CostSum, Input
from sre.reports.formats import NOT_AVAILABLE, money
from sre.reports.postincident.model import CostRow, CostTable, Source, Sourced

_NOWHERE = "the price book and finance.yaml"


def cost_tables(sums: Sequence[CostSum]) -> tuple[CostTable, ...]:
    """An input that several sums rest on is shown with the first of them."""
    shown: set[Input] = set()
    tables = []
    for one in sums:
        tables.append(_table(one, [given for given in one.inputs if given not in shown]))
        shown.update(one.inputs)
    return tuple(tables)


def _table(one: CostSum, inputs: Sequence[Input]) -> CostTable:
    return CostTable(
        title=one.title,
        currency=one.currency,
        total=_total(one),
        spread=_spread(one),
        basis=_basis(one),
        rows=tuple(_row(line, one.currency) for line in one.lines),
        inputs=tuple(_input(given) for given in inputs),
        notes=(*one.notes, *_unknown(one)),
    )


def _total(one: CostSum) -> Sourced:
    """Its source is the sum itself: its lines, each with a source of its own."""
    known = [f"{line.name} {money(line.amount, one.currency)}" for line in one.lines if line.amount]
    source = Source(f"sum: {one.title}", f"the known lines: {' + '.join(known)}" if known else "no line is known")
    if one.total is None:
        return Sourced(NOT_AVAILABLE, (source,), "no line of it is known")
    return Sourced(money(one.total, one.currency), (source,))


def _spread(one: CostSum) -> str:
    """How far it may lie off, and how much of it was measured."""
    bounds = one.bounds
    parts = []
    if bounds is not None and bounds[0] != bounds[1]:
        parts.append(f"{money(bounds[0], one.currency)} to {money(bounds[1], one.currency)}")
    if one.total is not None:
        parts.append(_basis(one))
    return "; ".join(parts)


def _basis(one: CostSum) -> str:
    """`measured`, or how much of it is, and that the rest rests on assumptions."""
    sure = sum((line.amount or Decimal(0) for line in one.lines if line.basis == "measured"), Decimal(0))
    return "measured" if sure == one.total else f"{money(sure, one.currency)} of it measured, the rest assumed"


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
