"""What only a source of samples can tell: how far back it reaches, and whether there is traffic enough to alert on."""

from __future__ import annotations

from collections.abc import Iterator

from sre.slo.lint import rules
from sre.slo.lint.knowledge import Knowledge
from sre.slo.lint.model import Finding, PlacedTier, Subject
from sre.slo.lint.wording import duration
from sre.slo.model import ratios_of

_ENOUGH_HISTORY = 0.5


def check_time(subject: Subject, knowledge: Knowledge) -> Iterator[Finding]:
    """Windows against retention and history."""
    retention_s, period_s = knowledge.retention_s, subject.slo.period_s
    window = subject.document.window.place
    if retention_s is not None:
        for placed in subject.tiers:
            if placed.tier.long_s > retention_s:
                yield rules.BEYOND_RETENTION.at(
                    placed.place,
                    subject.name,
                    what=f"{placed.tier.name} looks back {duration(placed.tier.long_s)}; the source keeps "
                    f"{duration(retention_s)}",
                    mend="lengthen the retention, or shorten the window",
                )
        if period_s > retention_s:
            yield rules.BEYOND_RETENTION.at(
                window,
                subject.name,
                what=f"the period is {duration(period_s)}; the source keeps {duration(retention_s)}",
                mend="lengthen the retention, or shorten the period",
            )
    total = subject.side("total") or next(iter(subject.sides), None)
    if total is None or (retention_s is not None and period_s > retention_s):
        return
    if knowledge.live and not any(knowledge.present_as(selector.name) for selector in total.selectors):
        return  # that the metric is not there at all is said elsewhere
    history_s = knowledge.history_s(total.selectors, period_s)
    if history_s is not None and history_s < _ENOUGH_HISTORY * period_s:
        reach = f"about {duration(history_s)}" if history_s else "next to nothing"
        yield rules.BEYOND_HISTORY.at(
            window,
            subject.name,
            what=f"the period is {duration(period_s)}; of {total.selectors[0].name} the source holds {reach}",
            mend="wait, or read older samples from a file (--samples)",
        )


def check_traffic(subject: Subject, knowledge: Knowledge) -> Iterator[Finding]:
    """Tiers against traffic: of N events in the long window N x factor x budget are bad at the factor."""
    total = subject.side("total")
    if total is None or not ratios_of(subject.slo.sli) or subject.slo.method != "Occurrences":
        return
    rate = knowledge.rate(total.selectors)
    if rate is None:
        return
    for placed in subject.tiers:
        yield from _guard(subject, placed, rate)


def _guard(subject: Subject, placed: PlacedTier, rate: float) -> Iterator[Finding]:
    tier, budget = placed.tier, subject.slo.budget
    events = rate * tier.long_s
    expected = events * min(tier.factor * budget, 1.0)
    if tier.max_p_value is not None:
        return
    if tier.min_bad_events > 1 and expected < tier.min_bad_events:
        needed = tier.min_bad_events / (tier.factor * budget) / tier.long_s * 3600
        yield rules.PRACTICALLY_SILENT.at(
            placed.place,
            subject.name,
            what=f"{tier.name}: {3600 * rate:.3g} events an hour are {events:.3g} in {duration(tier.long_s)}; a burn "
            f"of {tier.factor:g} makes {expected:.2g} of them bad, its guard asks for {tier.min_bad_events}",
            mend=f"{needed:.3g} events an hour are needed: widen the window, lower the target, or send probes",
            severity="error" if events < tier.min_bad_events else None,
        )
    elif tier.min_bad_events <= 1 and expected < 1:
        yield _one_failure(subject, placed, events)


def _one_failure(subject: Subject, placed: PlacedTier, events: float) -> Finding:
    tier = placed.tier
    return rules.ONE_FAILURE_PAGES.at(
        placed.place,
        subject.name,
        what=f"{tier.name}: one bad event among {events:.3g} in {duration(tier.long_s)} is a burn of "
        f"{1 / events / subject.slo.budget if events else float('inf'):.3g}",
        mend='ask for at least two bad events, sre/min-bad-events: "2", or sre/max-p-value: "0.01"',
    )
