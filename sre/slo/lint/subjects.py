"""Documents to what the rules look at: each resolved objective beside the places its parts are written at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sre.slo.lint.model import PlacedTier, Side, Subject
from sre.slo.model import Slo
from sre.slo.openslo import Documents, ResolvedPolicy, objective_names, policies_by_slo
from sre.slo.openslo.joint import criteria
from sre.slo.openslo.model import RatioMetric, RawMetric, Sli, SloDocument
from sre.slo.openslo.references import Index, index
from sre.slo.tiers import tiers_of


def subjects_of(documents: Documents, slos: Sequence[Slo]) -> tuple[Subject, ...]:
    """One Subject for each of `slos`, which are what `documents` resolve to."""
    by_name, known = {slo.name: slo for slo in slos}, index(documents)
    policies = policies_by_slo(documents)
    found = []
    for document in documents.slos:
        for name, objective in zip(objective_names(document), document.objectives, strict=True):
            if name in by_name:
                part = objective.indicator or document.indicator
                sli = known.follow(part, Sli) if part is not None else None
                sides, tiers = _sides(sli), _tiers(document, by_name[name], policies[name])
                subject = Subject(by_name[name], document, objective.place, sides, tiers)
                found.append(subject if sli is None else replace(subject, criteria=_criteria(subject, sli, known)))
    return tuple(found)


def _criteria(subject: Subject, own: Sli, known: Index) -> tuple[Subject, ...]:
    """A finding at a ratio of another SLO is said in that one's name, so that it is said once."""
    return tuple(
        replace(subject, slo=replace(subject.slo, sli=one.ratio), document=one.owner, sides=_sides(one.sli))
        for one in criteria(subject.document, own, known)[0]
    )


def _tiers(document: SloDocument, slo: Slo, policies: Sequence[ResolvedPolicy]) -> tuple[PlacedTier, ...]:
    """A tier has the name of its policy; the numbers to mend are in the policy's condition."""
    places = {resolved.policy.metadata.name: resolved.condition.place for resolved in policies}
    return tuple(
        PlacedTier(tier, places.get(tier.name, document.place), own=tier.name in places) for tier in tiers_of(slo)
    )


def _sides(sli: Sli | None) -> tuple[Side, ...]:
    if sli is None:
        return ()
    measure = sli.measure
    if isinstance(measure, RawMetric):
        return (Side("raw", measure.raw.selectors, measure.raw.place),)
    if not isinstance(measure, RatioMetric):
        return (Side("metric", measure.metric.selectors, measure.metric.place),)
    sides = [Side("total", measure.total.selectors, measure.total.place)]
    if measure.good is not None:
        sides.append(Side("good", measure.good.selectors, measure.good.place))
    if measure.bad is not None:
        sides.append(Side("bad", measure.bad.selectors, measure.bad.place))
    return tuple(sides)
