"""`sre capacity`: the sum by which a replica's size is known."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from sre.cli.app import app
from sre.platforms.local import capacity_report, profile_names

PROFILE = "h100-llama3-70b-tp4"


def test_a_profile_is_told_as_a_sum_that_can_be_checked() -> None:
    result = CliRunner().invoke(app, ["capacity", PROFILE])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{PROFILE}\n")
    assert "141.2 GB / 4 = 35.3 GB a GPU" in result.stdout
    assert "24,948 of 16 tokens = 399,168 tokens" in result.stdout


def test_without_a_name_all_profiles_are_told() -> None:
    result = CliRunner().invoke(app, ["capacity", "--json"])
    told = json.loads(result.stdout)["profiles"]
    assert [entry["profile"] for entry in told] == profile_names()
    assert told[0]["capacity"]["kv_blocks"] > 0


def test_the_figures_are_those_of_the_lines() -> None:
    report = capacity_report(PROFILE)
    assert report["capacity"]["kv_tokens"] == 399_168
    assert report["cold_start_s"]["load_weights"] == 70.6
