"""Our emulation of PromQL windows against the real Prometheus over the same history, and a backtest read from it.

The history is that of the benchmark, shorter: restarts, outages, born series, low traffic, incidents.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))  # test folders are no packages

import slo_history as made

from sre.metrics.opening import SourceSpec, open_source
from sre.metrics.selector import series_filter
from sre.slo.backtest.model import Plan
from sre.slo.backtest.replay import Data, alerting, evaluation_times
from sre.slo.backtest.run import backtest
from sre.slo.model import BurnTier
from sre.slo.prometheus_windows import PROMETHEUS_2, PROMETHEUS_3, CounterWindows

DAYS = 3
CONDITIONS = ((14.4, 3600.0, 300.0), (6.0, 21600.0, 1800.0), (3.0, 43200.0, 3600.0))
SERVERS = [
    pytest.param(("prometheus", PROMETHEUS_2), id="2.x"),
    pytest.param((made.prometheus_3(), PROMETHEUS_3), id="3.x"),
]

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (shutil.which("prometheus") and shutil.which("promtool")),
        reason="Prometheus or promtool is absent: install Debian's package",
    ),
]


@pytest.fixture(scope="module")
def history():
    return made.history(days=DAYS)


@pytest.fixture(scope="module", params=SERVERS)
def server(request, history, tmp_path_factory):
    binary, convention = request.param
    if binary is None:
        pytest.skip("Prometheus 3 is absent: name its binary in SRE_PROMETHEUS3")
    with made.prometheus_with(history, tmp_path_factory.mktemp("prometheus"), binary=binary) as (url, _):
        yield url, convention


def plan_of(convention):
    return Plan(made.START, made.START + DAYS * made.DAY_S, 60.0, convention=convention)


@pytest.mark.parametrize("service", [service for service, _ in made.SERVICES])
@pytest.mark.parametrize("window_s", [300, 3600, 21600, 97])
def test_increase_is_prometheus_s_to_the_last_digits(server, history, service, window_s):
    url, convention = server
    times = evaluation_times(plan_of("events"))
    slo = made.slo_of(service)
    (selector,) = slo.sli.bad
    wanted = series_filter(selector)
    ours = CounterWindows([[one for one in history if wanted(one.id)]], times, convention).increase(window_s)[0]
    matchers = f'service="{service}",outcome="error"'
    theirs = made.query_range(url, f"sum(increase({made.METRIC}{{{matchers}}}[{window_s}s]))", times)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, equal_nan=True)


def test_every_minute_fires_here_that_fires_there_and_no_other(server, history):
    url, convention = server
    plan = plan_of(convention.name)
    times = evaluation_times(plan)
    tiers = [BurnTier(str(f), "page", f, long, short, 0.0, min_bad_events=0) for f, long, short in CONDITIONS]
    fired = 0
    for service, _ in made.SERVICES:
        data = Data.read(made.Memory(history), made.slo_of(service), plan, back_s=CONDITIONS[-1][1])
        for burn, (factor, long_s, short_s) in zip(data.burns_of(times, tiers)(tiers), CONDITIONS, strict=True):
            theirs = ~np.isnan(made.query_range(url, made.condition(service, factor, long_s, short_s), times))
            np.testing.assert_array_equal(alerting(burn), theirs, err_msg=f"{service} {factor}")
            fired += int(theirs.sum())
    assert fired > 100


def test_a_backtest_from_prometheus_and_from_memory_say_the_same(server, history):
    url, convention = server
    slos = [made.slo_of(service, period_s=7 * made.DAY_S) for service, _ in made.SERVICES[:2]]
    for name in ("events", convention.name):
        # both from the first instant all samples are known: what lies before is a matter of the source's retention
        plan = Plan(made.START + made.DAY_S, made.START + 2 * made.DAY_S, 60.0, convention=name, tiers=_short_tiers())
        with open_source(SourceSpec(prometheus=url)) as source:
            there = backtest(source, slos, plan)
        here = backtest(made.Memory(history), slos, plan)
        for ours, theirs in zip(here.slos, there.slos, strict=True):
            assert ours.episodes == theirs.episodes
            assert (ours.bad, ours.total) == (theirs.bad, theirs.total)


def _short_tiers():
    return tuple(BurnTier(f"page-{f:g}", "page", f, long, short, 0.0) for f, long, short in CONDITIONS[:2])
