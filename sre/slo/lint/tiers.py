"""Alert tiers: those that stay silent for good, those that call people for nothing, windows that do not fit.

Bounds of a burn: every event bad is burn 1 / (1 - target); burn 1 spends the budget exactly in a period (SRE workbook,
chapter 5).
"""

from __future__ import annotations

from collections.abc import Iterator

from sre.slo.lint import rules
from sre.slo.lint.knowledge import Knowledge
from sre.slo.lint.model import Finding, PlacedTier, Subject
from sre.slo.lint.wording import duration
from sre.slo.tiers import budget_share_of, can_fire

_LEAST_TICKET_FACTOR = 0.5


def check_tiers(subject: Subject, knowledge: Knowledge) -> Iterator[Finding]:
    """Every tier rule that needs no traffic."""
    interval_s = knowledge.interval_s(s for side in subject.sides for s in side.selectors)
    for placed in subject.tiers:
        yield from _factor(subject, placed)
        yield from _exhaustion(subject, placed)
        yield from _delay(subject, placed)
        if interval_s is not None:
            yield from _scrapes(subject, placed, interval_s)


def _factor(subject: Subject, placed: PlacedTier) -> Iterator[Finding]:
    tier, budget = placed.tier, subject.slo.budget
    if not can_fire(tier, budget):
        yield rules.TIER_NEVER_FIRES.at(
            placed.place,
            subject.name,
            what=f"{tier.name} asks for a burn of {tier.factor:g}; a target of {subject.slo.target:g} allows at most "
            f"{1 / budget:g}, when every event is bad",
            mend=_never_mend(subject, placed),
            severity="warning" if not placed.own and _somebody_is_paged(subject) else None,
        )
    least = 1.0 if tier.severity == "page" else _LEAST_TICKET_FACTOR
    if tier.factor < least or (tier.severity == "ticket" and tier.factor == least):
        yield rules.TIER_ON_SOUND_BUDGET.at(
            placed.place,
            subject.name,
            what=f"{tier.name} ({tier.severity}) fires at a burn of {tier.factor:.3g}",
            mend="raise its threshold, or shorten its window"
            if placed.own
            else f"{duration(subject.slo.period_s)} is a short period for the workbook's tiers: write alert policies",
        )


def _somebody_is_paged(subject: Subject) -> bool:
    """A low target silences the fastest of the workbook's tiers first; the slower ones may still page."""
    pages = [placed.tier for placed in subject.tiers if placed.tier.severity == "page"]
    return any(can_fire(tier, subject.slo.budget) for tier in pages)


def _never_mend(subject: Subject, placed: PlacedTier) -> str:
    most = 1 / subject.slo.budget
    if placed.own:
        return f"lower its threshold below {most:g}"
    return f"the workbook's tiers do not fit this target: write alert policies with thresholds below {most:g}"


def _exhaustion(subject: Subject, placed: PlacedTier) -> Iterator[Finding]:
    tier, period_s = placed.tier, subject.slo.period_s
    share = budget_share_of(tier.factor, tier.long_s, period_s)
    if share >= 1 and can_fire(tier, subject.slo.budget):
        yield rules.FIRES_AFTER_EXHAUSTION.at(
            placed.place,
            subject.name,
            what=f"{tier.name}: a burn of {tier.factor:g} over {duration(tier.long_s)} is {share:.0%} of the budget of "
            f"{duration(period_s)}",
            mend=f"shorten its window below {duration(period_s / tier.factor)}, or lower its threshold",
        )


def _delay(subject: Subject, placed: PlacedTier) -> Iterator[Finding]:
    tier = placed.tier
    if tier.for_s > tier.short_s:
        yield rules.FOR_LONGER_THAN_SHORT.at(
            placed.place,
            subject.name,
            what=f"{tier.name}: alertAfter {duration(tier.for_s)}, short window {duration(tier.short_s)}",
            mend="remove alertAfter, or shorten it",
        )


def _scrapes(subject: Subject, placed: PlacedTier, interval_s: float) -> Iterator[Finding]:
    tier = placed.tier
    if tier.short_s < 2 * interval_s:
        yield rules.SHORT_BELOW_SCRAPES.at(
            placed.place,
            subject.name,
            what=f"{tier.name}: short window {duration(tier.short_s)}, scraped every {duration(interval_s)}",
            mend=f"scrape at least every {duration(tier.short_s / 2)}, or widen it to {duration(2 * interval_s)}",
        )
