"""The part of an experiment that is ours: `extensions: [{name: llm-gameday, ...}]`.

Chaos Toolkit carries extensions along without looking at them, so one file describes the fault for `chaos run` and the
drill around it for `sre gameday run`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from sre.chaos.faults.by_action import fault_of
from sre.chaos.faults.model import Family
from sre.chaos.model import Drill
from sre.chaos.section.expected import read_expected, read_weakness
from sre.chaos.section.fields import Fields, above, between, read, slugs
from sre.chaos.section.gate import read_gate
from sre.chaos.section.guard import read_guard
from sre.chaos.section.platform import read_blast_radius, read_platform
from sre.chaos.section.workload import read_workload
from sre.slo.documents import Faults, Node

EXTENSION = "llm-gameday"
SECTION = (
    *("name", "id", "family", "failure_mode", "platform", "workload", "clock_factor", "expected", "blast_radius"),
    *("deadline_s", "guard", "gate", "runbook", "slo", "weakness"),
)
FAMILIES: tuple[Family, ...] = get_args(Family)
_ID = re.compile(r"EXP-\d{3}")


def read_drill_section(root: Node, node: Node | None, *, path: Path, faults: Faults) -> Drill | None:
    """The drill of an experiment; None after a fault in the section, which is then in `faults`."""
    if node is None:
        return None
    before = len(faults.found)
    section = read(node, SECTION, faults)
    failure_mode = section.slug("failure_mode", "name the failure mode, e.g. replica-crash")
    drill = Drill(
        path=path,
        title=_text(root, "title"),
        description=_text(root, "description"),
        hypothesis=_text((root.fields or {}).get("steady-state-hypothesis"), "title"),
        failure_mode=failure_mode,
        workload=read_workload(section),
        clock_factor=section.number("clock_factor", "a factor of 1 to 10000", between(1, 10000), default=60.0),
        expected=read_expected(section),
        blast_radius=read_blast_radius(section),
        id=_id(section),
        family=_family(section),
        deadline_s=section.number("deadline_s", "seconds until the whole run must be over, above 0", above(0)),
        platform=read_platform(section, folder=path.parent),
        runbook=section.slug("runbook", "name a page of runbooks/, e.g. replica-crash", default=failure_mode),
        slos=slugs(section.fields.get("slo"), "list the SLOs it is about, e.g. [availability]", faults),
        faults=tuple(dict.fromkeys(_faults(root))),
        weakness=read_weakness(section),
        guard=read_guard(section),
        gate=read_gate(section),
        tags=tuple(str(tag.scalar) for tag in _items(root, "tags")),
    )
    return drill if len(faults.found) == before else None


def _id(section: Fields) -> str:
    mend = "write a stable id, e.g. EXP-001"
    node = section.faults.required(section.at, "id", mend)
    text = section.faults.text(node, mend)
    if node is not None and text and not _ID.fullmatch(text):
        section.faults.add(node, f"is {text!r}: {mend}")
    return text


def _family(section: Fields) -> Family:
    mend = f"write one of {', '.join(FAMILIES)}"
    found = section.faults.one_of(section.faults.required(section.at, "family", mend), FAMILIES, mend)
    return next((family for family in FAMILIES if family == found), FAMILIES[0])


def _faults(root: Node) -> Iterator[str]:
    for activity in _items(root, "method"):
        provider = (activity.fields or {}).get("provider")
        fault = fault_of(_text(provider, "module"), _text(provider, "func"))
        if fault is not None:
            yield fault


def _items(node: Node, key: str) -> tuple[Node, ...]:
    child = (node.fields or {}).get(key)
    return child.items or () if child is not None else ()


def _text(node: Node | None, key: str) -> str:
    child = (node.fields or {}).get(key) if node is not None else None
    return str(child.scalar).strip() if child is not None and child.scalar is not None else ""
