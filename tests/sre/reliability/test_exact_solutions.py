"""The simulation against what renewal theory and the binomial distribution say exactly, within its own interval.

Four standard errors: of a hundred such comparisons on another seed, fewer than one in a hundred runs would fail.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from sre.reliability.durations import Duration
from sre.reliability.history import Histories, blocks_of, draw
from sre.reliability.months import simulate, simulate_all
from sre.reliability.units import Threat

MONTHS, HOURS = 10_000, 720.0


def histories(seed=7, months=MONTHS):
    return Histories(seed=seed, months=months, hours=HOURS)


def close(values, expected, sigmas=4.0) -> bool:
    error = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    return abs(float(np.mean(values)) - expected) <= sigmas * error


def up_of_n(count, replicas, up):
    return math.comb(replicas, count) * up**count * (1 - up) ** (replicas - count)


@pytest.mark.parametrize(("shape", "sigma"), [("exponential", 0.0), ("lognormal", 1.0), ("constant", 0.0)])
def test_one_replica_is_up_mtbf_over_mtbf_plus_mttr_whatever_the_distribution_of_its_repair(make, shape, sigma) -> None:
    worlds = make.world(make.fault(rate=1 / 200), recoveries=[make.recovery(mean_h=25, shape=shape, sigma=sigma)])
    found = simulate(make.fleet(1, 0), worlds, histories())
    assert close(found.bad, 25 / (200 + 25))


def test_faults_of_several_kinds_add_their_rate_times_mean_duration(make) -> None:
    worlds = make.world(
        make.fault("often", 1 / 50, recovery="restart"),
        make.fault("rarely", 1 / 400, recovery="repair"),
        recoveries=[make.recovery("restart", mean_h=1), make.recovery("repair", mean_h=30)],
    )
    found = simulate(make.fleet(1, 0), worlds, histories())
    load = 1 / 50 + 30 / 400
    assert close(found.bad, load / (1 + load))


@pytest.mark.parametrize("spares", [0, 1, 2])
def test_time_short_of_k_of_n_is_the_binomial_tail(make, spares) -> None:
    needed, up = 4, 1 / (1 + 20 / 300)
    found = simulate(make.fleet(needed, spares), make.world(make.fault(rate=1 / 300)), histories())
    replicas = needed + spares
    short = sum(up_of_n(count, replicas, up) for count in range(needed))
    assert close(found.short_h / HOURS, short)


def test_bad_requests_are_the_expected_shortfall_of_the_binomial(make) -> None:
    up = 1 / (1 + 20 / 150)
    found = simulate(make.fleet(4, 1), make.world(make.fault(rate=1 / 150)), histories())
    assert close(found.bad, sum(up_of_n(u, 5, up) * (1 - u / 4) for u in range(4)))


def test_all_replicas_of_a_zone_go_together(make) -> None:
    found = simulate(make.fleet(4, 0, zones=2), make.world(make.fault(hits="zone", rate=1 / 500)), histories())
    up = 1 / (1 + 20 / 500)
    assert close(found.bad, 0.5 * 2 * up * (1 - up) + (1 - up) ** 2)
    assert close(found.down_h / HOURS, (1 - up) ** 2)


def test_a_zone_without_a_replica_costs_nothing(make) -> None:
    found = simulate(make.fleet(1, 0, zones=3), make.world(make.fault(hits="zone", rate=1 / 500)), histories())
    assert close(found.bad, 20 / 520)


def test_narrow_replicas_on_one_host_fail_with_it_unless_they_are_spread(make) -> None:
    host = make.world(make.fault(hits="host", per="gpu-hour", rate=1 / 4000))
    up = 1 / (1 + 20 * 8 / 4000)
    packed = simulate(make.fleet(2, 0, gpus_per_replica=4), host, histories())
    spread = simulate(make.fleet(2, 0, gpus_per_replica=4, packed=False), host, histories())
    assert close(packed.down_h / HOURS, 1 - up)
    assert close(spread.down_h / HOURS, (1 - up) ** 2)


def test_a_replica_wider_than_a_host_stands_on_several(make) -> None:
    worlds = make.world(make.fault(hits="host", per="gpu-hour", rate=1 / 16_000))
    found = simulate(make.fleet(1, 0, gpus_per_replica=16), worlds, histories())
    assert close(found.bad, 20 / (1000 + 20))


def test_any_gpu_lost_is_its_replica_lost(make) -> None:
    worlds = make.world(make.fault(per="gpu-hour", rate=1 / 8000))
    assert close(simulate(make.fleet(1, 0, gpus_per_replica=8), worlds, histories()).bad, 20 / (1000 + 20))


def test_what_hits_the_fleet_costs_its_share_however_many_spares_there_are(make) -> None:
    worlds = make.world(make.fault(hits="fleet", loses=0.25, rate=1 / 300))
    assert close(simulate(make.fleet(4, 3), worlds, histories()).bad, 0.25 * 20 / 320)


def test_faults_come_at_their_rate_while_the_replica_is_up(make) -> None:
    found = simulate(make.fleet(1, 0), make.world(make.fault(rate=1 / 100)), histories())
    assert close(found.failures, HOURS / 120)


def test_a_month_begins_in_the_steady_state(make) -> None:
    rng = np.random.default_rng(3)
    threats = (Threat(0, 1 / 100, Duration("lognormal", 16.8, 1.0, 0.5)),)
    found = draw(threats, rng, months=40_000, hours=24.0)
    down_first = np.zeros(40_000)
    down_first[found.month[~found.fresh]] = 1
    mean = threats[0].duration.mean_h
    assert close(down_first, mean / (100 + mean))


@pytest.mark.parametrize(
    "lasts",
    [Duration("lognormal", 10, 0.7, 2.0), Duration("exponential", 10, 0, 1.0), Duration("constant", 5, 0, 3.0)],
    ids=lambda lasts: lasts.shape,
)
def test_what_is_left_of_an_outage_has_the_mean_that_renewal_theory_gives(lasts) -> None:
    rng = np.random.default_rng(5)
    whole, left = lasts.sample(rng, 400_000), lasts.residual(rng, 400_000)
    assert np.mean(whole) == pytest.approx(lasts.mean_h, rel=0.01)
    assert np.mean(left) == pytest.approx(np.mean(whole**2) / (2 * np.mean(whole)), rel=0.02)


def test_a_failover_costs_its_seconds_of_one_replicas_traffic(make) -> None:
    worlds = make.world(make.fault(rate=1 / 100, abrupt=True), recoveries=[make.recovery(mean_h=1e-9)], lost_s=36.0)
    found = simulate(make.fleet(1, 4), worlds, histories())
    struck = 5 * HOURS / 100
    assert close(found.bad, struck * 36 / 3600 / 5 / HOURS)


def test_a_rollout_takes_the_replicas_out_one_after_the_other(make) -> None:
    worlds = make.world(rollouts=1)
    found = simulate(make.fleet(4, 0, cold_start_h=0.1), worlds, histories())
    assert close(found.short_h, 4 * 0.1 * (1 - 0.2 / HOURS))  # some begin too late to end within the month
    assert found.episodes.sum() == 0  # planned: nobody is called
    assert simulate(make.fleet(4, 1, cold_start_h=0.1), worlds, histories()).bad.max() == 0
    assert simulate(make.fleet(4, 0, cold_start_h=0.1), make.world(rollouts=4, surge=True), histories()).bad.max() == 0


def test_more_months_come_in_blocks_after_the_first_ones(make) -> None:
    worlds, one = make.world(make.fault(rate=1 / 200)), make.fleet(2, 0)
    blocks = blocks_of(seed=7, months=25_000, hours=HOURS)
    assert [block.months for block in blocks] == [10_000, 10_000, 5_000]
    found = simulate_all(one, worlds, blocks)
    first = simulate(one, worlds, histories(seed=7, months=10_000))
    assert (found.bad[:10_000] == first.bad).all()
    assert not (found.bad[10_000:20_000] == first.bad).all()
    assert close(found.bad, 20 / 220)
    assert found.by_cause[0] == pytest.approx(found.failures.mean())
