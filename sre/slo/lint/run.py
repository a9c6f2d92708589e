"""The lint: documents in, findings out. Rules are functions; this module only brings them together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from sre.metrics.catalogue import Catalogue
from sre.metrics.model import SampleSource
from sre.slo.lint.buckets import check_buckets
from sre.slo.lint.ignoring import Ignored
from sre.slo.lint.knowledge import Knowledge
from sre.slo.lint.metrics import check_metrics
from sre.slo.lint.model import Finding, Subject
from sre.slo.lint.sides import check_sides
from sre.slo.lint.subjects import subjects_of
from sre.slo.lint.tiers import check_tiers
from sre.slo.lint.time_and_traffic import check_time, check_traffic
from sre.slo.lint.whole import check_whole
from sre.slo.model import Slo
from sre.slo.openslo import resolve
from sre.slo.openslo.model import Documents

Check = Callable[[Subject, Knowledge], Iterator[Finding]]
OBJECTIVE_CHECKS: tuple[Check, ...] = (check_tiers, check_time, check_traffic)
INDICATOR_CHECKS: tuple[Check, ...] = (check_metrics, check_buckets, check_sides)


def lint(
    documents: Documents,
    *,
    source: SampleSource | None,
    catalogue: Catalogue | None = None,
    now: float | None = None,
) -> tuple[Finding, ...]:
    """Everything wrong with `documents`, by file and line; without a source only what the catalogue can tell.

    `now` is when the source's samples end, by default the end of a file and the present of a server. Findings that the
    documents ask to ignore are left out. Raises BadDocument when the documents do not resolve, EnvironmentLacks when
    the source does not answer.
    """
    return lint_resolved(documents, resolve(documents), source=source, catalogue=catalogue, now=now)


def lint_resolved(
    documents: Documents,
    slos: Sequence[Slo],
    *,
    source: SampleSource | None,
    catalogue: Catalogue | None = None,
    now: float | None = None,
) -> tuple[Finding, ...]:
    """`lint` for whoever has resolved the documents already."""
    known = Knowledge(
        catalogue if catalogue is not None else Catalogue.shipped(),
        source,
        now=now if now is not None else _end_of(source),
    )
    subjects = subjects_of(documents, slos)
    ignored = Ignored(documents)
    found = [*ignored.faults, *check_whole(documents, subjects)]
    for subject in subjects:
        found += [finding for check in OBJECTIVE_CHECKS for finding in check(subject, known)]
        found += [f for part in subject.indicators for check in INDICATOR_CHECKS for f in check(part, known)]
    kept = {finding for finding in found if not ignored.covers(finding)}
    return tuple(sorted(kept, key=lambda f: (f.file, f.line, f.rule, f.what)))


def _end_of(source: SampleSource | None) -> float:
    """The last sample of a source that is held whole (a file); the present for every other."""
    span: Callable[[], tuple[float, float] | None] | None = getattr(source, "span", None)
    held = span() if span is not None else None
    return held[1] if held is not None else time.time()
