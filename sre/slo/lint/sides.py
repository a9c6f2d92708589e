"""The two sides of a ratio: one must be part of the other, labels must match, failures must be in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product

from sre.metrics.model import Matcher, Selector, SeriesId
from sre.metrics.selector import format_selector, series_filter
from sre.slo.lint import rules
from sre.slo.lint.knowledge import Knowledge
from sre.slo.lint.model import Finding, Side, Subject
from sre.slo.lint.wording import one_of
from sre.slo.model import RatioSli, RawSli
from sre.slo.openslo.header import CAVEAT

TARGET_LABELS = frozenset(
    (
        *("job", "instance", "le", "quantile", "namespace", "pod", "container", "service", "endpoint", "node"),
        *("cluster", "region", "zone", "env", "environment", "replica", "prometheus", "app", "deployment"),
    )
)
"""Labels that a scrape configuration commonly adds; an exporter does not know them."""
_LITERALS = re.compile(r"(?:[\w:/ -]|\\.)+(?:\|(?:[\w:/ -]|\\.)+)*")
_MOST_COMBINATIONS = 10_000


def check_sides(subject: Subject, knowledge: Knowledge) -> Iterator[Finding]:
    """Sides against each other and against what is known of their labels."""
    yield from _raw(subject)
    yield from _failures(subject, knowledge)
    total = subject.side("total")
    for side in subject.sides:
        for selector in side.selectors:
            for matcher in selector.matchers:
                yield from _label(subject, side, selector, matcher, knowledge)
        if total is not None and side is not total:
            yield from _subset(subject, side, total, knowledge)


def _raw(subject: Subject) -> Iterator[Finding]:
    side = subject.side("raw")
    if side is not None and isinstance(subject.slo.sli, RawSli) and subject.slo.method == "Occurrences":
        yield rules.MEAN_OF_RATIOS.at(
            side.place,
            subject.name,
            what=f"{format_selector(side.selectors[0])} is a ratio, averaged over its samples",
            mend="count good (or bad) and total events in a ratioMetric; or budgetingMethod RatioTimeslices, where "
            "time is what is counted",
        )


def _failures(subject: Subject, knowledge: Knowledge) -> Iterator[Finding]:
    """Availability is a ratio of request counters; a latency histogram leaves failures to it on purpose."""
    if not isinstance(subject.slo.sli, RatioSli):
        return
    everything = [knowledge.catalogue.get(s.name) for side in subject.sides for s in side.selectors]
    if any(metric is not None and metric.type == "histogram" for metric in everything):
        return
    total = subject.side("total")
    metrics = [metric for s in (total.selectors if total else ()) if (metric := knowledge.catalogue.get(s.name))]
    counting = [metric for metric in metrics if metric.failures is not None]
    if total is None or not counting or any(metric.counts_failures for metric in counting):
        return
    partly = [metric for metric in counting if metric.failures == "some"]
    worst = (partly or counting)[0]
    caveat = subject.document.metadata.annotation(CAVEAT)
    if partly and caveat:
        return
    yield rules.CANNOT_COUNT_FAILURES.at(
        total.place,
        subject.name,
        what=f"{worst.name} {worst.why}" + (f" (its caveat: {caveat})" if caveat else ""),
        mend="measure in front of the engine: sre_gateway_requests_total counts every outcome, as does a load balancer",
        severity="warning" if partly or caveat else None,
    )


def _label(
    subject: Subject, side: Side, selector: Selector, matcher: Matcher, knowledge: Knowledge
) -> Iterator[Finding]:
    if matcher.label in ("le", "__name__") or matcher.op in ("!=", "!~") or _accepts(matcher, ""):
        return
    known = knowledge.catalogue.get(selector.name)
    asked = knowledge.live and knowledge.present_as(selector.name) is not None
    values = knowledge.label_values(selector.name, matcher.label)
    listed = knowledge.listed_values(selector.name, matcher.label)
    possible = (values or frozenset()) | (listed or frozenset())
    where = f"{format_selector(selector)} in {side.name}"
    if (asked and not possible) or (
        not asked and known is not None and known.label(matcher.label) is None and matcher.label not in TARGET_LABELS
    ):
        has = [label.name for label in known.labels] if known is not None else []
        yield rules.UNKNOWN_LABEL.at(
            side.place,
            subject.name,
            what=f"{where}: the metric has no label {matcher.label}",
            mend=f"use one of {', '.join(has)}" if has else "remove the matcher, or check the label's name",
            severity=None if asked else "warning",
        )
        return
    if not possible:
        return
    wrong = [text for text in _wanted(matcher) if text not in possible] if listed is not None or values else []
    none_fits = not any(_accepts(matcher, value) for value in possible)
    if none_fits or (listed is not None and wrong):
        said = ", ".join(wrong) or matcher.value
        yield rules.UNSEEN_VALUE.at(
            side.place,
            subject.name,
            what=f"{where}: {matcher.label} is never {said}",
            mend=f"use {one_of(sorted(possible)[:12])}",
            severity=None if listed is not None else "warning",
        )


def _subset(subject: Subject, side: Side, total: Side, knowledge: Knowledge) -> Iterator[Finding]:
    if set(side.selectors) == set(total.selectors):
        yield rules.SIDES_IDENTICAL.at(
            side.place,
            subject.name,
            what=f"{side.name} and total both are {' + '.join(format_selector(s) for s in side.selectors)}",
            mend=f"narrow {side.name} by a label",
        )
        return
    for part in side.selectors:
        rivals = [whole for whole in total.selectors if _same_events(part.name, whole.name)]
        if rivals and _sticks_out(part, rivals, knowledge):
            yield rules.NOT_A_SUBSET.at(
                side.place,
                subject.name,
                what=f"{format_selector(part)} in {side.name} selects series that "
                f"{' + '.join(format_selector(whole) for whole in rivals)} in total does not",
                mend=f"give {side.name} the matchers of total, or widen total",
            )


def _same_events(part: str, whole: str) -> bool:
    """The same metric, or two parts of one histogram; nothing is known of how others relate."""
    return part == whole or (
        part.removesuffix("_bucket") == whole.removesuffix("_count").removesuffix("_bucket")
        and part.endswith("_bucket")
    )


def _sticks_out(part: Selector, wholes: Sequence[Selector], knowledge: Knowledge) -> bool:
    """Whether some series that can exist is in `part` and in none of `wholes`. Undecidable cases are let pass."""
    alike = _alike(part, wholes)
    part, wholes = _without(part, alike), [_without(whole, alike) for whole in wholes]
    labels = sorted({m.label for one in (part, *wholes) for m in one.matchers})
    domains = [_domain(label, (part, *wholes), knowledge) for label in labels]
    size = 1
    for domain in domains:
        size *= len(domain)
    if size > _MOST_COMBINATIONS:
        return False
    inside = series_filter(part)
    covered = [series_filter(Selector(part.name, whole.matchers)) for whole in wholes]
    for values in product(*domains):
        one = SeriesId(part.name, tuple((name, value) for name, value in zip(labels, values, strict=True) if value))
        if inside(one) and not any(test(one) for test in covered):
            return True
    return False


def _alike(part: Selector, wholes: Sequence[Selector]) -> frozenset[str]:
    """Labels that every selector restricts in the same words, and `le`: they decide nothing."""
    labels = {m.label for one in (part, *wholes) for m in one.matchers}
    return frozenset(label for label in labels if all(_on(one, label) == _on(part, label) for one in wholes)) | {"le"}


def _on(selector: Selector, label: str) -> frozenset[Matcher]:
    return frozenset(m for m in selector.matchers if m.label == label)


def _without(selector: Selector, labels: frozenset[str]) -> Selector:
    return Selector(selector.name, tuple(m for m in selector.matchers if m.label not in labels))


_SOME_OTHER = "\x00any other value"


def _domain(label: str, selectors: Sequence[Selector], knowledge: Knowledge) -> tuple[str, ...]:
    """Values of the label that tell the selectors apart: those known, else those written and one that nobody wrote.

    A regular expression that is no list of literals counts for itself: what it may match is not guessed.
    """
    known = frozenset[str]().union(*(knowledge.listed_values(s.name, label) or () for s in selectors))
    if known:
        return tuple(sorted(known))
    matchers = [m for s in selectors for m in s.matchers if m.label == label]
    written = {text for m in matchers for text in _wanted(m, always=True)}
    opaque = any(m.op in ("=~", "!~") and _LITERALS.fullmatch(m.value) is None for m in matchers)
    seen = frozenset[str]().union(*(knowledge.label_values(s.name, label) or () for s in selectors))
    return tuple(sorted(written | seen | (frozenset() if opaque else {_SOME_OTHER}))) or ("",)


def _wanted(matcher: Matcher, *, always: bool = False) -> tuple[str, ...]:
    """The values a matcher spells out: one, or the alternatives of a simple regular expression."""
    if matcher.op in ("=", "!="):
        return (matcher.value,)
    if (matcher.op == "=~" or always) and _LITERALS.fullmatch(matcher.value):
        return tuple(re.sub(r"\\(.)", r"\1", text) for text in matcher.value.split("|"))
    return ()


def _accepts(matcher: Matcher, value: str) -> bool:
    test = series_filter(Selector("x", (matcher,)))
    return test(SeriesId("x", ((matcher.label, value),)))
