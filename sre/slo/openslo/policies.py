"""Alert policies to burn-rate tiers: one policy, one condition, one tier, named after the policy.

OpenSLO v1 knows one window for a condition. The short window that makes an alert stop soon after the burn does is ours:
the annotation `sre/short-window`, or a twelfth of the lookback, as in the SRE workbook (chapter 5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sre.slo.documents import Fault
from sre.slo.model import BurnTier, Severity
from sre.slo.openslo import header
from sre.slo.openslo.durations import parse_duration
from sre.slo.openslo.model import AlertCondition, AlertPolicy, Metadata, NotificationTarget, Place, SloDocument
from sre.slo.openslo.references import Index, fault
from sre.slo.tiers import workbook_tiers

PAGING = ("page", "critical", "high")
"""Words for a severity that wakes somebody; OpenSLO leaves the vocabulary open. Every other word opens a ticket."""

_SHORT_DIVISOR = 12
_SHARE_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class ResolvedPolicy:
    """An alert policy with what it refers to. The tier made from it has `policy.metadata.name`."""

    policy: AlertPolicy
    condition: AlertCondition
    targets: tuple[NotificationTarget, ...]


def resolved_policies(slo: SloDocument, known: Index) -> tuple[ResolvedPolicy, ...]:
    """Those whose references lead somewhere; `references.unresolved` tells of the others."""
    found = []
    for part in slo.alert_policies:
        policy = known.follow(part, AlertPolicy)
        condition = known.follow(policy.condition, AlertCondition) if policy is not None else None
        if policy is not None and condition is not None:
            targets = [known.follow(target, NotificationTarget) for target in policy.targets]
            found.append(ResolvedPolicy(policy, condition, tuple(t for t in targets if t is not None)))
    return tuple(found)


def tiers_of_document(slo: SloDocument, known: Index) -> tuple[tuple[BurnTier, ...], list[Fault]]:
    """The tiers of its policies, and what is wrong with them. () means the workbook's, with nothing changed."""
    period_s = slo.window.duration.seconds
    if not slo.alert_policies:
        return _workbook(slo.metadata, period_s), []
    policies = resolved_policies(slo, known)
    tiers = tuple(_tier(resolved, slo.metadata, period_s) for resolved in policies)
    faults = [f for r, tier in zip(policies, tiers, strict=True) for f in _check(r, tier, slo, period_s)]
    names = [resolved.policy.metadata.name for resolved in policies]
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.append(fault(_at(slo.place, "spec.alertPolicies"), f"has the policy `{name}` twice: remove one"))
    return tiers, faults


def _workbook(metadata: Metadata, period_s: float) -> tuple[BurnTier, ...]:
    """() unless the SLO guards against low traffic in its own way."""
    events, p_value = _guard(metadata)
    if events is None and p_value is None:
        return ()
    tiers = workbook_tiers(period_s)
    return tuple(
        replace(tier, min_bad_events=events or tier.min_bad_events, max_p_value=p_value or tier.max_p_value)
        for tier in tiers
    )


def _tier(resolved: ResolvedPolicy, slo: Metadata, period_s: float) -> BurnTier:
    condition = resolved.condition
    events, p_value = _guard(condition.metadata)
    slo_events, slo_p_value = _guard(slo)
    short = parse_duration(condition.metadata.annotation(header.SHORT_WINDOW) or "")
    long_s = condition.lookback.seconds
    severity: Severity = "page" if condition.severity.lower() in PAGING else "ticket"
    tier = BurnTier(
        name=resolved.policy.metadata.name,
        severity=severity,
        factor=condition.threshold,
        long_s=long_s,
        short_s=short.seconds if short is not None else long_s / _SHORT_DIVISOR,
        budget_share=condition.threshold * long_s / period_s,
        max_p_value=p_value or slo_p_value,
        for_s=condition.alert_after.seconds if condition.alert_after is not None else 0.0,
    )
    return replace(tier, min_bad_events=events or slo_events or tier.min_bad_events)


def _guard(metadata: Metadata) -> tuple[int | None, float | None]:
    events, p_value = metadata.annotation(header.MIN_BAD_EVENTS), metadata.annotation(header.MAX_P_VALUE)
    return int(events) if events else None, float(p_value) if p_value else None


def _check(resolved: ResolvedPolicy, tier: BurnTier, slo: SloDocument, period_s: float) -> list[Fault]:
    condition, found = resolved.condition, []
    if tier.short_s >= tier.long_s:
        problem = "is not shorter than lookbackWindow: write e.g. a twelfth of it"
        found.append(fault(_at(condition.place, f"metadata.annotations.{header.SHORT_WINDOW}"), problem))
    if tier.long_s > period_s:
        problem = f"is longer than the window of SLO `{slo.metadata.name}`, {slo.window.duration}: shorten it"
        found.append(fault(_at(condition.place, "spec.condition.lookbackWindow"), problem))
    stated = condition.metadata.annotation(header.BUDGET_SHARE)
    if stated is not None and abs(float(stated) - tier.budget_share) > _SHARE_TOLERANCE * tier.budget_share:
        factor = float(stated) * period_s / tier.long_s
        problem = (
            f"is {stated}, but threshold {tier.factor:g} over {condition.lookback} spends {tier.budget_share:.4g} of "
            f"the budget of SLO `{slo.metadata.name}` ({slo.window.duration}): write {factor:.4g}, or remove it"
        )
        found.append(fault(_at(condition.place, f"metadata.annotations.{header.BUDGET_SHARE}"), problem))
    return found


def _at(place: Place, path: str) -> Place:
    return Place(place.file, place.line, f"{place.path}.{path}" if place.path else path)
