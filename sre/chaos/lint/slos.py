"""The SLOs that a drill names, against the documents in `slo/` beside `experiments/`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from sre.chaos.lint.model import Notes
from sre.chaos.lint.tree import did_you_mean, field, items
from sre.chaos.model import Drill
from sre.errors import SreError
from sre.slo.documents import Node

FOLDER = "slo"


def check_slos(drill: Drill, section: Node, notes: Notes) -> None:
    """Nothing is said where the workspace has no documents: then they are elsewhere (`SRE_SLO_DIR`)."""
    known = slo_names(_folder_of(drill.path))
    if not known:
        return
    for node, name in _named(section):
        if name not in known:
            notes.errors.add(
                node, f"no SLO is named {name!r}: {did_you_mean(name, known, 'use one of ' + ', '.join(known))}"
            )


@functools.lru_cache(maxsize=16)
def slo_names(folder: Path) -> tuple[str, ...]:
    """Those of a folder of documents; none when it is not there or cannot be read, which `sre slo lint` says."""
    from sre.slo.openslo import load_slos

    try:
        return tuple(slo.name for slo in load_slos(folder)) if folder.is_dir() else ()
    except SreError:
        return ()


def _folder_of(path: Path) -> Path:
    """Experiments may lie in folders by family."""
    above = path.resolve().parents
    root = next((parent.parent for parent in above if parent.name == "experiments"), path.resolve().parent)
    return root / FOLDER


def _named(section: Node) -> Iterator[tuple[Node, str]]:
    alert = field(field(field(section, "expected"), "alert"), "slo")
    listed = (*items(field(section, "slo")), *items(field(field(section, "gate"), "slos")))
    for node in (*listed, *((alert,) if alert is not None else ())):
        if isinstance(node.scalar, str):
            yield node, node.scalar
    burns = field(field(section, "guard"), "slos")
    for name, node in ((burns and burns.fields) or {}).items():
        yield node, name
