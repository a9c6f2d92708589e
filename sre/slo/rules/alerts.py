"""Alerting rules: one alert name an SLO, a rule a tier, in words that a person woken at night understands.

A rule's labels never change while it fires (a changed label is another alert), so figures stand in annotations. They
are computed where they are shown: Prometheus's templates have no arithmetic, but they can ask a query.
"""

from __future__ import annotations

import re

from sre.metrics.model import Selector
from sre.metrics.selector import format_selector
from sre.slo.model import BurnTier, JointSli, RatioSli, RawSli, Slo, ThresholdSli, ratios_of
from sre.slo.rules.durations import duration
from sre.slo.rules.joint import CRITERION_BAD
from sre.slo.rules.layers import OPPOSITE, ROUNDING, identity
from sre.slo.rules.model import AlertRule, RuleOptions
from sre.slo.rules.numbers import number, percent
from sre.slo.rules.promql import spelt
from sre.slo.rules.recordings import BAD, BURN, recorded
from sre.slo.words import span

DASHBOARD_UID = "sre-slo"
ABSENT_FOR_S = 600.0
_LABEL = re.compile(r"[^a-zA-Z0-9_]")
_OURS = frozenset({"alertname", "severity", "slo", "service", "tier", "window", "short_window", "exhaustion"})


def alert_name(slo: Slo) -> str:
    """`availability` is `AvailabilityErrorBudgetBurn`."""
    return f"{_pascal(slo.name)}ErrorBudgetBurn"


def absent_name(slo: Slo) -> str:
    return f"{_pascal(slo.name)}NoData"


def burn_alerts(slo: Slo, tiers: tuple[BurnTier, ...], options: RuleOptions) -> tuple[AlertRule, ...]:
    """One rule for each tier, in the tiers' order; windows are compressed already."""
    return tuple(_burn(slo, tier, options) for tier in tiers)


def absent_alert(slo: Slo, options: RuleOptions) -> AlertRule:
    """A ticket when none of the series that count all events exists: an SLO that sees nothing looks healthy.

    Likewise when the bucket of a latency SLO's bound does not exist, or any criterion of several cannot be counted:
    then nobody knows what was in time.
    """
    groups = [[text for selector in group for text in spelt(selector, options)[0]] for group in _needed(slo)]
    expr = " or ".join("absent(" + " or ".join(f"count({name})" for name in series) + ")" for series in groups)
    buckets = any(_buckets(ratio) for ratio in ratios_of(slo.sli))
    counting = groups[: max(len(ratios_of(slo.sli)), 1)]
    for_s = max(options.clock.compress(ABSENT_FOR_S), options.interval_s)
    labels = (("severity", "ticket"), *identity(slo), ("tier", "no-data"), *_document_labels(slo))
    texts = (
        ("summary", f"{slo.name} cannot be judged: no series counts its events"),
        (
            "description",
            f"For {span(for_s)} Prometheus has had no series for {slo.title} ({slo.service}). No alert on its "
            "error budget can fire. Look whether the target is up and scraped, whether the metric was renamed"
            + (", and whether it has this bucket bound." if buckets else "."),
        ),
        ("query", " or ".join(name for series in counting for name in series)),
    )
    links = _links(slo, absent_name(slo), options)
    return AlertRule(absent_name(slo), expr, for_s, labels, (*_escaped(texts), *links))


def _burn(slo: Slo, tier: BurnTier, options: RuleOptions) -> AlertRule:
    threshold = f"{number(tier.factor)} * {ROUNDING}"
    lines = [
        f"{recorded(slo, BURN, tier.long_s)} >= {threshold}",
        f"and on (slo) {recorded(slo, BURN, tier.short_s)} >= {threshold}",
    ]
    if tier.min_bad_events > 0:
        lines.append(f"and on (slo) {recorded(slo, BAD, tier.long_s)} >= {tier.min_bad_events}")
    labels = (
        ("severity", tier.severity),
        *identity(slo),
        ("tier", tier.name),
        ("window", duration(tier.long_s)),
        ("short_window", duration(tier.short_s)),
        ("exhaustion", duration(round(_lasts_s(slo, tier, options)))),
        *_document_labels(slo),
    )
    return AlertRule(alert_name(slo), "\n".join(lines), tier.for_s, labels, _told(slo, tier, options), tier)


def _lasts_s(slo: Slo, tier: BurnTier, options: RuleOptions) -> float:
    """How long a whole period's budget lasts at the tier's factor."""
    return options.clock.compress(slo.period_s) / tier.factor


