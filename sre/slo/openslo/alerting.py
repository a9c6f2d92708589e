"""Kinds AlertPolicy, AlertCondition and AlertNotificationTarget, by themselves or inline.

A condition here fires while the budget burns at or above its threshold. OpenSLO lets `op` be anything; an alert that
fires while little burns is refused, whoever meant it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

from sre.slo.documents import Faults, Node
from sre.slo.openslo.durations import FIXED, read_duration
from sre.slo.openslo.header import CONDITION_ANNOTATIONS, POLICY_ANNOTATIONS, place_of, read_description, read_metadata
from sre.slo.openslo.model import AlertCondition, AlertPolicy, Kind, Metadata, NotificationTarget, Ref
from sre.slo.openslo.queries import read_ref

_Part = TypeVar("_Part", AlertCondition, AlertPolicy, NotificationTarget)
_BURN = "fires while the budget burns at or above the threshold: write `op: gte`"


def read_policies(node: Node | None, faults: Faults) -> tuple[AlertPolicy | Ref, ...]:
    """An SLO's alertPolicies."""
    items = faults.list_of(node, "write a list of `- alertPolicyRef: NAME` or inline policies")
    found = [_part(item, faults, "AlertPolicy", "alertPolicyRef", read_policy) for item in items]
    return tuple(policy for policy in found if policy is not None)


def read_policy(document: Node, faults: Faults) -> AlertPolicy | None:
    metadata = _metadata(document, faults, ours=POLICY_ANNOTATIONS)
    spec = faults.required(document, "spec", "say when it alerts and whom")
    if spec is None:
        return None
    flags = ("alertWhenNoData", "alertWhenResolved", "alertWhenBreaching")
    fields = faults.mapping(spec, ("description", *flags, "conditions", "notificationTargets"))
    switches = {key: faults.boolean(fields.get(key), "write true or false", default=key == flags[2]) for key in flags}
    if not switches["alertWhenBreaching"]:
        faults.add(fields["alertWhenBreaching"], "is False: a policy that never alerts: write `true`, or remove it")
    condition = _condition(spec, faults)
    targets = _targets(spec, faults)
    description = read_description(fields, faults)
    if metadata is None or condition is None:
        return None
    return AlertPolicy(
        metadata=metadata,
        condition=condition,
        targets=targets,
        when_no_data=switches["alertWhenNoData"],
        when_resolved=switches["alertWhenResolved"],
        description=description,
        place=place_of(document, faults),
    )


def _condition(spec: Node, faults: Faults) -> AlertCondition | Ref | None:
    node = faults.required(spec, "conditions", "write a list with one condition")
    items = faults.list_of(node, "write a list with one condition")
    if node is not None and node.items is not None and len(items) != 1:
        more = ": write one policy for each" if items else ""
        faults.add(node, f"is a list of {len(items)}: OpenSLO v1 allows exactly one condition{more}")
    found = [_part(item, faults, "AlertCondition", "conditionRef", read_condition) for item in items]
    return found[0] if found else None


def _targets(spec: Node, faults: Faults) -> tuple[NotificationTarget | Ref, ...]:
    node = faults.required(spec, "notificationTargets", "say who is told: a list of `- targetRef: NAME`")
    items = faults.list_of(node, "write a list of `- targetRef: NAME` or inline targets")
    if node is not None and node.items == ():
        faults.add(node, "is a list of 0: say who is told: a list of `- targetRef: NAME`")
    found = [_part(item, faults, "AlertNotificationTarget", "targetRef", read_target) for item in items]
    return tuple(target for target in found if target is not None)


def read_condition(document: Node, faults: Faults) -> AlertCondition | None:
    metadata = _metadata(document, faults, ours=CONDITION_ANNOTATIONS)
    spec = faults.required(document, "spec", "give severity and condition")
    if spec is None:
        return None
    fields = faults.mapping(spec, ("description", "severity", "condition"))
    description = read_description(fields, faults)
    severity = faults.text(faults.required(spec, "severity", "write `page` or `ticket`"), "write `page` or `ticket`")
    node = faults.required(spec, "condition", "give kind, op, threshold, lookbackWindow and alertAfter")
    if node is None:
        return None
    inside = faults.mapping(node, ("kind", "op", "threshold", "lookbackWindow", "alertAfter"))
    faults.constant(inside.get("kind"), "burnrate", "write `burnrate`, the only kind there is")
    faults.constant(inside.get("op"), "gte", _BURN)
    threshold = _threshold(faults.required(node, "threshold", "write the burn rate, e.g. 14.4"), faults)
    lookback_node = faults.required(node, "lookbackWindow", "write e.g. `lookbackWindow: 1h`")
    lookback = read_duration(lookback_node, faults, units=FIXED, example="1h")
    after = read_duration(inside.get("alertAfter"), faults, units=FIXED, zero=True, example="0m")
    if metadata is None or lookback is None or threshold is None:
        return None
    return AlertCondition(metadata, severity, threshold, lookback, after, description, place_of(document, faults))


def read_target(document: Node, faults: Faults) -> NotificationTarget | None:
    metadata = _metadata(document, faults)
    spec = faults.required(document, "spec", "give the target, e.g. `target: slack`")
    if spec is None:
        return None
    fields = faults.mapping(spec, ("description", "target"))
    description = read_description(fields, faults)
    target = faults.text(faults.required(spec, "target", "write e.g. `target: slack`"), "write e.g. `slack`")
    return None if metadata is None else NotificationTarget(metadata, target, description, place_of(document, faults))


def _threshold(node: Node | None, faults: Faults) -> float | None:
    number = faults.number(node, "write the burn rate, e.g. 14.4") if node is not None else None
    if node is not None and number is not None and not (0 < number < math.inf):
        faults.add(node, f"is {node.kind}: write a burn rate above 0, e.g. 14.4")
        return None
    return number


def _metadata(document: Node, faults: Faults, *, ours: tuple[str, ...] = ()) -> Metadata | None:
    node = faults.required(document, "metadata", "give at least metadata.name")
    return read_metadata(node, faults, ours=ours) if node is not None else None


def _part(
    item: Node, faults: Faults, kind: Kind, ref: str, read: Callable[[Node, Faults], _Part | None]
) -> _Part | Ref | None:
    """An item that is either `REF: NAME` or a document of `kind` without apiVersion."""
    if item.fields is None:
        faults.add(item, f"is {item.kind}: write `- {ref}: NAME`, or the {kind} inline")
        return None
    if ref in item.fields:
        faults.mapping(item, (ref,), mend=f"a reference stands alone, remove it or `{ref}`")
        return read_ref(item.fields[ref], faults, kind)
    faults.mapping(item, ("kind", "metadata", "spec"))
    faults.constant(
        faults.required(item, "kind", f"write `kind: {kind}`, or `{ref}: NAME`"), kind, f"write `{kind}` here"
    )
    return read(item, faults)
