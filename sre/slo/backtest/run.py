"""A backtest of several SLOs over one source: replay, score, and what is needed to draw it; then the data is let go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sre.errors import NoData, SreError
from sre.metrics.model import SampleSource
from sre.slo.backtest.labels import within_replay
from sre.slo.backtest.model import Backtest, Episode, Label, Measured, Plan, Score, SloBacktest
from sre.slo.backtest.replay import Replay, evaluation_times, lasting, replay
from sre.slo.backtest.scoring import Firing, Spent, episodes_of, merged, score
from sre.slo.backtest.trace import trace
from sre.slo.model import Severity, Slo
from sre.slo.tiers import tiers_of

SEVERITIES: tuple[Severity, ...] = ("page", "ticket")
OnSlo = Callable[[SloBacktest], None]


def any_of(severity: Severity) -> str:
    """What the set of a severity's tiers is called."""
    return f"any {severity}"


def backtest(
    source: SampleSource, slos: Sequence[Slo], plan: Plan, labels: Sequence[Label] = (), *, on_slo: OnSlo | None = None
) -> Backtest:
    """Replay every SLO, one after the other. Raises SreError for a plan that cannot work or labels that never overlap.

    An SLO without data becomes a result with its reason.
    """
    kept, left_out = within_replay(labels, plan, [slo.name for slo in slos])
    collected = Collected(source.name, plan, kept, left_out)
    for slo in slos:
        collected.add(*backtest_slo(source, slo, plan, kept))
        if on_slo is not None:
            on_slo(collected.slos[-1])
    return collected.result()


def backtest_slo(
    source: SampleSource, slo: Slo, plan: Plan, labels: Sequence[Label], *, draw: bool = True
) -> tuple[SloBacktest, dict[Severity, NDArray[np.bool_]]]:
    """One SLO replayed and scored, and when any of its tiers of each severity fired (for the set over all SLOs)."""
    try:
        done = replay(source, slo, plan)
    except NoData as error:
        return _nothing(slo, plan, str(error)), {}
    mine = [label for label in labels if label.concerns(slo.name)]
    firings = [
        Firing(tier.name, tier.severity, done.times, holds) for tier, holds in zip(done.tiers, done.holds, strict=True)
    ]
    spent = _spent(done, plan)
    sets = [
        merged(any_of(severity), severity, chosen)
        for severity in SEVERITIES
        if (chosen := [firing for firing in firings if firing.severity == severity])
    ]
    bad, total = done.events.between(plan.start, plan.end)
    found = SloBacktest(
        slo=slo,
        reason=None,
        bad=bad,
        total=total,
        first_sample=done.first_sample,
        tiers=done.tiers,
        skipped=done.skipped,
        episodes=_by_time(episode for firing in firings for episode in episodes_of(slo.name, firing, mine, plan)),
        scores=tuple(score(slo.name, firing, mine, plan, spent) for firing in firings),
        sets=tuple(score(slo.name, firing, mine, plan, spent) for firing in sets),
        notes=_notes(done, plan),
        trace=trace(done) if draw else None,
    )
    return found, {firing.severity: firing.holds for firing in sets}


@dataclass(slots=True)
class Collected:
    """Results gathered SLO by SLO, in any order of arrival; `any_slo` grows into when anything at all fired."""

    source: str
    plan: Plan
    labels: tuple[Label, ...]
    left_out: tuple[tuple[Label, str], ...]
    slos: list[SloBacktest] = field(default_factory=list)
    any_slo: dict[Severity, NDArray[np.bool_]] = field(default_factory=dict)

    def add(self, found: SloBacktest, fired: dict[Severity, NDArray[np.bool_]]) -> None:
        self.slos.append(found)
        for severity, holds in fired.items():
            self.any_slo[severity] = self.any_slo[severity] | holds if severity in self.any_slo else holds

    def result(self) -> Backtest:
        times = evaluation_times(self.plan)
        firings = [Firing(any_of(s), s, times, self.any_slo[s]) for s in SEVERITIES if s in self.any_slo]
        overall = tuple(score("any SLO", firing, self.labels, self.plan, _no_single_budget) for firing in firings)
        return Backtest(self.source, self.plan, self.labels, self.left_out, tuple(self.slos), overall)


def find_score(scores: Iterable[Score], name: str) -> Score | None:
    return next((one for one in scores if one.name == name), None)


def _by_time(episodes: Iterable[Episode]) -> tuple[Episode, ...]:
    return tuple(sorted(episodes, key=lambda e: (e.fired_at, e.tier)))


def _spent(done: Replay, plan: Plan) -> Spent:
    """Bad events over what the period may have, its events estimated from the replay's own rate."""
    total = done.events.between(plan.start, plan.end)[1]
    period = plan.clock.compress(done.slo.period_s)
    allowed = done.slo.budget * total * period / plan.span_s

    def spent(start: float, end: float) -> Measured:
        if allowed <= 0:
            return Measured(None, "no events in the replay")
        return Measured(done.events.between(start, end)[0] / allowed)

    return spent


def _no_single_budget(_start: float, _end: float) -> Measured:
    return Measured(None, "several SLOs have no one budget")


def _notes(done: Replay, plan: Plan) -> tuple[str, ...]:
    notes = []
    longest = max(plan.clock.compress(tier.long_s) for tier in done.tiers)
    warm = done.first_sample + longest - plan.start
    if warm > plan.step_s:
        notes.append(
            f"in the first {lasting(min(warm, plan.span_s))} not every window is full: "
            "there are no samples from long enough before the start"
        )
    if plan.convention != "events":
        notes.append(
            f"alerts as a Prometheus would evaluate them ({plan.convention}); the budget is counted from events"
        )
    return tuple(notes)


def _nothing(slo: Slo, plan: Plan, reason: str) -> SloBacktest:
    tiers = tiers_of(slo) if plan.tiers is None else plan.tiers
    return SloBacktest(slo, reason, 0.0, 0.0, None, tiers, (), (), (), (), (), None)


def require_data(result: Backtest) -> None:
    """Raises NoData, with the reasons, when not one SLO could be replayed."""
    if result.slos and all(one.reason is not None for one in result.slos):
        reasons = dict.fromkeys(str(one.reason) for one in result.slos)
        raise NoData("; ".join(reasons) or "nothing to replay")


def require_slos(slos: Sequence[Slo]) -> None:
    if not slos:
        raise SreError("no SLO to replay: give OpenSLO documents")
