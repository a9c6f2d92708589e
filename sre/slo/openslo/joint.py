"""`sre/also-good`: further indicators that the same requests must meet, which OpenSLO v1 has no field for.

An SLO whose own indicator is the first criterion names the others, so that a threshold is written once and changed
once. A name means an SLI document if there is one, else the indicator of an SLO with all that this one names. Only
ratios over counters count requests; what gauges and time slices count are not the same events.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sre.slo.documents import Fault
from sre.slo.model import RatioSli
from sre.slo.openslo.header import ALSO_GOOD
from sre.slo.openslo.model import RatioMetric, RawMetric, Ref, Sli, SloDocument
from sre.slo.openslo.references import Index, also_good, fault


@dataclass(frozen=True, slots=True)
class Criterion:
    """One ratio of several; `owner` is the SLO that it is the own indicator of, else the one that asks for it."""

    owner: SloDocument
    sli: Sli
    ratio: RatioSli


def ratio_of(measure: RatioMetric) -> RatioSli:
    """The ratio that the metric describes."""
    good, bad = (side.selectors if side is not None else () for side in (measure.good, measure.bad))
    return RatioSli(total=measure.total.selectors, good=good, bad=bad, counter=measure.counter)


def criteria(document: SloDocument, own: Sli, known: Index) -> tuple[tuple[Criterion, ...], list[Fault]]:
    """`own` and every indicator that the document's annotation leads to, each once; and what is wrong with them.

    () without the annotation. Names that mean nothing are told by `references.unresolved`.
    """
    if not also_good(document):
        return (), []
    gathering = _Gathering(document, known)
    if document.method != "Occurrences":
        gathering.fault(f"belongs to Occurrences, {document.method} judges time: remove it")
    wrong = gathering.take(document, own)
    if wrong is not None:
        gathering.fault(f"the SLO's own indicator {wrong}")
    gathering.follow_all()
    return tuple(gathering.found.values()), gathering.faults


@dataclass(slots=True)
class _Gathering:
    """What one document's annotation leads to. Faults of what others name are told at those."""

    document: SloDocument
    known: Index
    found: dict[RatioSli, Criterion] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def follow_all(self) -> None:
        """Take what the document names, then what those SLOs name, each looked at once however many name it."""
        root = self.document
        trails: dict[str, tuple[SloDocument, tuple[str, ...]]] = {root.metadata.name: (root, (root.metadata.name,))}
        waiting = [root.metadata.name]
        for leader in waiting:  # grows meanwhile
            document, trail = trails[leader]
            for name in also_good(document):
                problem = self._named(name, trail)
                if problem is not None and document is root:
                    self.fault(f"`{name}` {problem}")
                slo = self.known.slo(name)
                if slo is not None and name not in trails and self.known.follow(Ref(name), Sli) is None:
                    trails[name] = (slo, (*trail, name))
                    waiting.append(name)

    def take(self, owner: SloDocument, sli: Sli) -> str | None:
        """Add the indicator, unless it is there already; returns why it can be no criterion."""
        if not isinstance(sli.measure, RatioMetric) or not sli.measure.counter:
            return f"is {_kind(sli)} ({sli.place}): only ratioMetrics with `counter: true` count the same requests"
        ratio = ratio_of(sli.measure)
        self.found.setdefault(ratio, Criterion(owner, sli, ratio))
        return None

    def _named(self, name: str, trail: tuple[str, ...]) -> str | None:
        """Take what the name means; returns what is wrong with it. Unsound documents are passed over.

        `trail` are the SLOs that lead to the one that says the name, that one included.
        """
        before = len(self.found)
        sli, slo = self.known.follow(Ref(name), Sli), self.known.slo(name)
        if sli is not None:
            wrong = self.take(self.document, sli)
        elif slo is None or self._is_unsound(slo):
            return None
        elif name == trail[0]:
            return self._cycle(trail)
        else:
            wrong = self._slo(slo)
            if wrong is None and also_good(slo):
                return None
        return wrong or ("adds no criterion to those before it: remove it" if len(self.found) == before else None)

    def _slo(self, slo: SloDocument) -> str | None:
        if slo.method != "Occurrences":
            return f"({slo.place}) is budgeted by {slo.method}, which judges time: name its SLI"
        if slo.indicator is None:
            return f"({slo.place}) has an indicator in each objective: name one of their SLIs"
        own = self.known.follow(slo.indicator, Sli)
        return self.take(slo, own) if own is not None else None

    def _is_unsound(self, slo: SloDocument) -> bool:
        """Whether its indicator leads nowhere, which is told elsewhere."""
        return slo.indicator is not None and self.known.follow(slo.indicator, Sli) is None

    def _cycle(self, trail: tuple[str, ...]) -> str | None:
        if len(trail) == 1:
            return "is this SLO itself: remove it, its own indicator counts already"
        self.fault(f"leads back to this SLO, {' > '.join((*trail, trail[0]))}: remove one of these steps")
        return None

    def fault(self, problem: str) -> None:
        self.faults.append(fault(self.document.metadata.place_of(ALSO_GOOD), problem))


def _kind(sli: Sli) -> str:
    if isinstance(sli.measure, RatioMetric):
        return "a ratioMetric with `counter: false`"
    return "a raw ratio" if isinstance(sli.measure, RawMetric) else "a thresholdMetric"
