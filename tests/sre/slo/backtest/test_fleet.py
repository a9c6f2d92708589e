"""A folder of Parquet files: only the files an SLO can need are loaded for it, and answers are those of one source."""

from __future__ import annotations

import numpy as np
import pytest

from sre.errors import BadDocument, NoData
from sre.metrics.model import Matcher, Selector
from sre.slo.backtest.fleet import Task, backtest_files, is_fleet, work
from sre.slo.backtest.model import Plan
from sre.slo.backtest.parquet_files import file_facts, folder_times, may_hold
from sre.slo.backtest.run import backtest
from sre.slo.model import BurnTier, RatioSli, Slo

pytest.importorskip("pyarrow", reason="pyarrow is absent: pip install 'llm-gameday[parquet]'")

TIER = BurnTier("page-1h", "page", 5.0, 3600.0, 300.0, 0.01)
PLAN = Plan(start=0.0, end=6 * 3600.0, step_s=60.0, tiers=(TIER,))
SERVICES = ("a", "b", "c")


def slo_of(service):
    job = Matcher("service", "=", service)
    bad = Selector("requests_total", (job, Matcher("outcome", "=", "error")))
    return Slo(
        service,
        service,
        "",
        service,
        0.99,
        30 * 86400,
        RatioSli((Selector("requests_total", (job,)),), bad=(bad,)),
        "x",
    )


@pytest.fixture
def history(series):
    times = 30.0 * np.arange(0, 721)
    made = {}
    for number, service in enumerate(SERVICES):
        failing = (times > 7200 * (number + 1) - 3600) & (times <= 7200 * (number + 1) - 1800)
        errors = np.cumsum(np.where(failing, 5.0, 0.0))
        ok = np.cumsum(np.full(times.size, 10.0)) - errors
        made[service] = [
            series("requests_total", times, ok, service=service, outcome="ok"),
            series("requests_total", times, errors, service=service, outcome="error"),
        ]
    return made


@pytest.fixture
def folder(history, tmp_path):
    from sre.metrics.export import write_parquet

    for service, found in history.items():
        write_parquet(found, tmp_path / f"{service}.parquet")
    return tmp_path


def same(one, other):
    assert [found.episodes for found in one.slos] == [found.episodes for found in other.slos]
    assert [(found.bad, found.total) for found in one.slos] == [(found.bad, found.total) for found in other.slos]
    assert [score.episodes for score in one.overall] == [score.episodes for score in other.overall]


def test_file_by_file_is_the_same_as_all_at_once(history, folder, samples):
    slos = [slo_of(service) for service in SERVICES]
    seen = []
    found = backtest_files(folder, slos, PLAN, on_slo=lambda one: seen.append(one.slo.name))
    same(found, backtest(samples(*(one for group in history.values() for one in group)), slos, PLAN))
    assert sum(one.sets[0].episodes for one in found.slos) == 3
    assert seen == list(SERVICES)


def test_processes_change_nothing_but_who_does_the_work(folder):
    slos = [slo_of(service) for service in SERVICES] * 3  # enough to be worth a second process
    same(backtest_files(folder, slos, PLAN, processes=2), backtest_files(folder, slos, PLAN, processes=1))


def test_a_service_cut_into_files_by_time_is_joined(history, tmp_path, samples, series):
    from sre.metrics.export import write_parquet

    for part, chosen in enumerate((slice(0, 300), slice(300, None))):
        cut = [
            series(one.id.name, one.times[chosen], one.values[chosen], **dict(one.id.labels)) for one in history["a"]
        ]
        write_parquet(cut, tmp_path / f"day-{part}.parquet")
    same(backtest_files(tmp_path, [slo_of("a")], PLAN), backtest(samples(*history["a"]), [slo_of("a")], PLAN))


def test_a_file_says_which_labels_and_times_it_holds(folder):
    facts = file_facts(folder / "b.parquet")
    assert facts.labels["service"] == ("b", "b")
    assert facts.labels["outcome"] == ("error", "ok")
    assert facts.times == (0.0, 21600.0)
    assert folder_times(folder) == pytest.approx((0.0, 21600.0), abs=0.01)


@pytest.mark.parametrize(
    ("selector", "needed"),
    [
        (Selector("x_total", (Matcher("service", "=", "b"),)), True),
        (Selector("x_total", (Matcher("service", "=", "c"),)), False),
        (Selector("x_total", (Matcher("service", "=~", "c"),)), True),
        (Selector("x_total", (Matcher("service", "!=", "b"),)), True),
        (Selector("x_total", (Matcher("absent", "=", "y"),)), False),
        (Selector("x_total", (Matcher("absent", "=", ""),)), True),
        (Selector("x_total", (Matcher("le", "=", "0.50"),)), True),
        (Selector("x_total"), True),
        (Selector("up"), False),
    ],
)
def test_a_file_is_passed_over_only_when_it_cannot_match(selector, needed):
    bounds = {"metric": ("x_total", "x_total"), "service": ("b", "b"), "le": ("0.5", "1.0")}
    assert may_hold(bounds, selector) is needed


def test_an_slo_no_file_can_serve_is_without_data(folder):
    result = backtest_files(folder, [slo_of("a"), slo_of("zzz")], PLAN)
    assert result.slos[0].reason is None
    assert result.slos[1].reason is not None


def test_a_damaged_file_is_named(folder):
    (folder / "d.parquet").write_bytes(b"no parquet")
    with pytest.raises(BadDocument, match=r"d\.parquet"):
        backtest_files(folder, [slo_of("a")], PLAN)
    told = work(Task((folder / "d.parquet",), (slo_of("a"),), PLAN, (), ()))
    assert isinstance(told, tuple)
    assert "d.parquet" in told[0]


def test_only_a_folder_of_several_files_is_taken_apart(folder, tmp_path):
    assert is_fleet(folder)
    assert not is_fleet(folder / "a.parquet")
    (folder / "b.parquet").unlink()
    (folder / "c.parquet").unlink()
    assert not is_fleet(folder)


def test_files_without_times_ask_for_start_and_end(tmp_path):
    with pytest.raises(NoData, match="give --start and --end"):
        folder_times(tmp_path)
