"""The fault table of docs/chaos.md, from the fault classes and the signatures of their actions."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, cast, get_args

from sre.chaos import actions
from sre.chaos.faults.by_action import FAULT_OF_ACTION
from sre.chaos.faults.catalogue import fault_class, fault_names
from sre.chaos.faults.footprint import footprint
from sre.chaos.faults.model import Family, Fault
from sre.chaos.tables.markdown import table
from sre.chaos.tables.words import WORDS
from sre.errors import SreError

HEADER = ("Fault, action, where", "What happens, to what", "Parameters", "Seen by", "Undone by", "Should protect")
DRIVERS = ("local", "kubernetes")
_PEOPLE = 3
_VARYING = {"autoscaler-thrash": "the replicas above `low`", "zone-loss": "`replicas` of them"}


def fault_table() -> str:
    """A heading and a table for each family, in the order of the catalogue."""
    parts = []
    for family in get_args(Family):
        names = [name for name in fault_names() if _class(name).family == family]
        if names:
            parts.append(f"### {family}\n\n{table(HEADER, [_row(name) for name in names])}")
    return "\n".join(parts)


def action_of(fault: str) -> str:
    """The action that injects it."""
    return next(action for action, name in FAULT_OF_ACTION.items() if name == fault)


def _row(name: str) -> tuple[str, ...]:
    cls, words = _class(name), WORDS[name]
    needs = "".join(f", needs {need}" for need in cls.needs)
    return (
        f"`{name}`<br>`{action_of(name)}`<br>{', '.join(_drivers(name))}{needs}",
        f"{cls.summary}<br>{_hits(cls)}",
        ", ".join(_parameters(name, cls)) or "none",
        words.proof,
        words.undo,
        cls.protects,
    )


def _class(name: str) -> type[Fault]:
    return fault_class(name, "local")


def _drivers(name: str) -> list[str]:
    return [driver for driver in DRIVERS if driver in fault_class(name, driver).platforms]


def _parameters(name: str, cls: type[Fault]) -> Iterator[str]:
    """`name=default`; one without a default, or whose default is nothing, by its name alone."""
    own = {field.name: field.default for field in fields(cast(Any, cls))}
    for parameter in inspect.signature(getattr(actions, action_of(name))).parameters.values():
        if parameter.name in ("lease_s", "configuration"):
            continue
        default = own.get(parameter.name) if parameter.default is None else parameter.default
        yield f"`{parameter.name}`" if default is None else f"`{parameter.name}={_written(default)}`"


def _written(default: object) -> str:
    return (
        str(default).lower()
        if isinstance(default, bool)
        else f"{default:g}"
        if isinstance(default, float)
        else str(default)
    )


def _hits(cls: type[Fault]) -> str:
    try:
        hit = footprint(cls(), replicas=_PEOPLE)
    except SreError:  # it has no defaults; where that is so, clients are the fault
        return "`traffic`"
    components = [f"`{component}`" for component in hit.components if component]
    if cls.name in ("metrics-down", "metrics-stale"):
        components = ["`target`"]
    replicas = _VARYING.get(cls.name) or (f"{hit.chosen} replica{'s' * (hit.chosen > 1)}" if hit.chosen else "")
    return ", ".join((*components, *((replicas,) if replicas else ())))