def _told(slo: Slo, tier: BurnTier, options: RuleOptions) -> tuple[tuple[str, str], ...]:
    period_s = options.clock.compress(slo.period_s)
    long_text, period_text = duration(tier.long_s), duration(period_s)
    share = _computed(f"%f * {number(tier.long_s)} / {number(period_s)}", "humanizePercentage")
    lasts = _computed(f"round(vector({number(period_s)} / %f))", "humanizeDuration")
    sentences = [
        _literal(f"{slo.title} ({slo.service}): over the last {long_text} the error budget burned ")
        + '{{ printf "%.1f" $value }} times as fast as '
        + f"{number(slo.target * 100)} % over {period_text} allows; "
        + f"the last {duration(tier.short_s)} show that it goes on.",
        f"This took {share} of the period's budget; at this rate a full budget lasts {lasts}.",
        f"Fires from {tier.factor:.4g} times on, {percent(tier.budget_share)} of the budget in {long_text}.",
        *_bound(slo),
        *_guard(tier),
        *_clock(options),
    ]
    texts = [
        (
            "summary",
            f"{slo.name} burns its error budget " + '{{ printf "%.1f" $value }} times too fast ' + f"({tier.name})",
        ),
        ("description", " ".join(sentences)),
        ("query", _literal(_broken_down(slo, tier.short_s, options))),
    ]
    return (*texts, *_links(slo, alert_name(slo), options))


def _bound(slo: Slo) -> tuple[str, ...]:
    if not isinstance(slo.sli, JointSli):
        return ()
    return (
        f"Its {len(slo.sli.slis)} criteria are counted apart, so bad is the most that can be: no request failing two "
        "of them.",
    )


def _guard(tier: BurnTier) -> tuple[str, ...]:
    told = []
    if tier.min_bad_events > 0:
        told.append(f"Silent below {tier.min_bad_events} bad events in {duration(tier.long_s)}.")
    if tier.max_p_value is not None:
        told.append(
            f"The document's binomial test (p at most {number(tier.max_p_value)}) cannot be said in PromQL: "
            "here only that minimum guards against low traffic."
        )
    return tuple(told)


def _clock(options: RuleOptions) -> tuple[str, ...]:
    factor = options.clock.factor
    return () if factor == 1 else (f"Windows and period are compressed {number(factor)} times for a game day.",)


def _computed(expression: str, shown: str) -> str:
    """A figure that depends on the burn rate; `%f` stands for it."""
    return '{{ printf "' + expression + '" $value | query | first | value | ' + shown + " }}"


def runbook_of(slo: Slo, alert: str) -> str | None:
    """The page of one alert: what the document names, or beside it where that is the page of the SLO's burn alert.

    A page is called like its alert then, so that whoever knows the alert's name finds it.
    """
    own = f"{alert_name(slo)}.md"
    if slo.runbook is None or slo.runbook.rpartition("/")[2] != own:
        return slo.runbook
    return f"{slo.runbook.removesuffix(own)}{alert}.md"


def _links(slo: Slo, alert: str, options: RuleOptions) -> tuple[tuple[str, str], ...]:
    links = []
    page = runbook_of(slo, alert)
    if page is not None:
        base = options.runbook_base
        links.append(("runbook_url", f"{base.rstrip('/')}/{page}" if base else page))
    if options.dashboard_base is not None:
        address = options.dashboard_base.rstrip("/")
        links.append(("dashboard", f"{address}/d/{DASHBOARD_UID}?var-slo={slo.name}"))
    return _escaped(tuple(links))


def _document_labels(slo: Slo) -> tuple[tuple[str, str], ...]:
    """The document's own labels, for routing: their names made fit for Prometheus, ours never overridden."""
    fit = {_LABEL.sub("_", name): _literal(value) for name, value in slo.labels}
    return tuple((name, fit[name]) for name in sorted(fit) if name not in _OURS and not name[:1].isdigit())


def _escaped(texts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, _literal(text)) for name, text in texts)


def _literal(text: str) -> str:
    """Text from a document is no template: Prometheus would run what stands between two pairs of braces."""
    return text.replace("{{", '{{ "{{" }}')


def _broken_down(slo: Slo, window_s: float, options: RuleOptions) -> str:
    """What to look at first, as PromQL to paste: the failing side by instance; of several criteria, which one fails."""
    window = duration(window_s)
    match slo.sli:
        case RatioSli(bad=bad, good=good):
            selectors = [text for one in bad or good for text in spelt(one, options)[0]]
            rate = "rate" if slo.sli.counter else "avg_over_time"
            return f"sum by (job, instance) ({rate}({selectors[0]}[{window}]))"
        case JointSli():
            return recorded(slo, CRITERION_BAD, window_s)
        case ThresholdSli(metric=metric, op=op, value=value):
            return f"{format_selector(metric[0])} {OPPOSITE[op]} {number(value)}"
        case RawSli(ratio=ratio):
            return format_selector(ratio[0])


def _needed(slo: Slo) -> list[tuple[Selector, ...]]:
    """Groups of selectors of which each must have a series: all events, and the buckets of bounds, of every ratio."""
    match slo.sli:
        case ThresholdSli(metric=metric):
            return [metric]
        case RawSli(ratio=ratio):
            return [ratio]
    return [ratio.total for ratio in ratios_of(slo.sli)] + [
        buckets for ratio in ratios_of(slo.sli) if (buckets := _buckets(ratio))
    ]


def _buckets(ratio: RatioSli) -> tuple[Selector, ...]:
    sides = (*ratio.good, *ratio.bad)
    return tuple(one for one in sides if any(matcher.label == "le" for matcher in one.matchers))


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^a-zA-Z0-9]+", name))
