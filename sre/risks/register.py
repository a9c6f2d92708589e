"""Reads `risks.yaml`. Strict, because what excuses a drill or stands before an auditor must be written without a doubt.

An experiment that names a risk (`weakness: {risk: RISK-001}`) may deviate in exactly the checks that the risk `shows`,
and is then no surprise; anything beyond is. A risk that is mended excuses nothing any more. Whether an acceptance has
expired and whether links lead anywhere is not asked here but in `sre.risks.check`: a drill must not end because of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType

from sre.errors import BadDocument
from sre.risks.assessment import ASSESSED, read_assessment
from sre.risks.fields import matching, one_of, texts
from sre.risks.model import SHOWN, STATUSES, Entry, Risk
from sre.slo.documents import Faults, Node, read_documents

FILE = "risks.yaml"
WEAKNESS = ("found_by", "shows", "measured", "mend")
KEYS = ("id", "title", "status", "owner", *WEAKNESS, "issue", *ASSESSED)
_ID = re.compile(r"RISK-\d{3}")
_EXPERIMENT = re.compile(r"EXP-\d{3}")


def load_risks(workspace: Path) -> tuple[Risk, ...]:
    """The risks of a workspace, in the file's order; none when there is no list. Raises BadDocument, all faults."""
    return tuple(entry.risk for entry in load_register(workspace))


def load_register(workspace: Path) -> tuple[Entry, ...]:
    """The same with what was assessed."""
    path = workspace / FILE
    return read_register(path) if path.exists() else ()


def read_register(path: Path) -> tuple[Entry, ...]:
    """The entries of one file. Raises BadDocument with every fault."""
    found: list[Entry] = []
    told: list[str] = []
    for root in read_documents(path):
        faults = Faults(path)
        fields = faults.mapping(root, ("risks",))
        for item in faults.list_of(fields.get("risks"), "write a list"):
            entry = _entry(item, faults)
            if entry.id and entry.id in {other.id for other in found}:
                faults.add(item, f"{entry.id} is there twice: an id is never used again", key="id")
            found.append(entry)
        told += faults.found
    if told:
        raise BadDocument(told)
    return tuple(found)


def risk_named(risks: Iterable[Risk], risk_id: str, *, where: Path) -> Risk:
    """The risk that a weakness names. Raises BadDocument, listing what there is, for one that is not on the list or
    that no experiment has found.
    """
    known = tuple(risks)
    for risk in known:
        if risk.id == risk_id:
            if not risk.shows:
                raise BadDocument(
                    [f"{where}: weakness.risk: {risk_id} names no weakness: write {', '.join(WEAKNESS)} in {FILE}"]
                )
            return risk
    ids = ", ".join(risk.id for risk in known) or "none"
    raise BadDocument([f"{where}: weakness.risk: {risk_id} is not in {FILE}: write it down there; it has {ids}"])


def _entry(node: Node, faults: Faults) -> Entry:
    fields = faults.mapping(node, KEYS)

    def text(key: str, mend: str) -> str:
        return faults.text(faults.required(node, key, mend), mend)

    status = faults.one_of(faults.required(node, "status", one_of(STATUSES)), STATUSES, one_of(STATUSES))
    issue = fields.get("issue")
    is_assessed = any(key in fields for key in ASSESSED)
    is_weakness = any(key in fields for key in WEAKNESS) or not is_assessed
    found_by, shows, measured, mend = _weakness(node, faults) if is_weakness else ((), (), "", "")
    risk = Risk(
        id=matching(text("id", "write RISK- and three digits"), _ID, "RISK-001", node, "id", faults),
        title=text("title", "say in one line what is weak"),
        status=next((known for known in STATUSES if known == status), "open"),
        owner=text("owner", "say who looks after it"),
        found_by=found_by,
        shows=shows,
        measured=measured,
        mend=mend,
        issue="" if issue is None else str(issue.scalar),
    )
    assessment = read_assessment(node, faults, status) if is_assessed else None
    return Entry(risk, assessment, MappingProxyType({"": node.line, **{key: c.line for key, c in fields.items()}}))


def _weakness(node: Node, faults: Faults) -> tuple[tuple[str, ...], tuple[str, ...], str, str]:
    found_by = faults.required(node, "found_by", "list the experiments, e.g. [EXP-007]")
    shows = faults.required(node, "shows", f"list the checks that fail: {', '.join(SHOWN)}")
    measured = "say what it did, in numbers"
    mend = "say what would end it"
    return (
        tuple(matching(name, _EXPERIMENT, "EXP-001", node, "found_by", faults) for name in texts(found_by, faults)),
        tuple(faults.one_of(item, SHOWN, one_of(SHOWN)) or "" for item in faults.list_of(shows, "write a list")),
        faults.text(faults.required(node, "measured", measured), measured),
        faults.text(faults.required(node, "mend", mend), mend),
    )
