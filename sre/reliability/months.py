"""One option over all simulated months: when how many replicas served, and what that cost in requests.

All months lie on one axis (month m is [m x hours, (m + 1) x hours)), so that overlapping outages of a replica are
merged, and the replicas that are down counted, by two sorts over everything at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sre.reliability.durations import Floats
from sre.reliability.fleet import Fleet
from sre.reliability.history import Histories, History, Ints
from sre.reliability.rates import RateBook
from sre.reliability.shortfall import Load, Shortfall
from sre.reliability.units import Unit, units_of

_INSTANT_H = 1e-6  # shorter is the rounding of a long axis


@dataclass(frozen=True, slots=True, eq=False)
class Months:
    """A simulated month an entry.

    `bad` is the share of its requests that were bad, `short_h` its hours with fewer replicas than the load asked for,
    `down_h` those in which no request was answered, `episodes` how often a shortage or an outage of the fleet began
    (rollouts are planned and not among them), `failures` how many faults struck, `spot_away_h` replica-hours without
    the spot machine. `by_cause` are faults a month by their place in the book, `lost_by` the mean share of requests
    lost to `failover`, `shortage` and what hits the `fleet`.
    """

    bad: Floats
    short_h: Floats
    down_h: Floats
    episodes: Ints
    failures: Ints
    spot_away_h: Floats
    by_cause: Floats
    lost_by: tuple[tuple[str, float], ...]

    @property
    def availability(self) -> Floats:
        return 1.0 - self.bad


@dataclass(frozen=True, slots=True)
class World:
    """What the options of one comparison share."""

    book: RateBook
    load: Load
    overload_factor: float = 1.0


_Part = tuple[Ints, Ints, Floats, Floats]  # replica, month, start, end


@dataclass(frozen=True, slots=True, eq=False)
class _Stretches:
    """Times on the axis of all months in which `down` replicas were, more than there are spares."""

    start: Floats
    end: Floats
    down: Ints


def simulate(fleet: Fleet, world: World, histories: Histories) -> Months:
    """Same seed, same result to the last digit."""
    hours, months = histories.hours, histories.months
    needs = Shortfall(world.load, needed=fleet.needed, replicas=fleet.replicas, factor=world.overload_factor)
    units = units_of(fleet, world.book)
    drawn = [(unit, histories.of(unit)) for unit in units]
    parts, rolled = _outages(drawn), _rolled(fleet, world.book, histories)
    stretches = _stretches([*parts, *rolled], histories, fleet.spares)
    month = np.minimum((stretches.start / hours).astype(np.int64), months - 1)
    begin, end = stretches.start - month * hours, stretches.end - month * hours
    up = fleet.replicas - stretches.down
    short = needs.short(up, begin, end)
    whole = needs.weight(hours)
    fleetwide, gone, outages = _fleetwide(world.book, drawn, needs, months)
    lost = {
        "failover": _failover(fleet, world.book, drawn, needs, months) / whole,
        "shortage": _per_month(month, needs.bad(up, begin, end), months) / whole,
        "fleet": fleetwide / whole,
    }
    return Months(
        bad=np.minimum(1.0, sum(lost.values(), np.zeros(months))),
        short_h=_per_month(month, short, months),
        down_h=np.minimum(hours, _per_month(month, np.where(up == 0, end - begin, 0.0), months) + gone),
        episodes=_episodes(_stretches(parts, histories, fleet.spares) if rolled else stretches, fleet, needs, histories)
        + outages,
        failures=_failures(drawn, months),
        spot_away_h=_spot_away(world.book, drawn, months),
        by_cause=_by_cause(world.book, drawn, months),
        lost_by=tuple((name, float(share.mean())) for name, share in lost.items()),
    )


def simulate_all(fleet: Fleet, world: World, blocks: Sequence[Histories]) -> Months:
    """The months of every block, one after the other."""
    parts = [simulate(fleet, world, block) for block in blocks]
    weights = np.array([block.months for block in blocks]) / sum(block.months for block in blocks)
    names = [name for name, _ in parts[0].lost_by]
    shares = np.array([[share for _, share in part.lost_by] for part in parts])
    return Months(
        bad=np.concatenate([part.bad for part in parts]),
        short_h=np.concatenate([part.short_h for part in parts]),
        down_h=np.concatenate([part.down_h for part in parts]),
        episodes=np.concatenate([part.episodes for part in parts]),
        failures=np.concatenate([part.failures for part in parts]),
        spot_away_h=np.concatenate([part.spot_away_h for part in parts]),
        by_cause=weights @ np.array([part.by_cause for part in parts]),
        lost_by=tuple(zip(names, (float(share) for share in weights @ shares), strict=True)),
    )


def _per_month(month: Ints, amount: Floats, months: int) -> Floats:
    summed: Floats = np.bincount(month, weights=amount, minlength=months).astype(np.float64)
    return summed


def _outages(drawn: Sequence[tuple[Unit, History]]) -> list[_Part]:
    """Of each replica, by each unit it belongs to."""
    return [
        (np.full(len(history.month), replica, dtype=np.int64), history.month, history.start_h, history.end_h)
        for unit, history in drawn
        for replica in unit.members
    ]


def _stretches(parts: Sequence[_Part], histories: Histories, spares: int) -> _Stretches:
    """Outages of each replica, merged where they overlap, then counted over the replicas: where spares are too few."""
    hours, months = histories.hours, histories.months
    if not parts:
        return _Stretches(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.int64))
    replica, month, start, end = (np.concatenate(column) for column in zip(*parts, strict=True))
    own_axis = (replica * months + month) * hours
    start, end = _merged(own_axis + start, own_axis + end)
    before = np.floor(start / hours / months) * months * hours
    return _counted(start - before, end - before, spares)


def _rolled(fleet: Fleet, book: RateBook, histories: Histories) -> list[_Part]:
    """Planned rollouts: replica after replica drains and starts again."""
    if book.rollouts.surge or book.rollouts.a_month <= 0:
        return []
    each = fleet.cold_start_h + book.rollouts.drain_s / 3600.0
    month, begin = histories.moments("rollouts", book.rollouts.a_month)
    rolled = []
    for replica in range(fleet.replicas):
        start = np.minimum(begin + replica * each, histories.hours)
        end = np.minimum(start + each, histories.hours)
        rolled.append((np.full(len(month), replica, dtype=np.int64), month, start, end))
    return rolled


def _merged(start: Floats, end: Floats) -> tuple[Floats, Floats]:
    """Overlapping stretches of one axis as one."""
    if not len(start):
        return start, end
    order = np.argsort(start, kind="stable")
    start, end = start[order], end[order]
    reached = np.maximum.accumulate(end)
    first = np.concatenate([[True], start[1:] >= reached[:-1]])  # outages that touch may be of two months
    last = np.concatenate([first[1:], [True]])
    return start[first], reached[last]


def _counted(start: Floats, end: Floats, spares: int) -> _Stretches:
    """How many of the stretches lie over each other, where more than the spares do."""
    at = np.concatenate([start, end])
    step = np.concatenate([np.ones(len(start), dtype=np.int64), np.full(len(end), -1, dtype=np.int64)])
    order = np.argsort(at, kind="stable")
    at, down = at[order], np.cumsum(step[order])
    lasting = (down[:-1] > spares) & (at[1:] - at[:-1] > _INSTANT_H)
    return _Stretches(at[:-1][lasting], at[1:][lasting], down[:-1][lasting])


def _episodes(found: _Stretches, fleet: Fleet, needs: Shortfall, histories: Histories) -> Ints:
    """How often a shortage began that no rollout made: stretches that touch are one."""
    months, hours = histories.months, histories.hours
    month = np.minimum((found.start / hours).astype(np.int64), months - 1)
    short = needs.short(fleet.replicas - found.down, found.start - month * hours, found.end - month * hours) > 0
    start, end, own = found.start[short], found.end[short], month[short]
    if not len(start):
        return np.zeros(months, dtype=np.int64)
    new = np.concatenate([[True], (start[1:] > end[:-1] + _INSTANT_H) | (own[1:] != own[:-1])])
    return np.bincount(own[new], minlength=months).astype(np.int64)


def _failover(
    fleet: Fleet, book: RateBook, drawn: Sequence[tuple[Unit, History]], needs: Shortfall, months: int
) -> Floats:
    """Traffic lost where replicas went without warning: each carried its part of it."""
    abrupt = np.array([fault.abrupt for fault in book.faults])
    lost = np.zeros(months)
    for unit, history in drawn:
        struck = history.fresh & abrupt[history.cause]
        each = book.failover.lost_replica_s / 3600.0 * len(unit.members) / fleet.replicas
        lost += _per_month(history.month[struck], each * needs.size_at(history.start_h[struck]), months)
    return lost


def _fleetwide(
    book: RateBook, drawn: Sequence[tuple[Unit, History]], needs: Shortfall, months: int
) -> tuple[Floats, Floats, Ints]:
    """(bad requests, hours in which all of them were, how often it began) of faults of the whole fleet."""
    loses = np.array([fault.loses for fault in book.faults])
    bad, gone, count = np.zeros(months), np.zeros(months), np.zeros(months, dtype=np.int64)
    for unit, history in drawn:
        if unit.members:
            continue
        share = loses[history.cause]
        bad += _per_month(history.month, share * needs.traffic(history.start_h, history.end_h), months)
        gone += _per_month(history.month, np.where(share >= 1, history.end_h - history.start_h, 0.0), months)
        count += np.bincount(history.month[history.fresh & (share > 0)], minlength=months)
    return bad, gone, count


def _failures(drawn: Sequence[tuple[Unit, History]], months: int) -> Ints:
    count = np.zeros(months, dtype=np.int64)
    for _, history in drawn:
        count += np.bincount(history.month[history.fresh], minlength=months)
    return count


def _by_cause(book: RateBook, drawn: Sequence[tuple[Unit, History]], months: int) -> Floats:
    count = np.zeros(len(book.faults))
    for _, history in drawn:
        count += np.bincount(history.cause[history.fresh], minlength=len(book.faults))
    return count / months


def _spot_away(book: RateBook, drawn: Sequence[tuple[Unit, History]], months: int) -> Floats:
    """Replica-hours in which a spot machine was taken away: they are not paid."""
    spot = np.array([fault.hits in ("spot replica", "spot in zone") for fault in book.faults])
    away = np.zeros(months)
    for unit, history in drawn:
        taken = spot[history.cause]
        lasted = (history.end_h - history.start_h)[taken] * len(unit.members)
        away += _per_month(history.month[taken], lasted, months)
    return away
