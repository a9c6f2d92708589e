"""`sre whatif` as a user calls it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import SreError

SRE = Path(sys.executable).parent / "sre"
ROOT = Path(__file__).resolve().parents[2]
NEGATIVE = (
    "schema: 1\nas_of: 2026-11-25\nextends: shipped\nfaults:\n"
    "  - {name: zone-outage, title: z, group: zone, hits: zone, per: hour, rate: {once_in_hours: -3}, "
    "recovery: zone-outage, basis: assumed, source: nobody}\n"
)
FEW = ("--months", 300, "--zones", "3", "--spot", "0,60", "--no-sensitivity")


def sre(*arguments, cwd):
    return subprocess.run(
        [SRE, "whatif", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    folder = tmp_path_factory.mktemp("workspace")
    shutil.copy(ROOT / "finance.yaml", folder)
    shutil.copytree(ROOT / "slo", folder / "slo")
    shutil.copytree(ROOT / "reports" / "example", folder / "reports" / "example")
    return folder


def test_the_workspaces_slo_economics_and_drills_are_used(workspace) -> None:
    done = sre(*FEW, "--json", "--out", "out", cwd=workspace)
    found = json.loads(done.stdout)
    assert done.returncode == (0 if found["is_kept"] else 1), done.stderr
    assert found["slo"]["target"] == 0.999
    assert found["finance"]["path"] == "finance.yaml"
    drill = json.loads((workspace / "reports" / "example" / "report.json").read_text())["id"]
    assert [drill] in [one["drills"] for one in found["measured"]]
    assert [Path(path).name for path in found["files"]] == ["whatif.html", "whatif.md", "whatif.json"]
    assert json.loads((workspace / "out" / "whatif.json").read_text())["options"] == found["options"]
    assert len(found["options"]) == 6


def test_a_terminal_reads_the_recommendation_first_and_what_a_spare_costs(workspace, monkeypatch) -> None:
    monkeypatch.chdir(workspace)
    done = run(*FEW)
    assert done.stdout.splitlines()[0].startswith(("N+", "No option"))
    said = " ".join(done.stdout.split())
    assert "N+2 instead of N+1: 1 more replica costs $" in said
    assert "illustrative assumptions" in said


def run(*arguments):
    return CliRunner().invoke(app, ["whatif", *map(str, arguments)])


def test_a_risk_that_none_keeps_is_exit_1(workspace, monkeypatch) -> None:
    monkeypatch.chdir(workspace)
    done = run(*FEW, "--risk", 0, "--json")
    assert (done.exit_code, json.loads(done.stdout)["is_kept"]) == (1, False)


def test_the_rates_are_shown_with_who_counted_them(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "llama3" in run("--list-rates").stdout
    told = json.loads(run("--list-rates", "--json").stdout)
    assert {one["basis"] for one in told["faults"]} == {"published", "assumed"}


def test_without_a_workspace_a_target_is_asked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "give --target" in str(run(*FEW).exception)
    bare = run(*FEW, "--target", 0.99, "--json")
    assert bare.exit_code in (0, 1), bare.exception
    assert json.loads(bare.stdout)["options"][0]["money"]["failures"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--spares", "0,x"), "--spares '0,x'"),
        (("--spot", "0,101"), "each is 0 to 100"),
        (("--zones", "0"), "each is 1 to 20"),
        (("--load", "1,2,3"), "write 24 above 0"),
        (("--load", "sunny"), "write flat, day, or 24 numbers"),
        (("--target", 1.5), "write a ratio between 0 and 1"),
        (("--slo", "nonsense"), "no SLO is named 'nonsense'"),
        (("--cold-start", "1e9"), "--cold-start is 1e+09 s"),
        (("--profile", "h900"), "h900"),
        (("--price", "2 EUR"), "EUR"),
        (("--rates", "negative.yaml"), "negative.yaml:5"),
        (("--rates", "nowhere.yaml"), "nowhere.yaml"),
        (("--drills", "nowhere"), "no such folder"),
    ],
)
def test_wrong_use_is_one_line(workspace, monkeypatch, arguments, said) -> None:
    (workspace / "negative.yaml").write_text(NEGATIVE)
    monkeypatch.chdir(workspace)
    done = run(*FEW, *arguments)
    assert isinstance(done.exception, SreError)
    assert done.exception.exit_code == 2
    assert said in str(done.exception)
    assert len(getattr(done.exception, "faults", [1])) == 1
    assert done.stdout == ""


@pytest.mark.parametrize("option", ["--cold-start", "--replacement-hours", "--overload-factor", "--risk", "--months"])
@pytest.mark.parametrize("value", ["nan", "-1", "inf"])
def test_a_number_that_is_none_is_wrong_use(option, value) -> None:
    done = run(option, value)
    told = str(done.exception) if isinstance(done.exception, SreError) else done.output
    assert option in told
    assert done.exit_code in (1, 2)


def test_a_negative_rate_is_one_line_with_its_place_and_exit_2(workspace) -> None:
    (workspace / "negative.yaml").write_text(NEGATIVE)
    done = sre(*FEW, "--rates", "negative.yaml", cwd=workspace)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("sre: negative.yaml:5: faults[0].rate.once_in_hours: is -3: write a number above 0")


def test_drills_and_no_drills_contradict_each_other() -> None:
    assert "give one" in run("--drills", "reports", "--no-drills").output


def test_a_folder_that_cannot_be_written_is_told_before_the_months_are_simulated(workspace, monkeypatch) -> None:
    monkeypatch.chdir(workspace)
    (workspace / "file").write_text("")
    done = run("--target", "0.999", "--out", "file/within")
    assert done.exit_code != 0
    assert "file/within: cannot be written" in str(done.exception)
    assert "options x" not in done.output


def test_a_size_of_the_day_that_is_none_is_named(workspace, monkeypatch) -> None:
    monkeypatch.chdir(workspace)
    done = run("--target", "0.999", "--load", ",".join(["nan", *["1"] * 23]))
    assert "--load has nan among its sizes" in str(done.exception)
