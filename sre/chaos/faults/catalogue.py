"""Which class stands for which fault. Classes are imported when they are asked for: the watchdog must start fast."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import MappingProxyType

from sre.chaos.faults.model import Fault
from sre.errors import SreError

_PACKAGE = "sre.chaos.faults"
_CLASSES: Mapping[str, str] = MappingProxyType(
    {
        "replica-crash": "replica:ReplicaCrash",
    }
)


def fault_names() -> tuple[str, ...]:
    """Every fault, in the order of the table in docs/chaos.md."""
    return tuple(_CLASSES)


def fault_class(name: str) -> type[Fault]:
    """Raises SreError, listing what there is, for an unknown name."""
    where = _CLASSES.get(name)
    if where is None:
        raise SreError(f"fault {name!r} does not exist: use one of {', '.join(_CLASSES)}")
    module, _, cls = where.partition(":")
    found: type[Fault] = getattr(importlib.import_module(f"{_PACKAGE}.{module}"), cls)
    return found
