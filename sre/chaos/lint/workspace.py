"""What a drill names of its workspace: SLOs of `slo/`, a page of `runbooks/`, a risk of `risks.yaml`.

Nothing is said of folders that the workspace does not have: then they are elsewhere (`SRE_SLO_DIR`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from sre.chaos.lint.model import Notes
from sre.chaos.lint.tree import did_you_mean, field, items
from sre.chaos.model import Drill
from sre.errors import BadDocument, SreError
from sre.risks.register import load_risks, risk_named
from sre.slo.documents import Node


def check_workspace(drill: Drill, section: Node, notes: Notes) -> None:
    workspace = workspace_of(drill.path)
    _check_slos(section, slo_names(workspace / "slo"), notes)
    _check_runbook(section, workspace / "runbooks", notes)
    _check_risk(drill, section, workspace, notes)


def workspace_of(path: Path) -> Path:
    """The folder that holds `experiments/`, in which files may lie in folders by family; else the file's own."""
    above = path.resolve().parents
    return next((parent.parent for parent in above if parent.name == "experiments"), path.resolve().parent)


@functools.lru_cache(maxsize=16)
def slo_names(folder: Path) -> tuple[str, ...]:
    """Those of a folder of documents; none when it is not there or cannot be read, which `sre slo lint` says."""
    from sre.slo.openslo import load_slos

    try:
        return tuple(slo.name for slo in load_slos(folder)) if folder.is_dir() else ()
    except SreError:
        return ()


def _check_slos(section: Node, known: tuple[str, ...], notes: Notes) -> None:
    if field(section, "slo") is None:
        notes.warnings.add(section, "missing: list the SLOs it is about, e.g. [availability]", key="slo")
    if not known:
        return
    for node, name in _named(section):
        if name not in known:
            mend = did_you_mean(name, known, f"use one of {', '.join(known)}")
            notes.errors.add(node, f"no SLO is named {name!r}: {mend}")


def _named(section: Node) -> Iterator[tuple[Node, str]]:
    alert = field(field(field(section, "expected"), "alert"), "slo")
    listed = (*items(field(section, "slo")), *items(field(field(section, "gate"), "slos")))
    for node in (*listed, *((alert,) if alert is not None else ())):
        if isinstance(node.scalar, str):
            yield node, node.scalar
    burns = field(field(section, "guard"), "slos")
    for name, node in ((burns and burns.fields) or {}).items():
        yield node, name


def _check_runbook(section: Node, folder: Path, notes: Notes) -> None:
    """Only one that is named: without a name it is the page that a passed drill of this failure mode would write."""
    named = field(section, "runbook")
    if named is not None and folder.is_dir() and not (folder / f"{named.scalar}.md").is_file():
        notes.warnings.add(named, f"runbooks/{named.scalar}.md is not there: write it, or name another page")


def _check_risk(drill: Drill, section: Node, workspace: Path, notes: Notes) -> None:
    if drill.weakness is None:
        return
    at = field(field(section, "weakness"), "risk") or section
    try:
        risk_named(load_risks(workspace), drill.weakness.risk, where=drill.path)
    except BadDocument as error:
        for fault in error.faults:
            notes.errors.add(at, fault.removeprefix(f"{drill.path}: weakness.risk: "))
