"""A report held against an earlier one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import BadDocument
from sre.reports.performance.json_file import Recorded, read_recorded, report_json
from sre.reports.performance.model import PerformanceReport
from sre.reports.performance.verify import EXACT, MEASURED, Tolerance, Verified, rules, tolerance_of, verify

Make = Callable[..., PerformanceReport]


def recorded(report: PerformanceReport, tmp_path: Path) -> Recorded:
    path = tmp_path / "performance.json"
    path.write_text(json.dumps(report_json(report)))
    return read_recorded(path)


def verdict(found: Verified, name: str) -> str:
    return next(check.verdict for check in found.checks if check.name == name)


def test_the_same_report_is_the_same(make: Make, tmp_path: Path) -> None:
    found = verify(recorded(make(), tmp_path), make())
    assert found.ok
    assert set(found.counts()) == {"same"}


def test_a_simulated_figure_that_moved_at_all_is_outside(make: Make, tmp_path: Path) -> None:
    found = verify(recorded(make(), tmp_path), make(simulated_s=0.2000001))
    assert not found.ok
    assert verdict(found, "classes/simulated/chat/ttft_p50") == "outside"
    assert verdict(found, "classes/measured/chat/ttft_p50") == "same"


@pytest.mark.parametrize(("ttft_s", "expected"), [(0.35, "within"), (0.6, "outside")])
def test_a_measured_one_may_move_within_its_factor(make: Make, tmp_path: Path, ttft_s: float, expected: str) -> None:
    found = verify(recorded(make(), tmp_path), make(ttft_s=ttft_s))
    assert verdict(found, "classes/measured/chat/ttft_p50") == expected


def test_on_another_machine_times_are_not_compared_but_shares_and_ratios_are(make: Make, tmp_path: Path) -> None:
    found = verify(recorded(make(), tmp_path), make(ttft_s=0.6, machine="64 x another"))
    assert not found.same_machine
    assert verdict(found, "classes/measured/chat/ttft_p50") == "not compared"
    assert verdict(found, "classes/measured/chat/attainment") == "same"
    assert verdict(found, "classes/compared/chat/ttft_p50") == "outside"


def test_a_figure_that_is_gone_fails_and_a_new_one_does_not(make: Make, tmp_path: Path) -> None:
    both, one = make(), make()
    one = replace(one, sections=one.sections[:1])
    assert not verify(recorded(both, tmp_path), one).ok
    grown = verify(recorded(one, tmp_path), both)
    assert grown.ok
    assert verdict(grown, "knee/simulated/c16/tokens_per_s") == "new"


def test_what_only_another_machine_can_measure_is_not_compared(make: Make, tmp_path: Path) -> None:
    here = make(machine="64 x another")
    here = replace(here, sections=here.sections[:1])
    found = verify(recorded(make(), tmp_path), here)
    assert verdict(found, "knee/measured/c16/tokens_per_s") == "not compared"
    assert verdict(found, "knee/simulated/c16/tokens_per_s") == "missing"


def test_nothing_to_compare_is_no_success(make: Make, tmp_path: Path) -> None:
    empty = replace(recorded(make(), tmp_path), figures={})
    assert not verify(empty, make()).ok


def test_a_quick_run_s_tails_may_move_further(make: Make, tmp_path: Path) -> None:
    found = verify(recorded(make(quick=True), tmp_path), make(ttft_s=0.55, quick=True))
    assert verdict(found, "classes/measured/chat/ttft_p50") == "within"


def test_every_tolerance_says_why() -> None:
    assert all(tolerance.reason and tolerance.words for _, tolerance in rules())
    assert tolerance_of("simulated", "duration_s") is EXACT


@given(st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
def test_a_tolerance_is_symmetric(one: float, other: float) -> None:
    for tolerance in MEASURED.values():
        assert tolerance.holds(one, other) == tolerance.holds(other, one)


def test_a_factor_never_spans_a_sign() -> None:
    assert not Tolerance("", "", factor=100.0).holds(-1.0, 1.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "no performance report"),
        ('{"kind": "performance", "schema": 99}', "no performance report of schema 1"),
        ('{"kind": "performance", "schema": 1, "options": {}}', "cannot be understood"),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(BadDocument, match=said) as caught:
        read_recorded(path)
    assert "\n" not in str(caught.value)


def test_an_option_of_a_later_version_is_refused(make: Make, tmp_path: Path) -> None:
    data = report_json(make())
    data["options"]["warp"] = 9
    path = tmp_path / "performance.json"
    path.write_text(json.dumps(data))
    with pytest.raises(BadDocument, match="unknown options warp"):
        read_recorded(path)
