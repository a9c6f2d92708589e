"""What stands out in metrics: each rule looked for on each replica, or on the fleet. (Events: `.supervisor`.)"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sre.incidents.causes.changes import MIN_BASELINE, first_change
from sre.incidents.causes.definitions import SymptomRule
from sre.incidents.causes.readings import FLEET, Readings
from sre.metrics.model import FloatArray, Matcher, Selector
from sre.metrics.selector import format_selector

_COUNTED_TICKS = 10
_HALF_UNITS = 1.0
"""A change of so many spreads is half as strong as one can be."""


@dataclass(frozen=True, slots=True)
class Symptom:
    """`name` is its rule's. `replicas` are whom it was seen on, () for the fleet; `strength` is 0 to 1."""

    name: str
    replicas: tuple[str, ...]
    at: float
    strength: float
    text: str
    source: str


@dataclass(frozen=True, slots=True)
class _Seen:
    """Where on the grid, how strong, and the numbers for the text."""

    index: int
    strength: float
    before: float
    after: float


def metric_symptoms(rules: Sequence[SymptomRule], readings: Readings) -> Iterator[Symptom]:
    """Everything that the rules find in the readings."""
    for rule in rules:
        if rule.read in ("event", "start"):
            continue
        for subject, seen in _found(rule, readings):
            replicas = () if subject == FLEET else (subject,)
            yield Symptom(
                name=rule.name,
                replicas=replicas,
                at=float(readings.ticks.times[seen.index]),
                strength=seen.strength,
                text=rule.says.format(
                    subject=subject, before=_number(seen.before, rule), after=_number(seen.after, rule)
                ),
                source=" + ".join(format_selector(_of(selector, subject)) for selector in rule.metric),
            )


def _found(rule: SymptomRule, readings: Readings) -> Iterator[tuple[str, _Seen]]:
    if rule.read == "gap":
        seen = _gap(readings, rule.least)
        if seen is not None:
            yield FLEET, seen
        return
    values = _values(rule, readings)
    for subject, own in values.items():
        others = [other for name, other in values.items() if name != subject]
        seen = _see(rule, subject, own, others, readings)
        if seen is not None:
            yield subject, seen


def _values(rule: SymptomRule, readings: Readings) -> Mapping[str, FloatArray]:
    if rule.typical:
        every = _values(replace(rule, typical=False, on="replica"), readings)
        return {FLEET: _middle(list(every.values()))} if every else {}
    by_replica = rule.on == "replica"
    if rule.read in ("gauge", "state", "lost"):
        levels = readings.levels(rule.metric, by_replica=by_replica)
        if not rule.minus:
            return levels
        less = readings.levels(rule.minus, by_replica=by_replica)
        return {name: value - less[name] for name, value in levels.items() if name in less}
    if rule.read == "reset":
        return readings.levels(rule.metric, by_replica=by_replica)
    grown = _net(rule, readings, by_replica)
    if rule.read == "rate":
        return {name: value / readings.ticks.step_s for name, value in grown.items()}
    if rule.read == "ratio":
        over = readings.increases(rule.over, by_replica=by_replica)
        return {name: _ratio(value, over[name]) for name, value in grown.items() if name in over}
    return grown


def _net(rule: SymptomRule, readings: Readings, by_replica: bool) -> Mapping[str, FloatArray]:
    """What the counters grew by, less what those of `minus` did."""
    grown = readings.increases(rule.metric, by_replica=by_replica)
    if not rule.minus:
        return grown
    less = readings.increases(rule.minus, by_replica=by_replica)
    return {name: value - less[name] for name, value in grown.items() if name in less}


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


def _see(
    rule: SymptomRule, subject: str, own: FloatArray, others: Sequence[FloatArray], readings: Readings
) -> _Seen | None:
    if rule.read in ("gauge", "rate", "ratio"):
        return _changed(rule, own, others)
    if rule.read == "first":
        return _first(own)
    if rule.read == "state":
        return _held(own > 0)
    if rule.read == "lost":
        return _held(own == 0)
    if rule.read == "reset":
        return _reset(own)
    during = readings.levels(rule.during, by_replica=rule.on == "replica").get(subject)
    return None if during is None else _idle(own, during, max(2, round(rule.least / readings.ticks.step_s)))


