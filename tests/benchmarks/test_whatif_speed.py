"""Months of failures a CPU-second: all options at once as columns, against one month after the other, event by event.

The slow one is written from the model's description alone, so that it also says whether both mean the same.
"""

from __future__ import annotations

import math
import random
import statistics
import time
from itertools import pairwise, product

import pytest

from sre.reliability.fleet import Fleet
from sre.reliability.history import Histories
from sre.reliability.months import World, simulate
from sre.reliability.rates_reader import shipped_rates
from sre.reliability.shortfall import FLAT, Load
from sre.reliability.units import units_of

pytestmark = pytest.mark.benchmark
MONTHS, HOURS, WALKED, ROUNDS = 10_000, 720.0, 300, 3
COLD_START_H = 169 / 3600


def _world():
    return World(shipped_rates(), Load(FLAT, "flat"))


def _all_options(world, seed):
    histories = Histories(seed=seed, months=MONTHS, hours=HOURS)
    return [
        simulate(Fleet(4, spares, 4, zones=zones, spot_percent=spot, cold_start_h=COLD_START_H), world, histories)
        for zones, spot, spares in product((1, 2, 3), (0, 30, 60, 90), (0, 1, 2))
    ]


def _walked_month(fleet, world, rng):
    """Share of bad requests of one month, after a month of running in."""
    begin, end = HOURS, 2 * HOURS
    away = [[] for _ in range(fleet.replicas)]
    fleetwide = 0.0
    for unit in units_of(fleet, world.book):
        now, rate = 0.0, sum(threat.an_hour for threat in unit.threats)
        while (now := now + rng.expovariate(rate)) < end:
            (threat,) = rng.choices(unit.threats, [one.an_hour for one in unit.threats])
            lasts = (
                threat.duration.median_h * math.exp(threat.duration.sigma * rng.gauss(0, 1)) + threat.duration.shift_h
            )
            for replica in unit.members:
                away[replica].append((now, now + lasts))
            if not unit.members:
                inside = max(0.0, min(end, now + lasts) - max(begin, now))
                fleetwide += world.book.faults[threat.cause].loses * inside
            now += lasts
    each = fleet.cold_start_h + world.book.rollouts.drain_s / 3600
    for _ in range(round(world.book.rollouts.a_month)):
        start = rng.uniform(begin, end)
        for replica in range(fleet.replicas):
            away[replica].append((start + replica * each, start + (replica + 1) * each))
    edges = sorted({begin, end, *(edge for own in away for span in own for edge in span if begin < edge < end)})
    bad = fleetwide
    for left, right in pairwise(edges):
        up = sum(not any(a <= (left + right) / 2 < b for a, b in own) for own in away)
        bad += max(0.0, 1 - up / fleet.needed) * (right - left)
    return min(1.0, bad / HOURS)


def test_ten_thousand_months_of_every_option(capsys):
    world, fleet = _world(), Fleet(4, 0, 4, zones=3, spot_percent=60, cold_start_h=COLD_START_H)
    columns, walks, walked = [], [], []
    for seed in range(ROUNDS):
        began = time.process_time()
        options = _all_options(world, seed)
        columns.append((time.process_time() - began) / (len(options) * MONTHS))
        rng, began = random.Random(seed), time.process_time()
        walked += [_walked_month(fleet, world, rng) for _ in range(WALKED)]
        walks.append((time.process_time() - began) / WALKED)
    ours = simulate(fleet, world, Histories(seed=0, months=MONTHS, hours=HOURS)).bad
    error = statistics.stdev(walked) / math.sqrt(len(walked))
    with capsys.disabled():
        a_month, slow = statistics.median(columns), statistics.median(walks)
        print(
            f"\n36 options x {MONTHS:,} months: {a_month * 36 * MONTHS:.1f} CPU s, {1 / a_month:,.0f} months a "
            f"CPU-second; event by event {1 / slow:,.0f}, {slow / a_month:.0f} times slower; mean bad "
            f"{ours.mean():.5f}, event by event {statistics.mean(walked):.5f} +/- {1.96 * error:.5f}"
        )
    assert abs(statistics.mean(walked) - ours.mean()) < 4 * (error + ours.std() / math.sqrt(MONTHS))
