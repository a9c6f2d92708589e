"""A search for tiers that meet an objective on labelled history, and what they cost against those one has.

The search is coordinate descent over a small grid: from the tiers at hand, one coordinate of one tier (factor, long
window, its divisor for the short one, minimum bad events) is set to each of its values while the rest stays, the best
is kept, until a whole round changes nothing; then again from `restarts` random points of the grid, drawn from `seed`.
That finds a local optimum only. Severities stay as they are, and so does the number of tiers, but for one that another
with the same windows implies.

Where there are enough incidents, the later part of the history is held out: the search never sees it, and the figures
on it are the ones to believe. With few incidents any set of tiers can look perfect: a warning says so.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sre.errors import SreError
from sre.metrics.model import FloatArray, SampleSource
from sre.slo.backtest.model import Label, Measured, Plan, Score
from sre.slo.backtest.objective import Objective
from sre.slo.backtest.policy import duration
from sre.slo.backtest.replay import BurnsOf, Data, alerting, evaluation_times
from sre.slo.backtest.scoring import Firing, merged, score
from sre.slo.model import BurnTier, Severity, Slo
from sre.slo.tiers import budget_share_of

Tiers = tuple[BurnTier, ...]
Scores = Mapping[Severity, Score]
Tried = Callable[[int], None]

FEW_INCIDENTS = 10
_SPLIT_FROM = 6  # with fewer incidents, holding some out leaves too few to search on
_TRAIN_SHARE = 2 / 3
_FACTORS = (1.0, 1.5, 2.0, 3.0, 4.5, 6.0, 9.0, 14.4, 20.0, 30.0, 50.0, 100.0)
_LONG_S = (900.0, 1800.0, 3600.0, 2 * 3600.0, 3 * 3600.0, 6 * 3600.0, 12 * 3600.0, 86400.0, 3 * 86400.0)
_DIVISORS = (3.0, 5.0, 6.0, 12.0, 24.0)
_MIN_BAD = (1, 2, 5, 10, 30)
_MOST_ROUNDS = 6


@dataclass(frozen=True, slots=True)
class Candidate:
    """A set of tiers and how it did on the part of the history that was searched, and on what was held out."""

    tiers: Tiers
    train: Scores
    test: Scores | None


@dataclass(frozen=True, slots=True)
class Tuning:
    """The outcome for one SLO. `front`: no other tried set is at least as good in recall, false alarms and delay of
    pages, and better in one. `split_at` is where the held-out part begins. `met`: the winner meets the objective."""

    slo: Slo
    objective: Objective
    before: Candidate
    best: Candidate
    front: tuple[Candidate, ...]
    tried: int
    split_at: float | None
    met: bool
    warnings: tuple[str, ...]


def tune(
    source: SampleSource,
    slo: Slo,
    plan: Plan,
    labels: Sequence[Label],
    objective: Objective,
    before: Tiers,
    *,
    seed: int = 1,
    restarts: int = 2,
    on_tried: Tried | None = None,
) -> Tuning:
    """Search from `before` on. Raises SreError without labels for this SLO, NoData without samples."""
    mine = [label for label in labels if label.concerns(slo.name)]
    if not mine:
        raise SreError(f"{slo.name}: no label to tune against: give --labels or --drills with incidents in the replay")
    data = Data.read(source, slo, plan, back_s=max(plan.clock.compress(w) for w in (*_LONG_S, *_windows(before))))
    usable, _ = data.usable(before)
    grid = _Grid.of(slo, plan, data.history_s)
    if not usable or not grid.long_s:
        raise SreError(f"{slo.name}: the history is shorter than every window: replay a longer one")
    split_at = _split(mine, plan)
    judge = _Judge.over(data, plan, mine, split_at, on_tried)
    chosen = _descend(judge, grid, objective, usable, random.Random(seed), restarts)  # noqa: S311  (a search, no secret)
    best = judge.candidate(renamed(without_implied(chosen, objective.severities), objective.severities))
    return Tuning(
        slo=slo,
        objective=objective,
        before=judge.candidate(usable),
        best=best,
        front=tuple(judge.candidate(tiers) for tiers in _front(judge.known, best.tiers)),
        tried=len(judge.known),
        split_at=split_at,
        met=objective.met(best.train),
        warnings=_warnings(mine, split_at),
    )


def without_implied(tiers: Tiers, severities: Sequence[Severity]) -> Tiers:
    """Without tiers of these severities that never fire unless another with the same windows does."""

    def implies(one: BurnTier, other: BurnTier) -> bool:
        same = (one.severity, one.long_s, one.short_s) == (other.severity, other.long_s, other.short_s)
        return same and one.factor <= other.factor and one.min_bad_events <= other.min_bad_events

    return tuple(
        tier
        for i, tier in enumerate(tiers)
        if tier.severity not in severities
        or not any(implies(o, tier) and (j < i or not implies(tier, o)) for j, o in enumerate(tiers) if j != i)
    )


def renamed(tiers: Tiers, severities: Sequence[Severity]) -> Tiers:
    """Tiers of these severities named after their windows (`page-2h`), shortest first; the others as they are."""
    found: list[BurnTier] = []
    order = sorted(tiers, key=lambda tier: (tier.severity, tier.long_s, tier.short_s, tier.factor))
    for tier in order:
        name = tier.name if tier.severity not in severities else f"{tier.severity}-{duration(tier.long_s)}"
        taken = {other.name for other in found}
        unique = next(n for n in (name, *(f"{name}-{i}" for i in range(2, len(tiers) + 2))) if n not in taken)
        found.append(replace(tier, name=unique))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Grid:
    """The values each coordinate may take for this SLO, plan and history."""

    factors: tuple[float, ...]
    long_s: tuple[float, ...]
    shortest_s: float
    period_s: float

    @classmethod
    def of(cls, slo: Slo, plan: Plan, history_s: float) -> _Grid:
        longest = min(history_s * plan.clock.factor, slo.period_s)
        return cls(
            factors=tuple(f for f in _FACTORS if f * slo.budget < 1),
            long_s=tuple(w for w in _LONG_S if w <= longest and w / min(_DIVISORS) >= plan.step_s * plan.clock.factor),
            shortest_s=plan.step_s * plan.clock.factor,
            period_s=slo.period_s,
        )

    def variants(self, tier: BurnTier, coordinate: str) -> Iterator[BurnTier]:
        """The tier with one coordinate at each of its values, as far as that makes a tier that can work."""
        divisor = tier.long_s / tier.short_s
        made = {
            "factor": (replace(tier, factor=f) for f in self.factors),
            "long": (replace(tier, long_s=w, short_s=w / divisor) for w in self.long_s),
            "short": (replace(tier, short_s=tier.long_s / d) for d in _DIVISORS),
            "bad": (replace(tier, min_bad_events=n) for n in _MIN_BAD),
        }[coordinate]
        return (self.shared(one) for one in made if self.holds(one.short_s))

    def holds(self, short_s: float) -> bool:
        """Whether a short window can be evaluated at this step, and written down in OpenSLO's whole minutes."""
        return short_s >= self.shortest_s and short_s % 60 == 0

    def random(self, tier: BurnTier, chance: random.Random) -> BurnTier:
        long_s = chance.choice(self.long_s)
        divisors = [d for d in _DIVISORS if self.holds(long_s / d)]
        made = replace(
            tier,
            factor=chance.choice(self.factors),
            long_s=long_s,
            short_s=long_s / chance.choice(divisors),
            min_bad_events=chance.choice(_MIN_BAD),
        )
        return self.shared(made)

    def shared(self, tier: BurnTier) -> BurnTier:
        return replace(tier, budget_share=budget_share_of(tier.factor, tier.long_s, self.period_s))


