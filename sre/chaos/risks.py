"""The risk list, `risks.yaml` of a workspace: weaknesses that drills have found and that are not mended yet.

An experiment that names one (`weakness: {risk: RISK-001}`) may deviate in exactly the checks that the risk names, and
is then no surprise; anything beyond is. A risk that is mended excuses nothing any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sre.errors import BadDocument
from sre.slo.documents import Faults, Node, read_documents

FILE = "risks.yaml"
Status = Literal["open", "accepted", "mended"]
STATUSES: tuple[Status, ...] = get_args(Status)
SHOWN = ("steady-state", "alert", "recovery", "requests", "cost")
"""The checks of a drill that a risk can make fail."""
KEYS = ("id", "title", "status", "owner", "found_by", "shows", "measured", "mend", "issue")
_ID = re.compile(r"RISK-\d{3}")
_EXPERIMENT = re.compile(r"EXP-\d{3}")


@dataclass(frozen=True, slots=True)
class Risk:
    """One weakness. `found_by` are the experiments that show it, `shows` the checks it makes fail, `measured` what it
    did in numbers, `mend` what would end it, `issue` where that is followed.
    """

    id: str
    title: str
    status: Status
    owner: str
    found_by: tuple[str, ...]
    shows: tuple[str, ...]
    measured: str
    mend: str
    issue: str = ""


def load_risks(workspace: Path) -> tuple[Risk, ...]:
    """The risks of a workspace, in the file's order; none when there is no list. Raises BadDocument, all faults."""
    path = workspace / FILE
    if not path.exists():
        return ()
    found: list[Risk] = []
    told: list[str] = []
    for root in read_documents(path):
        faults = Faults(path)
        fields = faults.mapping(root, ("risks",))
        for item in faults.list_of(fields.get("risks"), "write a list"):
            risk = _risk(item, faults)
            if risk.id and risk.id in {other.id for other in found}:
                faults.add(item, f"{risk.id} is there twice: an id is never used again", key="id")
            found.append(risk)
        told += faults.found
    if told:
        raise BadDocument(told)
    return tuple(found)


def risk_named(risks: tuple[Risk, ...], risk_id: str, *, where: Path) -> Risk:
    """Raises BadDocument, listing what there is, for a risk that is not on the list."""
    for risk in risks:
        if risk.id == risk_id:
            return risk
    known = ", ".join(risk.id for risk in risks) or "none"
    raise BadDocument([f"{where}: weakness.risk: {risk_id} is not in {FILE}: write it down there; it has {known}"])


def _risk(node: Node, faults: Faults) -> Risk:
    fields = faults.mapping(node, KEYS)

    def text(key: str, mend: str) -> str:
        return faults.text(faults.required(node, key, mend), mend)

    status = faults.one_of(faults.required(node, "status", _one_of(STATUSES)), STATUSES, _one_of(STATUSES))
    issue = fields.get("issue")
    return Risk(
        id=_matching(text("id", "write RISK- and three digits"), _ID, node, "id", faults),
        title=text("title", "say in one line what is weak"),
        status=next((known for known in STATUSES if known == status), "open"),
        owner=text("owner", "say who looks after it"),
        found_by=tuple(
            _matching(name, _EXPERIMENT, node, "found_by", faults)
            for name in _texts(faults.required(node, "found_by", "list the experiments, e.g. [EXP-007]"), faults)
        ),
        shows=_shown(faults.required(node, "shows", f"list the checks that fail: {', '.join(SHOWN)}"), faults),
        measured=text("measured", "say what it did, in numbers"),
        mend=text("mend", "say what would end it"),
        issue="" if issue is None else str(issue.scalar),
    )


def _shown(node: Node | None, faults: Faults) -> tuple[str, ...]:
    return tuple(faults.one_of(item, SHOWN, _one_of(SHOWN)) or "" for item in faults.list_of(node, "write a list"))


def _texts(node: Node | None, faults: Faults) -> list[str]:
    return [faults.text(item, "write text") for item in faults.list_of(node, "write a list")]


def _matching(text: str, pattern: re.Pattern[str], node: Node, key: str, faults: Faults) -> str:
    if text and not pattern.fullmatch(text):
        faults.add(node, f"{text!r} is no id: write one like {'RISK-001' if pattern is _ID else 'EXP-001'}", key=key)
    return text


def _one_of(names: tuple[str, ...]) -> str:
    return f"write one of {', '.join(names)}"
