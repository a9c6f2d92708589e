"""Rate books: the shipped one says who counted what; one's own is read strictly, every fault with its line."""

from __future__ import annotations

import pytest
import yaml

from sre.errors import BadDocument
from sre.reliability.durations import duration_of
from sre.reliability.rates_reader import read_rates, shipped_rates

HEAD = "schema: 1\nas_of: 2026-11-25\nextends: shipped\n"
OWN = (
    "{name: mine, title: mine, group: g, hits: replica, per: hour, rate: %s, recovery: repair, basis: assumed, "
    "source: nobody}"
)


def refusals(tmp_path, text) -> list[str]:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(BadDocument) as caught:
        read_rates(path)
    return [fault.replace(str(path), "my.yaml") for fault in caught.value.faults]


def read(tmp_path, text):
    (tmp_path / "my.yaml").write_text(text)
    return read_rates(tmp_path / "my.yaml")


def test_the_shipped_book_counts_what_the_llama_3_paper_counted() -> None:
    book = shipped_rates()
    counted = [fault for fault in book.faults if fault.source.name == "llama3"]
    assert sum(fault.rate for fault in counted) * 16_384 * 54 * 24 == pytest.approx(419)
    assert 1 / sum(fault.rate for fault in counted) == pytest.approx(50_700, rel=1e-3)


def test_the_median_of_a_gpus_repair_is_published_and_its_spread_makes_the_mean_longer() -> None:
    repair = shipped_rates().recovery("repair")
    assert (repair.median_h, repair.basis) == (16.8, "published")
    lasts = duration_of(repair, cold_start_h=0.5, replacement_h=None)
    assert lasts.mean_h == pytest.approx(16.8 * 2.718281828**0.5 + 0.5)


def test_every_shipped_entry_says_who_says_so_and_how_far_it_may_be_off() -> None:
    book = shipped_rates()
    assert all(source.title for source in book.sources)
    assert all(fault.range[0] < 1 < fault.range[1] for fault in book.faults)
    assert {fault.basis for fault in book.faults if fault.source.name == "nobody"} == {"assumed"}


def test_another_machine_ends_a_repair_and_no_restart() -> None:
    book = shipped_rates()
    taken_over = duration_of(book.recovery("repair"), cold_start_h=0.1, replacement_h=0.25)
    restarted = duration_of(book.recovery("crash-restart"), cold_start_h=0.1, replacement_h=0.25)
    assert taken_over.mean_h == pytest.approx(0.35)
    assert restarted.median_h == book.recovery("crash-restart").median_h


def test_an_entry_of_ones_own_takes_the_place_of_the_shipped_one(tmp_path) -> None:
    book = read(tmp_path, HEAD + "faults:\n  - " + (OWN % "{once_in_hours: 100}").replace("mine", "zone-outage") + "\n")
    changed = next(fault for fault in book.faults if fault.name == "zone-outage")
    assert (changed.rate, changed.hits) == (0.01, "replica")
    assert len(book.faults) == len(shipped_rates().faults)


def test_a_book_may_stand_alone(tmp_path) -> None:
    shipped = yaml.safe_load((shipped_path()).read_text())
    shipped["faults"] = shipped["faults"][:1]
    assert len(read(tmp_path, yaml.safe_dump(shipped)).faults) == 1


def shipped_path():
    from importlib import resources

    return resources.files("sre.reliability").joinpath("rates.yaml")


def test_a_share_a_month_is_that_share_after_a_month(tmp_path) -> None:
    book = read(tmp_path, HEAD + f"faults:\n  - {OWN % '{share_a_month: 0.15}'}\n")
    hourly = next(fault.rate for fault in book.faults if fault.name == "mine")
    assert 1 - 2.718281828459045 ** (-hourly * 720) == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        ("{once_in_hours: -1}", "write a number above 0"),
        ("{once_in_hours: 0}", "write a number above 0"),
        ("{share_a_month: -0.1}", "never negative"),
        ("{share_a_month: 1}", "write a share below 1"),
        ("{once_in_hours: .nan}", "write a number up to"),
        ("{once_in_hours: .inf}", "write a number up to"),
        ("{share_a_month: two}", "as a number"),
        ("{chance: 0.1}", "per: rollout"),
        ("{events: 3}", "needs a source with `hours`"),
        ("{events: 3, once_in_hours: 2}", "of 2 keys"),
        ("5", "write a mapping"),
    ],
)
def test_a_rate_that_is_none_is_one_line_with_its_place(tmp_path, rate, said) -> None:
    faults = refusals(tmp_path, HEAD + f"faults:\n  - {OWN % rate}\n")
    assert any(said in fault for fault in faults), faults
    assert all(fault.startswith("my.yaml:5: faults[0]") for fault in faults)


def test_every_fault_is_told_at_once(tmp_path) -> None:
    faults = refusals(
        tmp_path,
        HEAD
        + "faults:\n"
        + "  - {name: a, title: a, group: g, hits: everything, per: hour, rate: {once_in_hours: 1}, recovery: repair,"
        + " basis: assumed, source: nobody}\n"
        + "  - {name: b, title: b, group: g, hits: zone, per: gpu-hour, rate: {once_in_hours: 1}, recovery: nap,"
        + " basis: guessed, source: me, ranges: [1, 2]}\n"
        + "failover: {lost_replica_s: -3, basis: assumed, source: nobody}\n",
    )
    assert len(faults) == 7
    assert [fault.split(":")[1] for fault in faults] == ["5", "6", "6", "6", "6", "6", "7"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{name: r, title: r, median_h: 2, basis: assumed, source: nobody}", "write the spread"),
        ("{name: r, title: r, median_h: 0, sigma: 1, basis: assumed, source: nobody}", "above 0"),
        ("{name: r, title: r, median_h: 1, mean_h: 1, sigma: 1, basis: assumed, source: nobody}", "either"),
        ("{name: r, title: r, mean_h: 1, sigma: 1, basis: assumed, source: nobody}", "of a lognormal give median_h"),
        ("{name: r, title: r, median_h: 9, sigma: 1, range_h: [1, 2], basis: assumed, source: nobody}", "around it"),
        ("{name: r, title: r, median_h: 9, sigma: 99, basis: assumed, source: nobody}", "up to 4"),
    ],
)
def test_a_duration_that_is_none_is_refused(tmp_path, entry, said) -> None:
    assert said in " ".join(refusals(tmp_path, HEAD + f"recoveries:\n  - {entry}\n"))


def test_an_exponential_duration_is_told_by_its_mean(tmp_path) -> None:
    entry = "{name: r, title: r, mean_h: 10, shape: exponential, basis: assumed, source: nobody}"
    found = read(tmp_path, HEAD + f"recoveries:\n  - {entry}\n").recovery("r")
    assert duration_of(found, cold_start_h=0, replacement_h=None).mean_h == pytest.approx(10)


def test_a_book_without_rates_says_what_it_lacks(tmp_path) -> None:
    faults = refusals(tmp_path, "schema: 1\nas_of: someday\n")
    assert any("as_of" in fault for fault in faults)
    assert sum("missing" in fault for fault in faults) == 6
