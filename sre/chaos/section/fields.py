"""Typed values out of a document's nodes. After a fault reading goes on with a stand-in, so that later ones are found.

What a stand-in is does not matter: a document with faults is never used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sre.slo.documents import Faults, Node

Bound = Callable[[float], bool]
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def above(low: float) -> Bound:
    """Finite and above `low`."""
    return lambda value: low < value < float("inf")


def between(low: float, high: float) -> Bound:
    return lambda value: low <= value <= high


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one mapping, `at` its node."""

    at: Node
    fields: Mapping[str, Node]
    faults: Faults

    def number(self, key: str, what: str, allowed: Bound, *, default: float | None = None) -> float:
        """A number; required when there is no default. `what` says which: `seconds, above 0`."""
        value = self.number_or_none(key, what, allowed)
        if value is None and key not in self.fields and default is None:
            self.faults.required(self.at, key, f"write {what}")
        return value if value is not None else (1.0 if default is None else default)

    def number_or_none(self, key: str, what: str, allowed: Bound) -> float | None:
        """A number; None when it is absent or wrong."""
        child = self.fields.get(key)
        if child is None:
            return None
        value = self.faults.number(child, f"write {what}")
        if value is not None and not allowed(value):
            self.faults.add(child, f"is {value:g}: write {what}")
            return None
        return value

    def whole(self, key: str, what: str, allowed: Bound, *, default: int | None = None) -> int:
        """A whole number; required when there is no default."""
        value = self.whole_or_none(key, what, allowed)
        if value is None and key not in self.fields and default is None:
            self.faults.required(self.at, key, f"write {what}")
        return value if value is not None else (1 if default is None else default)

    def whole_or_none(self, key: str, what: str, allowed: Bound) -> int | None:
        value = self.number_or_none(key, what, allowed)
        if value is None:
            return None
        if not isinstance(self.fields[key].scalar, int):
            self.faults.add(self.fields[key], f"is {self.fields[key].kind}: write {what}")
            return None
        return int(value)

    def money_or_none(self, key: str, what: str) -> Decimal | None:
        """An amount of 0 or more, exact as it is written."""
        value = self.number_or_none(key, what, between(0, 1e9))
        return None if value is None else Decimal(str(self.fields[key].scalar))

    def slug(self, key: str, mend: str, *, default: str | None = None) -> str:
        """Lower-case words joined by `-`; required when there is no default."""
        child = self.fields.get(key)
        if child is None:
            if default is None:
                self.faults.required(self.at, key, mend)
            return default or ""
        return slug(child, mend, self.faults)

    def sub(self, key: str, known: tuple[str, ...], *, mend: str | None = None) -> Fields | None:
        """A mapping below this one; None when it is absent (a fault when `mend` is given)."""
        child = self.fields.get(key) if mend is None else self.faults.required(self.at, key, mend)
        return None if child is None else read(child, known, self.faults)


def read(node: Node, known: tuple[str, ...], faults: Faults) -> Fields:
    """The fields of a mapping with keys among `known`."""
    return Fields(node, faults.mapping(node, known), faults)


def slug(node: Node, mend: str, faults: Faults) -> str:
    text = faults.text(node, mend)
    if text and not SLUG.fullmatch(text):
        faults.add(node, f"is {text!r}: use lower-case words joined by `-`")
    return text


def slugs(node: Node | None, mend: str, faults: Faults) -> tuple[str, ...]:
    """A list of slugs, each once."""
    found = tuple(slug(item, mend, faults) for item in faults.list_of(node, mend))
    if node is not None and len(set(found)) < len(found):
        faults.add(node, "names one twice: leave one out")
    return found
