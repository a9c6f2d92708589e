"""The layered bill as tables: what it was spent on, and what a token and a request cost."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from sre.cost.model import CostLayers, Layer, LayerPart, UnitCost
from sre.cost.rounding import apportioned, total
from sre.reports.formats import NOT_AVAILABLE, count, percent
from sre.reports.table import Row, Table, table

LAYERS: tuple[Layer, ...] = ("used", "wasted", "idle", "shared")


def shown(layers: CostLayers) -> dict[tuple[Layer, str], str]:
    """Each part's amount as it is displayed: rounded so that what is seen adds up to the bill that is seen."""
    places = _places(layers.bill)
    amounts = apportioned([part.amount for part in layers.parts], Decimal(1).scaleb(-places))
    return {(p.layer, p.name): f"{amount:.{places}f}" for p, amount in zip(layers.parts, amounts, strict=True)}


def shares(layers: CostLayers) -> dict[tuple[Layer, str], Decimal]:
    """Each part's share of the bill in percent, to a tenth, so that what is seen adds up to 100."""
    tenths = apportioned([Fraction(100 * p.amount) / Fraction(layers.bill or 1) for p in layers.parts], Decimal("0.1"))
    return {(part.layer, part.name): share for part, share in zip(layers.parts, tenths, strict=True)}


def layer_shares(layers: CostLayers) -> tuple[tuple[Layer, Decimal], ...]:
    """The same by layer."""
    of_parts = shares(layers)
    return tuple((layer, total(share for key, share in of_parts.items() if key[0] == layer)) for layer in LAYERS)


def layers_table(layers: CostLayers) -> Table:
    """A row a part that cost something, a row a layer, the bill last. Shares are of the bill."""
    amounts = {key: Decimal(text) for key, text in shown(layers).items()}
    of_parts, places = shares(layers), _places(layers.bill)
    rows: list[Row] = []
    for layer, share in layer_shares(layers):
        parts = [part for part in layers.parts if part.layer == layer]
        whole = total(amounts[part.layer, part.name] for part in parts)
        rows.append(Row((layer, f"{whole:.{places}f}", f"{share:.1f} %", _seconds(parts), ""), "strong"))
        rows += [
            Row(
                (
                    f"\u00a0\u00a0{part.name}",
                    f"{amounts[part.layer, part.name]:.{places}f}",
                    f"{of_parts[part.layer, part.name]:.1f} %",
                    _seconds((part,)),
                    part.means,
                ),
                "muted",
            )
            for part in parts
            if part.amount
        ]
    bill = f"{total(amounts.values()):.{places}f}"
    rows.append(Row(("bill", bill, "100.0 %", _seconds(layers.parts), "used + wasted + idle + shared"), "strong"))
    head = ("layer", f">{layers.currency}", ">share", ">replica-s", "what it is")
    return table("cost-layers", "What the bill was spent on", head, rows, notes=layers.notes)


def units_table(layers: CostLayers) -> Table:
    """A row a unit, basis and phase."""
    rows = [Row((*_named(unit), _amount(unit), count(unit.count), unit.formula)) for unit in layers.units]
    head = ("per", "basis", "phase", f">{layers.currency}", ">counted", "how it is computed")
    saved = percent(layers.cache_savings_fraction, 1)
    notes = (
        f"Busy share of paid GPU time: {percent(layers.busy_share, 1)}. Prompt tokens found in prefix caches: {saved}.",
        "allocation divides the whole bill, usage only what was busy; the gap is the price of idle capacity.",
    )
    return table("unit-costs", "What a token and a request cost", head, rows, notes=notes)


def _named(unit: UnitCost) -> tuple[str, str, str]:
    return unit.name, unit.basis, unit.phase or "all"


def _amount(unit: UnitCost) -> str:
    if unit.amount is None:
        return f"{NOT_AVAILABLE} ({unit.reason})"
    return f"{unit.amount:.{_digits(unit.amount)}f}"


def _digits(amount: Decimal) -> int:
    """Four significant digits, and cents at least."""
    return max(2, min(10, 3 - amount.adjusted())) if amount else 2


def _places(bill: Decimal) -> int:
    """Cents; below 10 of the currency, four digits of the bill: a drill's small sums stay visible."""
    return 2 if bill >= 10 or not bill else min(12, 3 - bill.adjusted())


def _seconds(parts: Iterable[LayerPart]) -> str:
    known = [part.replica_s for part in parts if part.replica_s is not None]
    return f"{sum(known):,.1f}" if known else ""
