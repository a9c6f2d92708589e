"""One amount of `finance.yaml`: a value with bounds, basis and source, or every fault of it with its line.

Numbers are taken digit by digit as the YAML shows them (`0.1` is 0.1, never the binary float beside it).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import cast

from sre.cost.provenance import Basis, Input
from sre.slo.documents import Faults, Node

_KEYS = ("value", "low", "high", "basis", "source", "currency")
_AMOUNT = "write {value: 1.5, low: 1, high: 3, basis: assumed, source: who says so}"
_MOST = Decimal(10) ** 15


@dataclass(frozen=True, slots=True)
class Kind:
    """What an amount may be: `unit` in words (`{currency}` is filled in), `most` its largest sensible value."""

    unit: str
    most: Decimal = _MOST
    is_money: bool = False


MONEY = Kind("{currency}", is_money=True)
MONEY_PER_HOUR = Kind("{currency} an hour", is_money=True)
SHARE = Kind("share", Decimal(1))
HOURS, MINUTES = Kind("h"), Kind("min")


@dataclass(frozen=True, slots=True)
class Amounts:
    """Reads the amounts of one file in one currency."""

    faults: Faults
    currency: str

    def read(self, node: Node | None, name: str, kind: Kind) -> Input | None:
        """The input called `name`; None when the node is absent or has faults."""
        if node is None:
            return None
        before = len(self.faults.all)
        fields = self.faults.mapping(node, _KEYS)
        if node.fields is None:
            return None
        value = self.number(self.faults.required(node, "value", _AMOUNT), kind)
        low, high = self.number(fields.get("low"), kind), self.number(fields.get("high"), kind)
        basis = self.faults.one_of(
            self.faults.required(node, "basis", "write measured or assumed"),
            ("measured", "assumed"),
            "write measured or assumed",
        )
        source = self.faults.text(
            self.faults.required(node, "source", "say where the number comes from"), "say where the number comes from"
        )
        self._check_currency(fields.get("currency"), kind)
        self._check_order(node, low, value, high)
        if len(self.faults.all) > before or value is None:
            return None
        unit = kind.unit.format(currency=self.currency)
        return Input(name, value, unit, cast(Basis, basis), source, low, high)

    def number(self, node: Node | None, kind: Kind) -> Decimal | None:
        """A finite number that is not negative and not above the kind's most; None with a fault otherwise."""
        if node is None:
            return None
        if isinstance(node.scalar, bool) or not isinstance(node.scalar, int | float):
            self.faults.add(node, f"is {node.kind}: write a number")
            return None
        try:
            number = Decimal(str(node.scalar))
        except (InvalidOperation, ValueError):  # an integer of thousands of digits
            number = Decimal("Infinity")
        if not number.is_finite() or number > kind.most:
            self.faults.add(node, f"is {node.kind}: write a number up to {kind.most.normalize():f}")
            return None
        if number < 0:
            self.faults.add(node, f"is {node.kind}: an amount is never negative")
            return None
        return number

    def _check_currency(self, node: Node | None, kind: Kind) -> None:
        if node is None:
            return
        if not kind.is_money:
            self.faults.add(node, "is a currency on something that is no money: remove it")
        elif node.scalar != self.currency:
            self.faults.add(
                node, f"is {node.kind} in a file in {self.currency}: currencies are never mixed or converted, write one"
            )

    def _check_order(self, node: Node, low: Decimal | None, value: Decimal | None, high: Decimal | None) -> None:
        known = [number for number in (low, value, high) if number is not None]
        if known != sorted(known):
            self.faults.add(node, f"low, value and high are {', '.join(map(str, known))}: write them in rising order")
