"""The 5x5 matrix, kept as data: shipped as `matrix.yaml`, overridden by a workspace's `risk-matrix.yaml`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path

from sre.errors import BadDocument
from sre.risks.fields import texts
from sre.risks.model import Level
from sre.slo.documents import Faults, Node, read_documents

FILE = "risk-matrix.yaml"
STEPS = 5
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
_BAND = ("name", "colour", "means", "accepted_by", "longest_acceptance_days")


@dataclass(frozen=True, slots=True)
class Step:
    """A step of likelihood or impact."""

    name: str
    means: str


@dataclass(frozen=True, slots=True)
class Band:
    """`accepted_by` are the roles that may accept a level in it, for `longest_acceptance_days` at most."""

    name: str
    colour: str
    means: str
    accepted_by: tuple[str, ...]
    longest_acceptance_days: int


@dataclass(frozen=True, slots=True)
class Matrix:
    """`bands` are ordered, lowest first; `cells[likelihood - 1][impact - 1]` is the index of a band."""

    likelihood: tuple[Step, ...]
    impact: tuple[Step, ...]
    bands: tuple[Band, ...]
    cells: tuple[tuple[int, ...], ...]

    def rank(self, level: Level) -> int:
        """Which band it is in, counted from 0."""
        return self.cells[level.likelihood - 1][level.impact - 1]

    def band(self, level: Level) -> Band:
        return self.bands[self.rank(level)]

    def words(self, level: Level) -> str:
        """`4 x 3 high`."""
        return f"{level} {self.band(level).name}"


def load_matrix(workspace: Path) -> Matrix:
    """The workspace's own, else the shipped one. Raises BadDocument with every fault."""
    own = workspace / FILE
    if own.exists():
        return read_matrix(own)
    with resources.as_file(resources.files("sre.risks") / "matrix.yaml") as shipped:
        return read_matrix(shipped)


def read_matrix(path: Path) -> Matrix:
    """Raises BadDocument with every fault: also for a cell that is below one with a lower likelihood or impact."""
    documents = read_documents(path)
    if len(documents) != 1:
        raise BadDocument([f"{path}:1: holds {len(documents)} documents: write one"])
    root, faults = documents[0], Faults(path)
    faults.mapping(root, ("likelihood", "impact", "bands", "cells"))
    likelihood, impact = (_steps(root, key, faults) for key in ("likelihood", "impact"))
    bands = tuple(
        _band(item, faults) for item in faults.list_of(faults.required(root, "bands", "list them"), "write a list")
    )
    cells = _cells(root, [band.name for band in bands], faults)
    if faults.found:
        raise BadDocument(faults.found)
    return Matrix(likelihood, impact, bands, cells)


def _steps(root: Node, key: str, faults: Faults) -> tuple[Step, ...]:
    items = _five(faults.required(root, key, "list five steps"), faults)
    for item in items:
        faults.mapping(item, ("name", "means"))
    return tuple(Step(_text(item, "name", faults), _text(item, "means", faults)) for item in items)


def _band(node: Node, faults: Faults) -> Band:
    fields = faults.mapping(node, _BAND)
    colour = _text(node, "colour", faults)
    if colour and not _COLOUR.fullmatch(colour):
        faults.add(fields["colour"], f"{colour!r} is no colour: write one like '#cfe8d5'")
    days = faults.required(node, "longest_acceptance_days", "write days, 0 for never")
    return Band(
        name=_text(node, "name", faults),
        colour=colour,
        means=_text(node, "means", faults),
        accepted_by=tuple(texts(faults.required(node, "accepted_by", "list roles, [] for nobody"), faults)),
        longest_acceptance_days=_days(days, faults),
    )


def _days(node: Node | None, faults: Faults) -> int:
    if node is not None and isinstance(node.scalar, int) and not isinstance(node.scalar, bool) and node.scalar >= 0:
        return node.scalar
    if node is not None:
        faults.add(node, f"is {node.kind}: write days, 0 for never")
    return 0


def _cells(root: Node, bands: list[str], faults: Faults) -> tuple[tuple[int, ...], ...]:
    rows = _five(faults.required(root, "cells", "write a row for each likelihood"), faults)
    cells = []
    for row in rows:
        names = [faults.one_of(cell, bands, f"write one of {', '.join(bands)}") for cell in _five(row, faults)]
        cells.append(tuple(bands.index(name) if name else 0 for name in names))
    if not faults.found:
        _require_rising(rows, cells, faults)
    return tuple(cells)


def _require_rising(rows: Sequence[Node], cells: Sequence[tuple[int, ...]], faults: Faults) -> None:
    for node, (below, above) in zip(rows[1:], pairwise(cells), strict=True):
        if any(lower > upper for lower, upper in zip(below, above, strict=True)):
            faults.add(node, "a band is lower than that of a lower likelihood: bands rise with likelihood")
    for node, ranks in zip(rows, cells, strict=True):
        if list(ranks) != sorted(ranks):
            faults.add(node, "a band is lower than that of a lower impact: bands rise with impact")


def _five(node: Node | None, faults: Faults) -> tuple[Node, ...]:
    items = faults.list_of(node, "write a list")
    if node is not None and node.items is not None and len(items) != STEPS:
        faults.add(node, f"has {len(items)} items: write {STEPS}")
    return items


def _text(node: Node, key: str, faults: Faults) -> str:
    return faults.text(faults.required(node, key, "write text"), "write text")
