"""What must hold for any rates: no failures no loss, spares never harm, same seed same months, one more sum of all."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.reliability.estimates import mean_of, quantile_of, settling, share_of
from sre.reliability.history import Histories
from sre.reliability.months import simulate
from sre.reliability.shortfall import DAY, FLAT, Load, Shortfall
from sre.reliability.units import units_of

from .conftest import fault, fleet, recovery, world

HOURS = 240.0
rates = st.floats(1e-5, 0.05)
percents = st.sampled_from([0, 30, 60, 90, 100])


def months_of(one, worlds, seed=1, months=30):
    return simulate(one, worlds, Histories(seed=seed, months=months, hours=HOURS))


@st.composite
def worlds(draw):
    faults = [
        fault("replica", draw(rates), hits="replica", abrupt=True),
        fault("spot", draw(rates), hits="spot replica", recovery="short"),
        fault("host", draw(rates) / 8, hits="host", per="gpu-hour"),
        fault("zone", draw(rates), hits="zone", recovery="short"),
        fault("spot zone", draw(rates), hits="spot in zone"),
        fault("fleet", draw(rates), hits="fleet", recovery="short", loses=draw(st.floats(0, 1))),
    ]
    recoveries = [recovery(mean_h=draw(st.floats(0.1, 60)), shape="lognormal", sigma=1.0), recovery("short", mean_h=1)]
    load = draw(st.sampled_from([FLAT, DAY]))
    return world(*faults, recoveries=recoveries, rollouts=draw(st.sampled_from([0, 3])), load=load)


@st.composite
def fleets(draw):
    return fleet(
        draw(st.integers(1, 5)),
        draw(st.integers(0, 3)),
        zones=draw(st.integers(1, 3)),
        spot_percent=draw(percents),
        gpus_per_replica=draw(st.sampled_from([1, 4, 8, 16])),
        cold_start_h=draw(st.sampled_from([0.0, 0.05])),
    )


@settings(max_examples=25)
@given(fleets(), worlds(), st.integers(0, 1000))
def test_one_more_spare_is_never_worse_in_any_month(one, worlds, seed) -> None:
    more = fleet(
        one.needed,
        one.spares + 1,
        zones=one.zones,
        spot_percent=one.spot_percent,
        gpus_per_replica=one.gpus_per_replica,
        cold_start_h=one.cold_start_h,
    )
    few, many = months_of(one, worlds, seed), months_of(more, worlds, seed)
    assert (many.bad <= few.bad + 1e-9).all()
    assert (many.short_h <= few.short_h + 1e-6).all()


@settings(max_examples=25)
@given(fleets(), worlds(), st.integers(0, 1000))
def test_the_months_are_those_of_an_oracle_that_looks_at_every_moment(one, worlds, seed) -> None:
    histories = Histories(seed=seed, months=4, hours=HOURS)
    found = simulate(one, worlds, histories)
    for month in range(4):
        bad, short = oracle(one, worlds, histories, month)
        assert abs(bad - found.bad[month]) < 1e-7
        assert abs(short - found.short_h[month]) < 1e-6


def oracle(one, worlds, histories, month):
    """(share of bad requests, hours short) by walking from one change to the next, replica by replica."""
    outages = [(unit, histories.of(unit)) for unit in units_of(one, worlds.book)]
    away = {replica: [] for replica in range(one.replicas)}
    fleetwide = []
    for unit, history in outages:
        own = history.month == month
        spans = list(zip(history.start_h[own], history.end_h[own], history.cause[own], strict=True))
        for replica in unit.members:
            away[replica] += [(start, end) for start, end, _ in spans]
        if not unit.members:
            fleetwide += [(start, end, worlds.book.faults[cause].loses) for start, end, cause in spans]
    months, begins = histories.moments("rollouts", worlds.book.rollouts.a_month)
    for begin in begins[months == month] if worlds.book.rollouts.a_month else ():
        for replica in range(one.replicas):
            start = min(HOURS, begin + replica * one.cold_start_h)
            away[replica].append((start, min(HOURS, start + one.cold_start_h)))
    edges = {0.0, HOURS, *map(float, range(int(HOURS)))}
    edges |= {edge for spans in (*away.values(), fleetwide) for span in spans for edge in span[:2]}
    bad = short = whole = 0.0
    ordered = sorted(edges)
    for start, end in pairwise(ordered):
        middle, size = (start + end) / 2, worlds.load.hourly[int((start + end) / 2 % 24)]
        up = sum(not any(a <= middle < b for a, b in away[replica]) for replica in away)
        missing = max(0.0, 1 - up / (one.needed * size))
        lost = sum(loses for a, b, loses in fleetwide if a <= middle < b)
        whole += size * (end - start)
        bad += size * (missing + lost) * (end - start)
        short += (end - start) * (missing > 1e-12)
    return min(1.0, bad / whole), short


@settings(max_examples=10)
@given(fleets())
def test_without_faults_every_request_is_answered(one) -> None:
    found = months_of(one, world(fault(rate=0.0)))
    assert found.bad.max() == 0
    assert found.short_h.max() == 0
    assert found.failures.sum() == 0


@settings(max_examples=10)
@given(fleets(), worlds(), st.integers(0, 1000))
def test_same_seed_same_months_to_the_last_digit(one, worlds, seed) -> None:
    first, again = months_of(one, worlds, seed), months_of(one, worlds, seed)
    assert first.bad.tobytes() == again.bad.tobytes()
    assert first.spot_away_h.tobytes() == again.spot_away_h.tobytes()


@settings(max_examples=10)
@given(fleets(), worlds())
def test_shares_stay_shares_and_hours_within_the_month(one, worlds) -> None:
    found = months_of(one, worlds)
    assert 0 <= found.bad.min() <= found.bad.max() <= 1
    assert 0 <= found.short_h.min() <= found.short_h.max() <= HOURS + 1e-6
    assert 0 <= found.down_h.min() <= found.down_h.max() <= HOURS + 1e-6


@given(
    st.integers(1, 8),
    st.lists(st.floats(0.01, 1), min_size=24, max_size=24),
    st.floats(0, 700),
    st.floats(0, 20),
    st.floats(1, 5),
)
def test_the_tables_over_the_day_are_the_integral(needed, sizes, start, lasts, factor) -> None:
    load = Load(tuple(size / max(sizes) for size in sizes), "a test")
    needs = Shortfall(load, needed=needed, replicas=needed, factor=factor)
    for up in (0, needed // 2, needed):
        got = needs.bad(np.array([up]), np.array([start]), np.array([start + lasts]))[0]
        edges = sorted({start, start + lasts, *(float(h) for h in range(0, 800) if start < h < start + lasts)})
        by_hand = 0.0
        for left, right in pairwise(edges):
            size = load.hourly[int((left + right) / 2 % 24)]
            by_hand += size * min(1.0, factor * max(0.0, 1 - up / (needed * size))) * (right - left)
        assert abs(got - by_hand) < 1e-7


def test_who_is_a_spot_machine_depends_on_the_index_alone() -> None:
    small, large = fleet(4, 0, spot_percent=60), fleet(4, 3, spot_percent=60)
    assert [small.is_spot(i) for i in range(4)] == [large.is_spot(i) for i in range(4)]
    assert [fleet(10, 0, spot_percent=percent).spot_replicas for percent in (0, 30, 60, 90, 100)] == [0, 3, 6, 9, 10]


@given(st.integers(1, 5000), st.data())
def test_a_share_lies_in_its_interval_also_at_both_ends(count, data) -> None:
    hits = data.draw(st.integers(0, count))
    found = share_of(hits, count)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.high > found.low


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    held = {"mean": 0, "share": 0, "quantile": 0}
    for _ in range(400):
        values = rng.exponential(1.0, 500)
        mean, share, quantile = mean_of(values), share_of(int((values > 2).sum()), 500), quantile_of(values, 0.5)
        held["mean"] += mean.low <= 1 <= mean.high
        held["share"] += share.low <= np.exp(-2) <= share.high
        held["quantile"] += quantile.low <= np.log(2) <= quantile.high
    assert all(0.9 <= count / 400 <= 0.99 for count in held.values()), held


def test_how_an_estimate_settled_ends_with_the_estimate() -> None:
    bad = np.random.default_rng(2).exponential(0.001, 3000)
    steps = settling(bad, 0.002)
    assert [step.months for step in steps] == [100, 200, 500, 1000, 2000, 3000]
    assert steps[-1].exceeded.value == float((bad > 0.002).mean())
    assert steps[-1].exceeded.high - steps[-1].exceeded.low < steps[0].exceeded.high - steps[0].exceeded.low
