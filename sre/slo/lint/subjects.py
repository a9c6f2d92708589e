"""Documents to what the rules look at: each resolved objective beside the places its parts are written at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sre.slo.lint.model import PlacedTier, Side, Subject
from sre.slo.model import Slo
from sre.slo.openslo import Documents, ResolvedPolicy, objective_names, policies_by_slo
from sre.slo.openslo.model import RatioMetric, RawMetric, Ref, Sli, SloDocument
from sre.slo.tiers import tiers_of


def subjects_of(documents: Documents, slos: Sequence[Slo]) -> tuple[Subject, ...]:
    """One Subject for each of `slos`, which are what `documents` resolve to."""
    by_name = {slo.name: slo for slo in slos}
    slis = {sli.metadata.name: sli for sli in documents.slis if sli.metadata is not None}
    policies = policies_by_slo(documents)
    return tuple(
        Subject(
            slo=by_name[name],
            document=document,
            objective=objective.place,
            sides=_sides(objective.indicator or document.indicator, slis),
            tiers=_tiers(document, by_name[name], policies[name]),
        )
        for document in documents.slos
        for name, objective in zip(objective_names(document), document.objectives, strict=True)
        if name in by_name
    )


def _tiers(document: SloDocument, slo: Slo, policies: Sequence[ResolvedPolicy]) -> tuple[PlacedTier, ...]:
    """A tier has the name of its policy; the numbers to mend are in the policy's condition."""
    places = {resolved.policy.metadata.name: resolved.condition.place for resolved in policies}
    return tuple(
        PlacedTier(tier, places.get(tier.name, document.place), own=tier.name in places) for tier in tiers_of(slo)
    )


def _sides(part: Sli | Ref | None, slis: Mapping[str, Sli]) -> tuple[Side, ...]:
    sli = slis.get(part.name) if isinstance(part, Ref) else part
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
