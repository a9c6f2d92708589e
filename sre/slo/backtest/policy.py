"""Tiers as OpenSLO v1 documents, ready to paste: one AlertPolicy with its AlertConditions inline.

A condition says threshold (factor), lookbackWindow (long window) and alertAfter; what v1 has no field for stands in
annotations: the short window, the budget share, the minimum of bad events. Windows are whole minutes where they can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sre.slo.model import BurnTier

_UNITS = (("d", 86400.0), ("h", 3600.0), ("m", 60.0))


def policy_yaml(name: str, tiers: Sequence[BurnTier], *, remarks: Sequence[str] = ()) -> str:
    """The AlertPolicy `name`, with `remarks` as comments above. Refer to it from the SLO's spec.alertPolicies."""
    import yaml

    documents = [policy(name, tiers)]
    comments = "".join(f"# {' '.join(remark.split())}\n" for remark in remarks)
    return comments + yaml.safe_dump_all(documents, sort_keys=False, width=120, default_flow_style=False)


def policy(name: str, tiers: Sequence[BurnTier]) -> dict[str, Any]:
    """The policy as plain values, in the order OpenSLO's specification lists the fields."""
    return {
        "apiVersion": "openslo/v1",
        "kind": "AlertPolicy",
        "metadata": {"name": name},
        "spec": {
            "alertWhenBreaching": True,
            "alertWhenResolved": True,
            "alertWhenNoData": False,
            "conditions": [_condition(tier) for tier in tiers],
            "notificationTargets": [],
        },
    }


def duration(seconds: float) -> str:
    """The longest unit that is whole: `1h`, `5m`; seconds are no OpenSLO unit, so `90 s` becomes `2m`."""
    for unit, size in _UNITS:
        if seconds >= size and abs(seconds / size - round(seconds / size)) < 1e-9:
            return f"{round(seconds / size)}{unit}"
    return f"{max(1, -int(-seconds // 60))}m"


def _condition(tier: BurnTier) -> dict[str, Any]:
    annotations = {
        "sre/short-window": duration(tier.short_s),
        "sre/budget-share": f"{tier.budget_share:.6g}",
        "sre/min-bad-events": str(tier.min_bad_events),
    }
    if tier.max_p_value is not None:
        annotations["sre/max-p-value"] = f"{tier.max_p_value:g}"
    return {
        "kind": "AlertCondition",
        "metadata": {"name": tier.name, "annotations": annotations},
        "spec": {
            "severity": tier.severity,
            "condition": {
                "kind": "burnrate",
                "op": "gte",
                "threshold": round(tier.factor, 9),
                "lookbackWindow": duration(tier.long_s),
                "alertAfter": duration(tier.for_s) if tier.for_s else "0m",
            },
        },
    }
