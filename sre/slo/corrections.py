"""Stretches that do not count against a budget (maintenance announced, a drill, a meter that lied), with who and why.

A correction takes the events of its stretch out of the budget, good and bad alike; it never changes an alert, which was
right to fire when it did. Of corrections that overlap, the one recorded first takes the events, so that none is taken
twice and the audit adds up. A slice belongs to the stretch in which it ends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sre.errors import BadDocument
from sre.slo.burn import SliEvents
from sre.slo.documents import Faults, Node, read_documents

ALL = "all"
_KEYS = ("start", "end", "slo", "reason", "author", "recorded_at")
_WHEN = "write a time with its zone, e.g. 2026-03-01T10:00:00Z"
_MENDS = {"slo": f"name the SLO, or `{ALL}`", "reason": "say why these events shall not count", "author": "say who"}

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Correction:
    """Events in (start, end] do not count for the SLO named, `slo=None`: for any. Times are Unix seconds.

    `where` is the line it was read from, for the audit.
    """

    start: float
    end: float
    slo: str | None
    reason: str
    author: str
    recorded_at: float
    where: str = ""

    def applies_to(self, slo: str) -> bool:
        return self.slo is None or self.slo == slo


@dataclass(frozen=True, slots=True)
class AppliedCorrection:
    """What one correction took out of one period: `total` events, `bad` ones among them.

    0 and 0: nothing happened in its stretch, or an earlier correction had taken it.
    """

    correction: Correction
    total: float
    bad: float


def corrected(
    slo: str, events: SliEvents, corrections: Iterable[Correction], *, start: float, end: float
) -> tuple[SliEvents, tuple[AppliedCorrection, ...]]:
    """The events without what corrections of this SLO exclude, and what each took out of (start, end].

    Corrections that lie outside the range are not listed.
    """
    mine = [one for one in corrections if one.applies_to(slo)]
    if not mine:
        return events, ()
    taken: list[Range] = []
    applied = []
    inside = [one for one in mine if one.start < end and one.end > start]
    for one in sorted(inside, key=lambda one: (one.recorded_at, one.start)):
        pieces = _outside((max(one.start, start), min(one.end, end)), taken)
        counts = [events.between(*piece) for piece in pieces]
        applied.append(AppliedCorrection(one, total=sum(n for _, n in counts), bad=sum(n for n, _ in counts)))
        taken.append((one.start, one.end))
    return events.without([(one.start, one.end) for one in mine]), tuple(applied)


def read_corrections(path: Path, *, slos: Collection[str] = ()) -> tuple[Correction, ...]:
    """The corrections of a YAML file, in order: a list `corrections` of start, end, slo, reason, author, recorded_at.

    `slos` are the names there are; given, a correction of another one is a fault. Raises BadDocument with every fault.
    """
    faults = Faults(path)
    documents = read_documents(path)
    if len(documents) != 1:
        raise BadDocument([f"{path}:1: document: holds {len(documents)} documents: write one, with `corrections:`"])
    faults.mapping(documents[0], ("corrections",))
    listed = faults.required(documents[0], "corrections", "list them; `corrections: []` for none")
    found = [] if listed is None else [_correction(faults, node, slos) for node in _items(faults, listed)]
    if faults.found:
        raise BadDocument(faults.found)
    return tuple(one for one in found if one is not None)


def _items(faults: Faults, node: Node) -> Sequence[Node]:
    if node.items is None:
        faults.add(node, f"is {node.kind}: write a list, one item a correction")
    return node.items or ()


def _correction(faults: Faults, node: Node, slos: Collection[str]) -> Correction | None:
    before = len(faults.found)
    faults.mapping(node, _KEYS)
    times = {key: _time(faults, faults.required(node, key, _WHEN)) for key in ("start", "end", "recorded_at")}
    texts = {key: faults.text(faults.required(node, key, mend), mend) for key, mend in _MENDS.items()}
    slo = None if texts["slo"] == ALL else texts["slo"]
    if slo and slos and slo not in slos:
        faults.add((node.fields or {})["slo"], f"no SLO is named {slo!r}: use one of {', '.join(sorted(slos))}")
    start, end, recorded_at = times["start"], times["end"], times["recorded_at"]
    if start is not None and end is not None and not end > start:
        faults.add((node.fields or {})["end"], "is not after start: a correction needs a length")
    if start is None or end is None or recorded_at is None or len(faults.found) > before:
        return None
    where = f"{faults.file}:{node.line}"
    return Correction(start, end, slo, texts["reason"], texts["author"], recorded_at, where)


def _time(faults: Faults, node: Node | None) -> float | None:
    text = faults.text(node, _WHEN)
    if node is None or not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        faults.add(node, f"is {node.kind}: {_WHEN}")
        return None
    return moment.timestamp()


def _outside(one: Range, taken: Iterable[Range]) -> list[Range]:
    """The parts of a range that lie in none of the ranges taken."""
    pieces = [one]
    for start, end in taken:
        pieces = [part for a, b in pieces for part in ((a, min(b, start)), (max(a, end), b)) if part[1] > part[0]]
    return pieces
