"""Symptoms and signatures as data, read strictly from YAML: what can be seen, and what each failure shows of it.

The shipped files lie in `data/`; their comments say from which reasoning about the failure each line comes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, cast, get_args

from sre.errors import BadDocument
from sre.incidents.causes.changes import Direction
from sre.metrics.model import Selector
from sre.metrics.selector import BadSelector, parse_sum
from sre.slo.documents import Faults, Node, read_documents

DATA = Path(__file__).parent / "data"
Read = Literal["gauge", "rate", "ratio", "first", "state", "lost", "idle", "reset", "gap", "event", "start"]
On = Literal["replica", "fleet"]
Kind = Literal["replica", "component", "traffic", "fleet"]
Chance = Literal["always", "often", "seldom", "never"]
_SELECTORS = ("metric", "over", "minus", "during")
_NUMBERS = ("least", "times", "replicas", "within_s")
_SYMPTOM = ("says", "on", "read", *_SELECTORS, *_NUMBERS, "against_others", "typical", "moves", "events", "note")
_SIGNATURE = ("on", "subject", "because", *get_args(Chance))
_READS = f"use one of {', '.join(get_args(Read))}"
_ONS = f"use one of {', '.join(get_args(On))}"
_KINDS = f"use one of {', '.join(get_args(Kind))}"


@dataclass(frozen=True, slots=True)
class SymptomRule:
    """How a symptom is seen. `on` is whose it is; `least` is the smallest change that counts, in the metric's unit.

    `read`: a `gauge`; a counter's `rate` (1/s); the `ratio` of two counters' growth; a counter that grows for the
    `first` time; a gauge above 0 (`state`), or that was above and is 0 (`lost`); a counter that stands still while
    `during` is above 0 (`idle`), or began anew (`reset`); scrapes that failed to come (`gap`); supervisor events
    (`event`: of `events`, `note` found in theirs, `times` on one replica, or on so many `replicas` within `within_s`);
    a start that takes `least` times as long as the others (`start`). `typical`: of the fleet, the median replica's.
    """

    name: str
    says: str
    on: On
    read: Read
    metric: tuple[Selector, ...] = ()
    over: tuple[Selector, ...] = ()
    minus: tuple[Selector, ...] = ()
    during: tuple[Selector, ...] = ()
    against_others: bool = False
    typical: bool = False
    moves: Direction = "up"
    least: float = 1.0
    events: frozenset[str] = frozenset()
    note: str = ""
    times: int = 1
    replicas: int = 1
    within_s: float = float("inf")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a failure shows: symptom by symptom how likely it is. `subject` names a component or the traffic; "" stands
    for the replicas that its symptoms were seen on.
    """

    failure: str
    kind: Kind
    subject: str
    because: str
    chances: Mapping[str, Chance]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All rules and signatures, in the order of the files."""

    symptoms: tuple[SymptomRule, ...]
    signatures: tuple[Signature, ...]


@functools.cache
def shipped() -> Knowledge:
    """The knowledge of this package."""
    return load(DATA)


def load(folder: Path) -> Knowledge:
    """`symptoms.yaml` and `signatures.yaml` of a folder. Raises BadDocument with every fault of both."""
    rules, symptoms = _entries(folder / "symptoms.yaml")
    marks, signatures = _entries(folder / "signatures.yaml")
    seen = tuple(_symptom(symptoms, name, node) for name, node in rules)
    known = {rule.name: rule for rule in seen}
    shown = tuple(_signature(signatures, name, node, known) for name, node in marks)
    if symptoms.found or signatures.found:
        raise BadDocument([*symptoms.found, *signatures.found])
    return Knowledge(seen, shown)


def _entries(path: Path) -> tuple[list[tuple[str, Node]], Faults]:
    faults = Faults(path)
    documents = read_documents(path)
    fields = [item for node in documents for item in (node.fields or {}).items()]
    if not fields:
        faults.add(Node("", 1), "holds nothing: write a mapping of names")
    return fields, faults


def _symptom(faults: Faults, name: str, node: Node) -> SymptomRule:
    fields = faults.mapping(node, _SYMPTOM)
    chosen = faults.one_of(faults.required(node, "read", _READS), get_args(Read), _READS)
    numbers = {key: faults.number(fields[key], "write a number") for key in _NUMBERS if key in fields}
    selectors = {key: _selectors(faults, fields.get(key)) for key in _SELECTORS}
    return SymptomRule(
        name=name,
        says=faults.text(faults.required(node, "says", "write what a reader is told"), "write text"),
        on=cast("On", faults.one_of(faults.required(node, "on", _ONS), get_args(On), _ONS)),
        read=cast("Read", chosen),
        metric=selectors["metric"],
        over=selectors["over"],
        minus=selectors["minus"],
        during=selectors["during"],
        against_others=faults.boolean(fields.get("against_others"), "write true or false"),
        typical=faults.boolean(fields.get("typical"), "write true or false"),
        moves=cast("Direction", faults.one_of(fields.get("moves"), get_args(Direction), "write up or down") or "up"),
        least=numbers.get("least") or 1.0,
        events=frozenset(faults.text(item, "write an event") for item in faults.list_of(fields.get("events"), "list")),
        note=_pattern(faults, fields.get("note")),
        times=int(numbers.get("times") or 1),
        replicas=int(numbers.get("replicas") or 1),
        within_s=numbers.get("within_s") or float("inf"),
    )


def _selectors(faults: Faults, node: Node | None) -> tuple[Selector, ...]:
    if node is None:
        return ()
    try:
        return parse_sum(faults.text(node, "write selectors, joined by +"))
    except BadSelector as error:
        faults.add(node, str(error))
        return ()


def _pattern(faults: Faults, node: Node | None) -> str:
    text = faults.text(node, "write a regular expression")
    try:
        re.compile(text)
    except re.error as error:
        faults.add(cast("Node", node), f"is no regular expression: {error}")
    return text


def _signature(faults: Faults, name: str, node: Node, known: Mapping[str, SymptomRule]) -> Signature:
    fields = faults.mapping(node, _SIGNATURE)
    kind = cast("Kind", faults.one_of(faults.required(node, "on", _KINDS), get_args(Kind), _KINDS))
    chances: dict[str, Chance] = {}
    for chance in get_args(Chance):
        for item in faults.list_of(fields.get(chance), "write a list of symptoms"):
            symptom = faults.one_of(item, known, "use a symptom of symptoms.yaml")
            if symptom in chances:
                faults.add(item, "is said twice: remove one")
            chances[symptom] = chance
    return Signature(
        failure=name,
        kind=kind,
        subject=faults.text(fields.get("subject"), "write what it is on"),
        because=faults.text(faults.required(node, "because", "write why it shows so"), "write text"),
        chances=MappingProxyType(chances),
    )
