"""The assessed part of a register entry: statement, levels, treatment, controls, links, acceptance."""

from __future__ import annotations

import re

from sre.risks.fields import day, matching, one_of, step, texts
from sre.risks.model import STANDINGS, TREATMENTS, Acceptance, Assessment, Level
from sre.slo.documents import Faults, Node

STATEMENT = ("cause", "event", "consequence")
LEVELS = ("inherent", "current", "residual")
ASSESSED = (
    *STATEMENT,
    *LEVELS,
    "treatment",
    "controls",
    "experiments",
    "slos",
    "runbooks",
    "acceptance",
    "evidence",
)
_EXPERIMENT = re.compile(r"EXP-\d{3}")
_ACCEPTANCE = ("approver", "role", "on", "expires", "reason")
_SAID = {
    "cause": "say why it may happen, to follow `Because`",
    "event": "say what happens then",
    "consequence": "say what that does to users, money or duty",
}


def read_assessment(node: Node, faults: Faults, status: str) -> Assessment | None:
    """None after a fault."""
    before = len(faults.all)
    fields = node.fields or {}
    said = {key: faults.text(faults.required(node, key, mend), mend) for key, mend in _SAID.items()}
    levels = {key: _level(faults.required(node, key, "write {likelihood: 1-5, impact: 1-5}"), faults) for key in LEVELS}
    _fall(node, levels, faults)
    treatment = faults.one_of(faults.required(node, "treatment", one_of(TREATMENTS)), TREATMENTS, one_of(TREATMENTS))
    claims = faults.one_of(fields.get("evidence"), STANDINGS, one_of(STANDINGS))
    acceptance = _acceptance(fields.get("acceptance"), node, faults, status)
    controls = texts(faults.required(node, "controls", "list what is in place, [] for nothing"), faults)
    experiments = tuple(
        matching(name, _EXPERIMENT, "EXP-001", node, "experiments", faults)
        for name in texts(fields.get("experiments"), faults)
    )
    slos, runbooks = (tuple(texts(fields.get(key), faults)) for key in ("slos", "runbooks"))
    if len(faults.all) > before:
        return None
    return Assessment(
        cause=said["cause"],
        event=said["event"],
        consequence=said["consequence"],
        inherent=levels["inherent"],
        current=levels["current"],
        residual=levels["residual"],
        treatment=next(known for known in TREATMENTS if known == treatment),
        controls=tuple(controls),
        experiments=experiments,
        slos=slos,
        runbooks=runbooks,
        acceptance=acceptance,
        claims=next((known for known in STANDINGS if known == claims), None),
    )


def _level(node: Node | None, faults: Faults) -> Level:
    """Both steps 0 after a fault."""
    if node is None:
        return Level(0, 0)
    faults.mapping(node, ("likelihood", "impact"))
    likelihood, impact = (
        step(faults.required(node, key, "write a whole number from 1 to 5"), faults) for key in ("likelihood", "impact")
    )
    return Level(likelihood, impact)


def _fall(node: Node, levels: dict[str, Level], faults: Faults) -> None:
    """Controls and treatments never make a risk graver: what they do beside is a risk of its own."""
    for lower, higher in (("current", "inherent"), ("residual", "current")):
        low, high = levels[lower], levels[higher]
        if low.score > high.score > 0:
            place = (node.fields or {}).get(lower, node)
            faults.add(place, f"{low} is above {higher}, {high}: lower it, or raise what it comes from")


def _acceptance(node: Node | None, risk: Node, faults: Faults, status: str) -> Acceptance | None:
    if node is None:
        if status == "accepted":
            faults.add(risk, f"missing: an accepted risk needs {', '.join(_ACCEPTANCE)}", key="acceptance")
        return None
    if status and status != "accepted":
        faults.add(node, f"stands here, but the status is {status}: write `status: accepted`, or remove it")
    fields = faults.mapping(node, _ACCEPTANCE)
    approver, role, reason = (
        faults.text(faults.required(node, key, mend), mend)
        for key, mend in (("approver", "name the person"), ("role", "say in which role"), ("reason", "say why"))
    )
    on, expires = (day(faults.required(node, key, "write a day like 2026-01-31"), faults) for key in ("on", "expires"))
    if on is None or expires is None:
        return None
    if expires <= on:
        faults.add(fields["expires"], f"is {expires}: write a day after {on}")
    return Acceptance(approver, role, on, expires, reason)
