"""Documents to `Slo`: references followed, one `Slo` for each objective, alert policies turned into tiers.

An SLO with several objectives becomes `NAME-1`, `NAME-2` ... in the order written: a name made from the objective's
title would change with its wording, and the name is what alerts and dashboards are known by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo

from sre.errors import BadDocument
from sre.slo.documents import Fault
from sre.slo.model import BurnTier, CalendarWindow, JointSli, RawSli, Slo, ThresholdSli
from sre.slo.model import Sli as Indicator
from sre.slo.openslo import header
from sre.slo.openslo.joint import criteria, ratio_of
from sre.slo.openslo.model import (
    Documents,
    Metadata,
    Objective,
    Place,
    RatioMetric,
    RawMetric,
    Sli,
    SloDocument,
    TimeWindow,
    kind_of,
)
from sre.slo.openslo.policies import ResolvedPolicy, resolved_policies, tiers_of_document
from sre.slo.openslo.references import Index, Name, duplicates, fault, index, unresolved

_LONGEST_NAME = 63


def resolve(documents: Documents) -> tuple[Slo, ...]:
    """One `Slo` for each objective, in the order read. Raises BadDocument with every fault."""
    named = [(kind_of(d), d.metadata.name, d.metadata.place) for d in documents if d.metadata is not None]
    slos, faults = resolution(documents, {})
    faults = [*duplicates(named), *faults]
    if faults:
        raise BadDocument([found.text for found in sorted(set(faults))])
    return slos


def policies_by_slo(documents: Documents) -> dict[str, tuple[ResolvedPolicy, ...]]:
    """By the name of each resolved `Slo`, the alert policies behind its tiers: whom an alert tells, and when."""
    known = index(documents)
    return {name: resolved_policies(slo, known) for slo in documents.slos for name in objective_names(slo)}


def resolution(documents: Documents, broken: Mapping[Name, Place]) -> tuple[tuple[Slo, ...], list[Fault]]:
    """The SLOs that can be made, and the faults in the way of others. `broken` names are not reported as missing."""
    known = index(documents, broken)
    faults = unresolved(documents, known)
    found: list[Slo] = []
    for document in documents.slos:
        resolver = _Resolver(document, known)
        found += resolver.slos()
        faults += resolver.faults
    faults += _clashes(documents)
    return tuple(found), faults


def objective_names(slo: SloDocument) -> tuple[str, ...]:
    """The names of the `Slo`s that a document becomes."""
    if len(slo.objectives) == 1:
        return (slo.metadata.name,)
    return tuple(f"{slo.metadata.name}-{number}" for number in range(1, len(slo.objectives) + 1))


def _clashes(documents: Documents) -> list[Fault]:
    """Objectives that take the name of another SLO."""
    places = {slo.metadata.name: slo.place for slo in documents.slos if len(slo.objectives) == 1}
    return [
        fault(slo.metadata.place, f"its objective {name} has the name of the SLO in {places[name]}: rename one")
        for slo in documents.slos
        for name in objective_names(slo)
        if name in places and slo.metadata.name != name
    ]


@dataclass(slots=True)
class _Resolver:
    """One document to its `Slo`s."""

    document: SloDocument
    known: Index
    faults: list[Fault] = field(default_factory=list)

    def slos(self) -> list[Slo]:
        document = self.document
        tiers, faults = tiers_of_document(document, self.known)
        self.faults += faults
        names = objective_names(document)
        if len(names) > 1 and len(names[-1]) > _LONGEST_NAME:
            self._fault(document.metadata.place, f"leaves no room for `-{len(names)}` of its objectives: shorten it")
        found = [self._slo(objective, name, tiers) for objective, name in zip(document.objectives, names, strict=True)]
        return [slo for slo in found if slo is not None]

    def _slo(self, objective: Objective, name: str, tiers: tuple[BurnTier, ...]) -> Slo | None:
        document, metadata = self.document, self.document.metadata
        sli = self._indicator(objective)
        if sli is None:
            return None
        period_s = document.window.duration.seconds
        slice_s = objective.slice_window.seconds if objective.slice_window is not None else None
        if slice_s is not None and slice_s >= period_s:
            problem = (
                f"timeSliceWindow is {objective.slice_window}: write less than the window, {document.window.duration}"
            )
            self._fault(objective.place, problem)
        usd = metadata.annotation(header.BUDGET_USD)
        return Slo(
            name=name,
            title=_title(document, objective, name),
            description=document.description,
            service=document.service,
            target=objective.target,
            period_s=period_s,
            sli=sli,
            path=document.place.file,
            runbook=metadata.annotation(header.RUNBOOK),
            line=document.place.line,
            method=document.method,
            slice_s=slice_s,
            slice_target=objective.slice_target,
            calendar=_calendar(document.window),
            tiers=tiers,
            no_data=header.no_data_policy(metadata),
            budget_usd=Decimal(usd) if usd else None,
            labels=_labels(metadata),
        )

    def _indicator(self, objective: Objective) -> Indicator | None:
        part = objective.indicator or self.document.indicator
        found = self.known.follow(part, Sli) if part is not None else None
        if found is None:
            return None
        measure, op, value = found.measure, objective.op, objective.value
        joint, faults = criteria(self.document, found, self.known)
        self.faults += faults
        if isinstance(measure, RatioMetric | RawMetric):
            if op is not None or value is not None:
                self._fault(objective.place, "op and value belong to a thresholdMetric: remove them")
            if isinstance(measure, RawMetric):
                return RawSli(measure.raw.selectors, measure.failure)
            return JointSli(tuple(one.ratio for one in joint)) if len(joint) > 1 else ratio_of(measure)
        if objective.indicator is None and len(self.document.objectives) > 1:
            self._fault(objective.place, "a thresholdMetric has one objective in OpenSLO v1: write an SLO for each")
        if op is None or value is None:
            self._fault(objective.place, "a thresholdMetric needs op and value: e.g. `op: lte` and `value: 0.9`")
            return None
        return ThresholdSli(measure.metric.selectors, op, value)

    def _fault(self, place: Place, problem: str) -> None:
        self.faults.append(fault(place, problem))


def _title(document: SloDocument, objective: Objective, name: str) -> str:
    title = document.metadata.title
    if len(document.objectives) == 1:
        return title
    return f"{title}: {objective.display_name or name.rpartition('-')[2]}"


def _calendar(window: TimeWindow) -> CalendarWindow | None:
    if window.calendar is None:
        return None
    unit = window.duration.unit
    if unit == "m" or unit == "h":
        raise BadDocument([f"{window.place}: {window.place.path}: is aligned to a calendar: write days or longer"])
    return CalendarWindow(window.duration.count, unit, window.calendar.start, ZoneInfo(window.calendar.zone))


def _labels(metadata: Metadata) -> tuple[tuple[str, str], ...]:
    """A label with several values has them joined by commas."""
    return tuple((key, value if isinstance(value, str) else ",".join(value)) for key, value in metadata.labels)
