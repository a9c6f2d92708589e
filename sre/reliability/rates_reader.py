"""Reads a rate book: strict, every fault at once as `file:line: path: what: mend`. A negative rate is one of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from importlib import resources
from pathlib import Path
from typing import TypeVar

from sre.errors import BadDocument
from sre.reliability.rates import FaultClass, RateBook, Recovery, Source
from sre.reliability.rates_fields import Entries, read_source
from sre.slo.documents import Faults, Node, read_documents

_SECTIONS = ("failover", "rollouts", "spot_discount")
_KEYS = ("schema", "as_of", "extends", "sources", "recoveries", "faults", *_SECTIONS)
Named = TypeVar("Named", Source, Recovery, FaultClass)


def shipped_rates() -> RateBook:
    """The book that comes with the package."""
    with resources.as_file(resources.files("sre.reliability").joinpath("rates.yaml")) as path:
        return _read(path, None, shown="the shipped rates")


def read_rates(path: Path) -> RateBook:
    """A book of your own; with `extends: shipped` its entries replace those of the same name. Raises BadDocument."""
    return _read(path, shipped_rates(), shown=str(path))


def _read(path: Path, shipped: RateBook | None, *, shown: str) -> RateBook:
    documents = read_documents(path)
    if len(documents) != 1:
        raise BadDocument([f"{path}: holds {len(documents)} documents: write one, beginning with `schema: 1`"])
    faults = Faults(path)
    book = _book(documents[0], faults, shipped, shown)
    if faults.all or book is None:
        raise BadDocument([fault.text for fault in sorted(faults.all)])
    return book


def _book(root: Node, faults: Faults, shipped: RateBook | None, shown: str) -> RateBook | None:
    fields = faults.mapping(root, _KEYS)
    faults.constant(faults.required(root, "schema", "write `schema: 1`"), 1, "this version reads schema 1")
    as_of = _date(faults.required(root, "as_of", "write the day of the figures: 2026-11-25"), faults)
    extends = faults.one_of(fields.get("extends"), ("shipped",), "write shipped, or leave it out")
    base = shipped if extends else None
    for key in () if extends else ("sources", "recoveries", "faults", *_SECTIONS):
        faults.required(root, key, "write it, or `extends: shipped` at the top")
    sources = _merged(
        base.sources if base else (), _listed(fields.get("sources"), lambda n: read_source(n, faults), faults)
    )
    entries = Entries(faults, {one.name: one for one in sources})
    recoveries = _merged(base.recoveries if base else (), _listed(fields.get("recoveries"), entries.recovery, faults))
    names = {one.name for one in recoveries}
    own = _listed(fields.get("faults"), lambda node: entries.fault(node, names), faults)
    failover = entries.failover(fields.get("failover")) or (base.failover if base else None)
    rollouts = entries.rollouts(fields.get("rollouts")) or (base.rollouts if base else None)
    discount = entries.discount(fields.get("spot_discount")) or (base.spot_discount if base else None)
    if as_of is None or failover is None or rollouts is None or discount is None:
        return None
    return RateBook(shown, as_of, _merged(base.faults if base else (), own), recoveries, failover, rollouts, discount)


def _listed(node: Node | None, read: Callable[[Node], Named | None], faults: Faults) -> tuple[Named, ...]:
    found: dict[str, Named] = {}
    for item in faults.list_of(node, "write a list"):
        one = read(item)
        if one is not None and one.name in found:
            faults.add(item, f"{one.name!r} stands here twice: keep one")
        elif one is not None:
            found[one.name] = one
    return tuple(found.values())


def _merged(base: Sequence[Named], own: Sequence[Named]) -> tuple[Named, ...]:
    """Of the same name the own one, in the place of the other."""
    return tuple({**{one.name: one for one in base}, **{one.name: one for one in own}}.values())


def _date(node: Node | None, faults: Faults) -> date | None:
    if node is None:
        return None
    try:
        return date.fromisoformat(str(node.scalar))
    except ValueError:
        faults.add(node, f"is {node.kind}: write a day as 2026-11-25")
        return None
