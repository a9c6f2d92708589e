"""Which document a name means. Unknown names are told with the nearest one that exists.

References of OpenSLO cannot form a cycle: an SLO refers to SLIs and policies, a policy to conditions and targets, a
metric to a DataSource, and none of these refers back. (A cycle of YAML aliases is refused while reading.) The names of
our `sre/also-good` can: `joint` looks after that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from sre.slo.documents import Fault
from sre.slo.openslo.header import ALSO_GOOD, names_in
from sre.slo.openslo.model import (
    KIND_OF,
    KINDS,
    AlertCondition,
    AlertPolicy,
    DataSource,
    Document,
    Documents,
    Kind,
    Metric,
    NotificationTarget,
    Place,
    RatioMetric,
    RawMetric,
    Ref,
    Sli,
    SloDocument,
    kind_of,
)
from sre.slo.openslo.queries import is_prometheus, not_prometheus

Name = tuple[Kind, str]
_Wanted = TypeVar("_Wanted", AlertCondition, AlertPolicy, NotificationTarget, Sli)


def fault(place: Place, problem: str) -> Fault:
    """`problem` is `what: mend`."""
    path = f"{place.path}: " if place.path else ""
    return Fault(place.file, place.line, f"{place}: {path}{problem}")


@dataclass(frozen=True, slots=True)
class Index:
    """Documents by kind and name. `broken` names are known to exist, but their documents have faults of their own."""

    by_name: Mapping[Name, Document]
    broken: Mapping[Name, Place] = field(default_factory=dict)

    def follow(self, part: _Wanted | Ref, kind: type[_Wanted]) -> _Wanted | None:
        """The document meant, or the inline one; None when there is none that can be used."""
        if not isinstance(part, Ref):
            return part
        found = self.by_name.get((KIND_OF[kind], part.name))
        return found if isinstance(found, kind) else None

    def slo(self, name: str) -> SloDocument | None:
        """The SLO of that name, if it can be used."""
        found = self.by_name.get(("SLO", name))
        return found if isinstance(found, SloDocument) else None

    def places(self, kind: Kind) -> dict[str, Place]:
        """Every name of a kind and where it stands."""
        found = {name: d.place for (k, name), d in self.by_name.items() if k == kind}
        return found | {name: place for (k, name), place in self.broken.items() if k == kind}


def index(documents: Documents, broken: Mapping[Name, Place] | None = None) -> Index:
    by_name = {(kind_of(d), d.metadata.name): d for d in documents if d.metadata is not None}
    return Index(by_name, broken or {})


def duplicates(named: Sequence[tuple[Kind, str, Place]]) -> list[Fault]:
    """A fault for every name of a kind but its first."""
    first: dict[Name, Place] = {}
    faults = []
    for kind, name, place in named:
        earlier = first.setdefault((kind, name), place)
        if name and earlier is not place:
            faults.append(fault(place, f"the {kind} `{name}` stands in {earlier} already: rename one"))
    return faults


def unresolved(documents: Documents, known: Index) -> list[Fault]:
    """A fault for every reference that leads nowhere, or to a source that cannot be read."""
    faults = []
    for document in documents:
        for kind, ref in _refs(document):
            places = known.places(kind)
            if ref.name not in places:
                faults.append(fault(ref.place, _unknown(ref.name, kind, places)))
            source = known.by_name.get((kind, ref.name))
            if isinstance(source, DataSource) and not is_prometheus(source.type):
                problem = f"the DataSource `{ref.name}` ({source.place}) has type {not_prometheus(source.type)}"
                faults.append(fault(ref.place, problem))
    for slo in documents.slos:
        faults += _misnamed_criteria(slo, known)
    return faults + _unknown_services(documents, known)


def also_good(slo: SloDocument) -> tuple[str, ...]:
    """The further indicators that the SLO's annotation names."""
    text = slo.metadata.annotation(ALSO_GOOD)
    return names_in(text) if text else ()


def _misnamed_criteria(slo: SloDocument, known: Index) -> Iterator[Fault]:
    """Names of further indicators that mean neither an SLI nor an SLO."""
    places = known.places("SLO") | known.places("SLI")
    others = {name: place for name, place in places.items() if name != slo.metadata.name}
    for name in also_good(slo):
        if name in places:
            continue
        problem = _unknown(name, "SLI or SLO", others)
        for kind in KINDS:
            if name in known.places(kind):
                article = "an" if kind.startswith("A") else "a"
                problem = f"`{name}` is {article} {kind} ({known.places(kind)[name]}): name an SLI or SLO"
        yield fault(slo.metadata.place_of(ALSO_GOOD), problem)


def _unknown_services(documents: Documents, known: Index) -> list[Fault]:
    """Services are names only, until the first Service document makes them a list."""
    places = known.places("Service")
    return [
        fault(slo.service_place, _unknown(slo.service, "Service", places))
        for slo in documents.slos
        if places and slo.service and slo.service not in places
    ]


def _unknown(name: str, kind: str, places: Mapping[str, Place]) -> str:
    near = get_close_matches(name, places, n=1, cutoff=0.4)
    if near:
        return f"no {kind} is named {name!r}: did you mean `{near[0]}` ({places[near[0]]})?"
    there = f"use one of {', '.join(sorted(places)[:5])}" if places else f"add it, or give the file with the {kind} too"
    return f"no {kind} is named {name!r}: {there}"


def _refs(document: Document | Ref | None) -> Iterator[tuple[Kind, Ref]]:
    """Every reference in a document and its inline parts."""
    if isinstance(document, SloDocument):
        for indicator in (document.indicator, *(objective.indicator for objective in document.objectives)):
            yield from _part_refs(indicator, "SLI")
        for policy in document.alert_policies:
            yield from _part_refs(policy, "AlertPolicy")
    elif isinstance(document, Sli):
        for metric in metrics_of(document):
            if metric.source is not None:
                yield "DataSource", metric.source
    elif isinstance(document, AlertPolicy):
        yield from _part_refs(document.condition, "AlertCondition")
        for target in document.targets:
            yield from _part_refs(target, "AlertNotificationTarget")


def _part_refs(part: Document | Ref | None, kind: Kind) -> Iterator[tuple[Kind, Ref]]:
    if isinstance(part, Ref):
        yield kind, part
    else:
        yield from _refs(part)


def metrics_of(sli: Sli) -> tuple[Metric, ...]:
    """Every metric of an indicator, in the order good, bad, total."""
    measure = sli.measure
    if isinstance(measure, RatioMetric):
        return tuple(metric for metric in (measure.good, measure.bad, measure.total) if metric is not None)
    return (measure.raw,) if isinstance(measure, RawMetric) else (measure.metric,)
