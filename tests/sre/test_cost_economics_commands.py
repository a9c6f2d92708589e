"""`sre cost incident|drill|roi|briefing` as a user calls them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from sre.incidents.events import Draft, Measured, Opened
from sre.incidents.store import open_store

SRE = Path(sys.executable).parent / "sre"
ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "reports" / "example"


def sre(*arguments, cwd):
    return subprocess.run([SRE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture
def workspace(tmp_path):
    shutil.copy(ROOT / "finance.yaml", tmp_path)
    return tmp_path


def test_an_incident_of_a_report_is_a_sum_whose_unknown_lines_are_named(workspace) -> None:
    done = sre("cost", "incident", EXAMPLE, "--json", cwd=workspace)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["currency"] == "USD"
    assert [line["name"] for line in found["lines"] if line["amount"] is None] == ["SLA credits"]
    assert found["finance"]["illustrative"] is True


def test_the_month_of_the_contract_gives_the_credits(workspace) -> None:
    month = ("--month-requests", 1000000, "--month-failed", 0)
    found = json.loads(sre("cost", "incident", EXAMPLE, *month, "--json", cwd=workspace).stdout)
    assert next(line["amount"] for line in found["lines"] if line["name"] == "SLA credits") == "0"


def test_an_availability_just_below_a_step_is_not_shown_as_the_step(workspace) -> None:
    month = ("--month-requests", 40000000, "--month-failed", 40005)
    lines = json.loads(sre("cost", "incident", EXAMPLE, *month, "--json", cwd=workspace).stdout)["lines"]
    assert "99.899988 %" in json.dumps(next(line for line in lines if line["name"] == "SLA credits"))


def test_half_a_month_is_wrong_use(workspace) -> None:
    done = sre("cost", "incident", EXAMPLE, "--month-requests", 10, cwd=workspace)
    assert done.returncode == 2
    assert "give both" in done.stderr


def test_an_incident_of_the_store_is_told_by_its_id(workspace) -> None:
    store = open_store(workspace / "incidents.sqlite")
    store.open(
        Draft(1000.0, Opened("late tokens", "manual", "SEV3"), "opened", "a test", "kim"),
        Draft(1001.0, Measured({"requests_failed": "5", "requests_rejected": "0"}), "counted", "a test", "kim"),
    )
    store.close()
    found = json.loads(sre("cost", "incident", "INC-0001", "--json", cwd=workspace).stdout)
    assert found["title"] == "INC-0001: late tokens"
    assert found["lines"][0]["amount"] == "0.05"
    assert json.loads(sre("cost", "incident", "1", "--json", cwd=workspace).stdout) == found
    missing = sre("cost", "incident", "INC-0009", cwd=workspace)
    assert (missing.returncode, "INC-0009" in missing.stderr) == (2, True)
    assert len(missing.stderr.strip().splitlines()) == 1


def test_without_a_store_an_id_is_one_line(tmp_path) -> None:
    done = sre("cost", "incident", "INC-0001", cwd=tmp_path)
    assert done.returncode == 2
    assert "there is no incident store here" in done.stderr


def test_a_drill_costs_its_gpus_and_its_people(workspace) -> None:
    found = json.loads(sre("cost", "drill", EXAMPLE, "--json", cwd=workspace).stdout)
    bill = json.loads((EXAMPLE / "report.json").read_text())["cost"]["total"]
    assert Decimal(found["billed"]) == Decimal(bill)
    assert found["not_billed"] == "505"


def test_every_fault_of_a_bad_finance_file_is_a_line_with_its_place(workspace) -> None:
    (workspace / "bad.yaml").write_text("schema: 1\ncurrency: USS\ngood_request: {value: -1}\n")
    done = sre("cost", "roi", "--finance", "bad.yaml", cwd=workspace)
    assert done.returncode == 2
    assert "bad.yaml:2: currency: 'USS' is no currency" in done.stderr
    assert "bad.yaml:3: good_request.value: is -1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_return_needs_finance_and_says_what(tmp_path) -> None:
    done = sre("cost", "roi", cwd=tmp_path)
    assert done.returncode == 2
    assert "a return needs programme" in done.stderr


def test_the_same_seed_prints_the_same_return_and_writes_the_same_page(workspace) -> None:
    first, second = (
        sre("cost", "roi", "--seed", 3, "--years", 500, "--json", "--html", f"{n}.html", cwd=workspace) for n in "ab"
    )
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    assert (workspace / "a.html").read_bytes() == (workspace / "b.html").read_bytes()
    assert set(json.loads(first.stdout)) >= {"net", "break_even", "chance_positive", "swings", "inputs"}


def test_a_briefing_is_written_as_page_markdown_and_json(workspace) -> None:
    done = sre("cost", "briefing", EXAMPLE, "--out", "out", cwd=workspace)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (workspace / "out").iterdir()) == ["finops.html", "finops.json", "finops.md"]
    assert len(done.stdout.strip().splitlines()) == 4  # three sentences and where it is


def test_a_period_without_drills_is_said_to_be_empty(workspace) -> None:
    done = sre("cost", "briefing", EXAMPLE, "--from", "2030-01-01", cwd=workspace)
    assert done.returncode == 2
    assert "nothing to brief on" in done.stderr


def test_a_day_that_is_none_is_wrong_use(workspace) -> None:
    done = sre("cost", "briefing", EXAMPLE, "--to", "2030-13-01", cwd=workspace)
    assert done.returncode == 2
    assert "is no day" in done.stderr