def _changed(rule: SymptomRule, own: FloatArray, others: Sequence[FloatArray]) -> _Seen | None:
    if rule.against_others:
        if not others:
            return None
        own = own - _middle(others)
    change = first_change(own, direction=rule.moves, least=rule.least)
    if change is None:
        return None
    return _Seen(change.index, change.units / (change.units + _HALF_UNITS), change.before, change.after)


def _middle(others: Sequence[FloatArray]) -> FloatArray:
    """The median at each tick of those that are known, NaN where none is."""
    stacked = np.sort(np.stack(others), axis=0)  # NaN last
    count = np.count_nonzero(~np.isnan(stacked), axis=0)
    columns = np.arange(stacked.shape[1])
    low = stacked[np.maximum(count - 1, 0) // 2, columns]
    high = stacked[np.minimum(count // 2, np.maximum(count - 1, 0)), columns]
    middle: FloatArray = (low + high) / 2
    return middle


def _first(grown: FloatArray) -> _Seen | None:
    """The first growth of a counter that had been quiet."""
    grew = np.flatnonzero(grown > 0)
    if not len(grew) or np.count_nonzero(grown[: grew[0]] == 0) < MIN_BASELINE:
        return None
    index = int(grew[0])
    count = float(np.nansum(grown[index : index + _COUNTED_TICKS]))
    return _Seen(index, 1.0 - 0.25**count, 0.0, count)


def _held(wrong: NDArray[np.bool_]) -> _Seen | None:
    """The first tick of a state that was not so at the begin."""
    held = np.flatnonzero(wrong)
    if not len(held) or held[0] == 0:
        return None
    index = int(held[0])
    ticks = len(held)
    return _Seen(index, ticks / (ticks + 1.0), 0.0, float(ticks))


def _reset(levels: FloatArray) -> _Seen | None:
    known = np.flatnonzero(~np.isnan(levels))
    fell = np.flatnonzero(np.diff(levels[known]) < 0)
    if not len(fell):
        return None
    before, after = known[fell[0]], known[fell[0] + 1]
    return _Seen(int(after), 0.9, float(levels[before]), float(levels[after]))


def _idle(grown: FloatArray, during: FloatArray, ticks: int) -> _Seen | None:
    """A counter that stands for `ticks` in a row while there is something to count; not known counts as standing."""
    stands = ~(grown > 0) & (during > 0)
    stands[0] = False
    run = 0
    for index, still in enumerate(stands):
        run = run + 1 if still else 0
        if run == ticks:
            lasts = ticks + int(np.argmin(np.append(stands[index + 1 :], False)))
            return _Seen(index - ticks + 1, lasts / (lasts + 2.0), 0.0, float(lasts))
    return None


def _gap(readings: Readings, least_s: float) -> _Seen | None:
    """No scrape of anything, not even a failed one, for `least_s` longer than usual."""
    up = readings.levels((Selector("up"),), by_replica=False).get(FLEET)
    if up is None:
        return None
    known = np.flatnonzero(~np.isnan(up))
    missing = np.diff(known) - 1
    wide = np.flatnonzero(missing * readings.ticks.step_s >= least_s)
    if not len(wide):
        return None
    lasts = float(missing[wide[0]]) * readings.ticks.step_s
    return _Seen(int(known[wide[0]]) + 1, lasts / (lasts + least_s), 0.0, lasts)


def _of(selector: Selector, subject: str) -> Selector:
    if subject == FLEET:
        return selector
    return Selector(selector.name, (*selector.matchers, Matcher("replica", "=", subject)))


def _number(value: float, rule: SymptomRule) -> str:
    return f"{value:.0f}" if rule.read in ("first", "idle", "state", "lost", "gap") else f"{value:.3g}"
