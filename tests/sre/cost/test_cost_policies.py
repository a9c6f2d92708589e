"""Scaling policies in money: scaled to a month against a baseline, and refused where they cannot be compared."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from sre.cost.policies import read_policies
from sre.errors import BadDocument


def run(name: str, cost: str, attainment: float, *, baseline: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "is_baseline": baseline,
        "cost": cost,
        "attainment": attainment,
        "per_million_good_tokens": None if attainment == 0 else "1.5",
    }


def comparison(tmp_path: Path, **changed: Any) -> Path:
    path = tmp_path / "compare.json"
    document = {
        "currency": "USD",
        "price": "p",
        "traffic": "a day",
        "profile": "h100",
        "duration_s": 3600.0,
        "runs": [
            run("fixed 2", "2.00", 0.1, baseline=True),
            run("fixed 9", "9.00", 1.0, baseline=True),
            run("hpa", "6.50", 0.995),
            run("cheap", "4.00", 0.9),
        ],
    }
    path.write_text(json.dumps(document | changed), "utf-8")
    return path


def test_savings_are_against_the_fleet_for_the_peak_scaled_to_thirty_days(tmp_path: Path) -> None:
    found = read_policies(comparison(tmp_path), "USD")
    saved = {one.name: one.saved_a_month for one in found.policies}
    assert found.baseline == "fixed 9"
    assert saved == {"fixed 2": 5040, "fixed 9": None, "hpa": 1800, "cheap": 3600}  # x 720 hours
    assert found.formula == "(cost of fixed 9 - cost of the policy) x 30 d / 1 h"


def test_the_best_policy_keeps_requests_good_and_is_no_fixed_fleet(tmp_path: Path) -> None:
    found = read_policies(comparison(tmp_path), "USD")
    best = found.best(Decimal("0.99"))
    assert best is not None
    assert best.name == "hpa"
    assert found.best(Decimal("0.999")) is None


def test_another_baseline_can_be_asked_for(tmp_path: Path) -> None:
    found = read_policies(comparison(tmp_path), "USD", baseline="hpa")
    assert next(one for one in found.policies if one.name == "fixed 9").saved_a_month == -1800


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"currency": "EUR"}, "is in EUR, not USD: nothing is converted"),
        ({"duration_s": 0}, "not a whole comparison"),
        ({"runs": [{}]}, "not a whole comparison"),
        ({"runs": []}, "not a whole comparison"),
    ],
)
def test_a_comparison_that_cannot_be_used_is_refused(tmp_path: Path, changed: dict[str, Any], fault: str) -> None:
    with pytest.raises(BadDocument, match=fault):
        read_policies(comparison(tmp_path, **changed), "USD")


def test_a_baseline_nobody_ran_names_those_that_were(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match="no policy is called 'peak': there are fixed 2, fixed 9, hpa, cheap"):
        read_policies(comparison(tmp_path), "USD", baseline="peak")