_COORDINATES = ("factor", "long", "short", "bad")


def _descend(
    judge: _Judge, grid: _Grid, objective: Objective, before: Tiers, chance: random.Random, restarts: int
) -> Tiers:
    """The best of the local optima reached from the tiers at hand and from random points."""
    free = [i for i, tier in enumerate(before) if tier.severity in objective.severities]
    if not free:
        raise SreError(f"objective {objective.text!r} is about {objective.severities[0]} tiers, and there is none")

    def rank(tiers: Tiers) -> tuple[float, float]:
        return objective.rank(judge.train(tiers))

    best = before
    for attempt in range(restarts + 1):
        here = before
        if attempt:
            here = tuple(grid.random(t, chance) if i in free else t for i, t in enumerate(before))
        for _ in range(_MOST_ROUNDS):
            start = here
            steps = [(i, coordinate) for i in free for coordinate in _COORDINATES]
            chance.shuffle(steps)
            for i, coordinate in steps:
                options = [here, *((*here[:i], tier, *here[i + 1 :]) for tier in grid.variants(here[i], coordinate))]
                here = min(options, key=rank)  # of equals the first, which is what one has
            if here == start:
                break
        best = min((best, here), key=rank)
    return best


class _Judge:
    """Scores sets of tiers on the searched and the held-out part; a tier is evaluated once for all its sets."""

    def __init__(self, burns_of: BurnsOf, data: Data, parts: Sequence[_Part], on_tried: Tried | None) -> None:
        self._burns_of, self._data, self._parts = burns_of, data, parts
        self._on_tried = on_tried
        self._holds: dict[BurnTier, NDArray[np.bool_]] = {}
        self.known: dict[Tiers, Scores] = {}

    @classmethod
    def over(
        cls, data: Data, plan: Plan, labels: Sequence[Label], split_at: float | None, on_tried: Tried | None
    ) -> _Judge:
        times = evaluation_times(plan)
        grid = [BurnTier("", "page", 1.0, w, w / d, 1.0) for w in _LONG_S for d in _DIVISORS]
        usable, _ = data.usable(grid)
        ranges = [(plan.start, plan.end)] if split_at is None else [(plan.start, split_at), (split_at, plan.end)]
        parts = [_Part.of(plan, times, labels, *span) for span in ranges]
        return cls(data.burns_of(times, usable), data, parts, on_tried)

    def train(self, tiers: Tiers) -> Scores:
        if tiers not in self.known:
            self.known[tiers] = self._scores(tiers, self._parts[0])
            if self._on_tried is not None:
                self._on_tried(len(self.known))
        return self.known[tiers]

    def candidate(self, tiers: Tiers) -> Candidate:
        test = self._scores(tiers, self._parts[1]) if len(self._parts) > 1 else None
        return Candidate(tiers, self.train(tiers), test)

    def _scores(self, tiers: Tiers, part: _Part) -> Scores:
        scores: dict[Severity, Score] = {}
        for severity in ("page", "ticket"):
            chosen = [tier for tier in tiers if tier.severity == severity]
            if chosen:
                fired = [Firing(t.name, t.severity, part.times, self._held(t)[part.chosen]) for t in chosen]
                name = f"any {severity}"
                any_fired = merged(name, chosen[0].severity, fired)
                scores[chosen[0].severity] = score("", any_fired, part.labels, part.plan, self._spent)
        return scores

    def _held(self, tier: BurnTier) -> NDArray[np.bool_]:
        plain = replace(tier, name="", budget_share=0.0)
        if plain not in self._holds:
            self._holds[plain] = alerting(self._burns_of((plain,))[0])
        return self._holds[plain]

    def _spent(self, start: float, end: float) -> Measured:
        plan, slo = self._data.plan, self._data.slo
        total = self._data.events.between(plan.start, plan.end)[1]
        allowed = slo.budget * total * plan.clock.compress(slo.period_s) / plan.span_s
        return Measured(self._data.events.between(start, end)[0] / allowed)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One part of the history with its labels."""

    plan: Plan
    times: FloatArray
    chosen: slice
    labels: tuple[Label, ...]

    @classmethod
    def of(cls, plan: Plan, times: FloatArray, labels: Sequence[Label], start: float, end: float) -> _Part:
        first, last = np.searchsorted(times, [start, end], side="right").tolist()
        inside = tuple(label for label in labels if start <= label.start < end or label.start < start == plan.start)
        return cls(replace(plan, start=start, end=end), times[first:last], slice(first, last), inside)


def _split(labels: Sequence[Label], plan: Plan) -> float | None:
    """A moment between two incidents with about two thirds of them before it; None with too few to hold some out."""
    ordered = sorted(labels, key=lambda label: label.start)
    if len(ordered) < _SPLIT_FROM:
        return None
    wanted = round(len(ordered) * _TRAIN_SHARE)
    for count in sorted(range(2, len(ordered) - 1), key=lambda n: abs(n - wanted)):
        ended, begins = max(label.end for label in ordered[:count]) + plan.grace, ordered[count].start
        if begins > ended:
            return (ended + begins) / 2
    return None


def _front(known: Mapping[Tiers, Scores], best: Tiers) -> list[Tiers]:
    """The sets no other one beats in recall, false alarms and detection delay of pages; fastest first."""
    costs = {tiers: cost for tiers, scores in known.items() if (cost := _cost(scores)) is not None}
    front: dict[tuple[float, ...], Tiers] = {}
    for tiers, cost in sorted(costs.items(), key=lambda item: item[1]):
        beaten = any(all(a <= b for a, b in zip(other, cost, strict=True)) for other in front)
        if not beaten:
            front[cost] = tiers
    if best in costs and costs[best] in front:
        front[costs[best]] = best  # of sets with equal figures the winner stands for all
    return [front[cost] for cost in sorted(front, key=lambda cost: (cost[2], cost))]


def _cost(scores: Scores) -> tuple[float, float, float] | None:
    """(missed share, false alarms a week, detection delay) of pages; tickets where there are no page tiers."""
    chosen = scores.get("page") or scores.get("ticket")
    if chosen is None:
        return None
    recall, alarms, delay = chosen.recall.value, chosen.false_per_week.value, chosen.detection_s.value
    return None if recall is None or alarms is None or delay is None else (1 - recall, alarms, delay)


def _warnings(labels: Sequence[Label], split_at: float | None) -> tuple[str, ...]:
    found = []
    if len(labels) < FEW_INCIDENTS:
        found.append(
            f"{len(labels)} labelled incidents are too few to trust a tuned set: with fewer than {FEW_INCIDENTS} the "
            "search fits their accidents"
        )
    if split_at is None:
        found.append("nothing was held out: the figures are those of the history the tiers were chosen on")
    return tuple(found)


def _windows(tiers: Tiers) -> list[float]:
    return [tier.long_s for tier in tiers]
