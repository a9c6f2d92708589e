"""The error budget policy: what may go on (a deploy, a drill) at the budgets and burns of the moment.

A gate that cannot see says no: without data the answer is "blocked", unless the policy says otherwise in writing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sre.errors import BadDocument, SreError
from sre.slo.documents import Faults, Node, read_documents
from sre.slo.model import Severity
from sre.slo.status import Standing
from sre.slo.words import percent

OnNoData = Literal["block", "allow"]
_SEVERITIES: tuple[Severity, ...] = ("page", "ticket")
_EXAMPLE = "write e.g. `actions: {deploy: {min_remaining: 0.1, block_on: [page]}}`"


@dataclass(frozen=True, slots=True)
class GateRule:
    """One action's conditions. `min_remaining` is a share of the period's budget; `block_on` are alert severities."""

    action: str
    min_remaining: float = 0.0
    block_on: tuple[Severity, ...] = ("page",)
    no_data: OnNoData = "block"


SHIPPED: Mapping[str, GateRule] = {
    "deploy": GateRule("deploy", min_remaining=0.10, block_on=("page",)),
    "drill": GateRule("drill", min_remaining=0.25, block_on=("page", "ticket")),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """What one SLO says to the action, in one sentence."""

    slo: str
    blocks: bool
    text: str


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the action may go on, and what each SLO says to it. `cost` is the share of budget it may spend."""

    rule: GateRule
    cost: float
    reasons: tuple[Reason, ...]

    @property
    def allowed(self) -> bool:
        return bool(self.reasons) and not any(reason.blocks for reason in self.reasons)


def decide(standings: Sequence[Standing], rule: GateRule, *, cost: float = 0.0) -> Decision:
    """`cost` is the share of each budget that the action is expected to spend: it must be left beside the minimum."""
    return Decision(rule, cost, tuple(_reason(standing, rule, cost) for standing in standings))


def _reason(standing: Standing, rule: GateRule, cost: float) -> Reason:
    name = standing.slo.name
    remaining = standing.budget.remaining_share
    if remaining is None:
        why = f"no data: {standing.budget.no_data_reason or 'nothing was observed'}"
        return Reason(name, rule.no_data == "block", why)
    firing = [now.tier for now in standing.tiers if now.firing and now.tier.severity in rule.block_on]
    if firing:
        names = ", ".join(tier.name for tier in firing)
        return Reason(name, True, f"burns its budget right now ({names} fires): wait until it has reset")
    needed = rule.min_remaining + cost
    left = f"{percent(remaining)} of its budget is left"
    if remaining < needed:
        asked = f"{percent(rule.min_remaining)} must be kept"
        spend = f" and {rule.action} may spend {percent(cost)}" if cost else ""
        return Reason(name, True, f"{left}; {asked}{spend}")
    return Reason(name, False, f"{left}, {percent(needed)} needed")


def rule_for(action: str, rules: Mapping[str, GateRule], *, where: str) -> GateRule:
    """The rule of an action. Raises SreError naming those there are."""
    if action not in rules:
        raise SreError(f"{where} has no rule for {action!r}: use one of {', '.join(sorted(rules))}, or add it")
    return rules[action]


def read_policy(path: Path) -> dict[str, GateRule]:
    """The rules of a policy file by action. Raises BadDocument with every fault."""
    faults = Faults(path)
    documents = read_documents(path)
    if len(documents) != 1:
        raise BadDocument([f"{path}:1: document: holds {len(documents)} documents: {_EXAMPLE}"])
    faults.mapping(documents[0], ("actions",))
    actions = faults.required(documents[0], "actions", _EXAMPLE)
    rules: dict[str, GateRule] = {}
    if actions is not None:
        if not actions.fields:
            faults.add(actions, f"is {actions.kind}: {_EXAMPLE}")
        rules = {name: _rule(faults, name, node) for name, node in (actions.fields or {}).items()}
    if faults.found:
        raise BadDocument(faults.found)
    return rules


def _rule(faults: Faults, action: str, node: Node) -> GateRule:
    fields = faults.mapping(node, ("min_remaining", "block_on", "no_data"))
    rule = GateRule(action)
    share = fields.get("min_remaining")
    least = faults.number(share, "write a share of the budget, e.g. 0.1") if share is not None else rule.min_remaining
    if share is not None and least is not None and not 0 <= least <= 1:
        faults.add(share, f"is {share.kind}: write a share of the budget between 0 and 1, e.g. 0.1")
    no_data = fields.get("no_data")
    if no_data is not None and no_data.scalar not in ("block", "allow"):
        faults.add(no_data, f"is {no_data.kind}: write `block` or `allow`")
    return GateRule(
        action,
        min_remaining=least if least is not None else 0.0,
        block_on=_severities(faults, fields.get("block_on"), rule.block_on),
        no_data="allow" if no_data is not None and no_data.scalar == "allow" else "block",
    )


def _severities(faults: Faults, node: Node | None, default: tuple[Severity, ...]) -> tuple[Severity, ...]:
    if node is None:
        return default
    named = {item.scalar for item in node.items or ()}
    if node.items is None or not named <= set(_SEVERITIES):
        faults.add(node, f"is {node.kind}: write a list of `page`, `ticket`, or [] for neither")
    return tuple(severity for severity in _SEVERITIES if severity in named)
