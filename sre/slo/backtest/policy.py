"""Tiers as OpenSLO v1 documents, ready to paste: an AlertPolicy for each, since v1 allows a policy one condition.

What v1 has no field for stands in the condition's annotations: short window, budget share, minimum of bad events.
"""

from __future__ import annotations

from collections.abc import Sequence

from sre.slo.model import BurnTier, Severity
from sre.slo.openslo import write_documents
from sre.slo.openslo.header import BUDGET_SHARE, MAX_P_VALUE, MIN_BAD_EVENTS, SHORT_WINDOW
from sre.slo.openslo.model import AlertCondition, AlertPolicy, Duration, Metadata, NotificationTarget, Ref, Unit

_UNITS: tuple[tuple[Unit, float], ...] = (("d", 86400.0), ("h", 3600.0), ("m", 60.0))
TARGETS: dict[Severity, str] = {"page": "on-call", "ticket": "ticket-queue"}


def policy_yaml(slo: str, tiers: Sequence[BurnTier], *, remarks: Sequence[str] = ()) -> str:
    """A policy `<slo>-<tier>` for each tier and the targets they name; `remarks` are comments above.

    How the SLO refers to them stands above as well. Windows are written in whole minutes.
    """
    policies = [_policy(slo, tier) for tier in tiers]
    names = "".join(f"\n    - alertPolicyRef: {policy.metadata.name}" for policy in policies)
    told = [*remarks, f"in the SLO {slo}:"]
    comments = "".join(f"# {' '.join(remark.split())}\n" for remark in told)
    reference = "".join(f"# {line}\n" for line in f"  alertPolicies:{names}".splitlines())
    used = dict.fromkeys(tier.severity for tier in tiers)
    targets = [NotificationTarget(Metadata(TARGETS[severity]), TARGETS[severity]) for severity in used]
    return comments + reference + write_documents([*policies, *targets])


def duration(seconds: float) -> Duration:
    """In the longest unit that is whole; OpenSLO has no seconds, so 90 s becomes 2 minutes."""
    for unit, size in _UNITS:
        if seconds >= size and abs(seconds / size - round(seconds / size)) < 1e-9:
            return Duration(round(seconds / size), unit)
    return Duration(max(1, -int(-seconds // 60)), "m")


def _policy(slo: str, tier: BurnTier) -> AlertPolicy:
    return AlertPolicy(
        metadata=Metadata(f"{slo}-{tier.name}"),
        condition=_condition(tier),
        targets=(Ref(TARGETS[tier.severity]),),
        when_resolved=True,
    )


def _condition(tier: BurnTier) -> AlertCondition:
    annotations = {
        SHORT_WINDOW: str(duration(tier.short_s)),
        BUDGET_SHARE: f"{tier.budget_share:.9g}",
        MIN_BAD_EVENTS: str(tier.min_bad_events),
    }
    if tier.max_p_value is not None:
        annotations[MAX_P_VALUE] = f"{tier.max_p_value:g}"
    return AlertCondition(
        metadata=Metadata(tier.name, annotations=tuple(sorted(annotations.items()))),
        severity=tier.severity,
        threshold=round(tier.factor, 9),
        lookback=duration(tier.long_s),
        alert_after=duration(tier.for_s) if tier.for_s else None,
    )
