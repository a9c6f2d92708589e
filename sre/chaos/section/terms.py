"""What a run must keep to, read from an experiment that Chaos Toolkit has loaded already.

The toolkit hands on plain dictionaries, whichever format the file had, so there are no line numbers here; the reader is
the same as for the file. Whatever else a drill states is left to `sre chaos lint`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sre.chaos.drill import EXTENSION, SECTION
from sre.chaos.gate.model import GateSettings
from sre.chaos.guard.model import GuardSettings
from sre.chaos.model import BlastRadius
from sre.chaos.section.fields import Fields, above, read
from sre.chaos.section.gate import read_gate
from sre.chaos.section.guard import read_guard
from sre.chaos.section.platform import read_blast_radius
from sre.errors import BadDocument
from sre.slo.documents import Faults, Node, Scalar

SETTLE_S = 30.0
_NOWHERE = Path("experiment")


@dataclass(frozen=True, slots=True)
class Terms:
    """`settle_s` is how long the steady state may take to be met again after the rollbacks."""

    radius: BlastRadius
    deadline_s: float
    guard: GuardSettings = field(default_factory=GuardSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    settle_s: float = SETTLE_S


def terms_of(experiment: Mapping[str, Any]) -> Terms:
    """Raises BadDocument with everything that is wrong, each as `path: what: mend`."""
    extensions = experiment.get("extensions") or ()
    stated = [e for e in extensions if isinstance(e, Mapping) and e.get("name") == EXTENSION]
    if not stated:
        raise BadDocument([f"extensions: none is named {EXTENSION}: add it with blast_radius and deadline_s"])
    faults = Faults(_NOWHERE)
    section = read(node_of(stated[0], EXTENSION), SECTION, faults)
    terms = Terms(
        radius=read_blast_radius(section),
        deadline_s=section.number("deadline_s", "seconds until the whole run must be over, above 0", above(0)),
        guard=read_guard(section),
        gate=read_gate(section),
        settle_s=_settle(section),
    )
    if faults.found:
        raise BadDocument([text.removeprefix(f"{_NOWHERE}:0: ") for text in faults.found])
    return terms


def node_of(value: Any, path: str) -> Node:
    """Plain data as a document's node, on line 0."""
    if isinstance(value, Mapping):
        return Node(path, 0, fields={str(key): node_of(child, f"{path}.{key}") for key, child in value.items()})
    if isinstance(value, list | tuple):
        return Node(path, 0, items=tuple(node_of(child, f"{path}[{i}]") for i, child in enumerate(value)))
    return Node(path, 0, scalar=_scalar(value))


def _scalar(value: Any) -> Scalar:
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _settle(section: Fields) -> float:
    """`recovered_within_s` of what the drill expects; how the rest of that looks does not matter to a run."""
    expected = section.fields.get("expected")
    stated = None if expected is None else (expected.fields or {}).get("recovered_within_s")
    if stated is None:
        return SETTLE_S
    fields = Fields(expected or stated, {"recovered_within_s": stated}, section.faults)
    return fields.number("recovered_within_s", "seconds, above 0", above(0))
