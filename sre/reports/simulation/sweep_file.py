"""A sweep as a file: which scenario, what varies, how it is searched; every fault of the file at once, with its line.

scenario: chat.yaml          # beside this file; or none, with --profile or `profile` among what varies
vary:
  replicas: [1, 2, 4]
  routing: [affinity, round_robin]
search: halving              # grid (all of it, the default), random, halving
trials: 40
target: 0.99
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from sre.errors import BadDocument
from sre.platforms.simulation import Knob, SearchMethod
from sre.slo.documents import Faults, Node, read_documents

KEYS = ("schema", "title", "scenario", "vary", "search", "trials", "target")
_SEARCHES: tuple[SearchMethod, ...] = get_args(SearchMethod)


@dataclass(frozen=True, slots=True)
class SweepFile:
    """What a sweep file says; None where it says nothing. `scenario` is a path that can be opened from here."""

    scenario: Path | None
    knobs: tuple[Knob, ...]
    search: SearchMethod | None
    trials: int | None
    target: float | None


def read_sweep(path: Path) -> SweepFile:
    """Raises BadDocument with every fault as file:line."""
    documents = read_documents(path)
    if len(documents) != 1:
        raise BadDocument([f"{path}: holds {len(documents)} documents: write one"])
    faults = Faults(path)
    root = documents[0]
    fields = faults.mapping(root, KEYS)
    faults.constant(fields.get("schema"), 1, "write 1")
    vary = faults.required(root, "vary", "say what varies")
    found = SweepFile(
        scenario=_scenario(fields.get("scenario"), path, faults),
        knobs=() if vary is None else _knobs(vary, faults),
        search=_search(fields.get("search"), faults),
        trials=_trials(fields.get("trials"), faults),
        target=_target(fields.get("target"), faults),
    )
    if faults.found:
        raise BadDocument(faults.found)
    return found


def _scenario(node: Node | None, path: Path, faults: Faults) -> Path | None:
    name = faults.text(node, "name a scenario file")
    if node is None or not name:
        return None
    found = path.parent / name
    if "\0" in name or not found.is_file():
        faults.add(node, f"{name} is no file beside {path.parent}/: name a scenario, relative to this file")
    return found


def _knobs(node: Node, faults: Faults) -> tuple[Knob, ...]:
    if not node.fields:
        faults.add(node, f"is {node.kind}: write a mapping of knobs to lists of values")
        return ()
    return tuple(
        Knob(name, tuple(_value(item, faults) for item in faults.list_of(values, "write a list: [1, 2, 4]")))
        for name, values in node.fields.items()
    )


def _value(node: Node, faults: Faults) -> str:
    if isinstance(node.scalar, bool) or not isinstance(node.scalar, str | int | float):
        faults.add(node, f"is {node.kind}: write a word or a number")
        return ""
    return str(node.scalar)


def _search(node: Node | None, faults: Faults) -> SearchMethod | None:
    word = faults.one_of(node, _SEARCHES, f"use one of {', '.join(_SEARCHES)}")
    return next((known for known in _SEARCHES if known == word), None)


def _trials(node: Node | None, faults: Faults) -> int | None:
    if node is None:
        return None
    if isinstance(node.scalar, bool) or not isinstance(node.scalar, int) or node.scalar < 1:
        faults.add(node, f"is {node.kind}: write a whole number above 0")
        return None
    return node.scalar


def _target(node: Node | None, faults: Faults) -> float | None:
    value = None if node is None else faults.number(node, "write a share: 0.99")
    if node is not None and value is not None and not 0 < value <= 1:
        faults.add(node, f"is {value:g}: write a share above 0, at most 1")
        return None
    return value


def knob_of(text: str) -> Knob:
    """`replicas=1,2,4` of a command line. Raises BadDocument, one line."""
    name, equals, values = text.partition("=")
    if not equals or not name.strip():
        raise BadDocument([f"--vary {text!r}: write NAME=VALUE,VALUE, e.g. replicas=1,2,4"])
    return Knob(name.strip(), tuple(value.strip() for value in values.split(",") if value.strip()))


def is_sweep_file(path: Path) -> bool:
    """Whether the document says what varies: a scenario does not. Raises BadDocument for what is no YAML."""
    return any(document.fields is not None and "vary" in document.fields for document in read_documents(path))
