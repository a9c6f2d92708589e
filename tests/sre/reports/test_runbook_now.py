"""What holds now: read where it can be, n/a with the reason where not, and never in a page that is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import BadDocument, SreError
from sre.reports.runbook_now import now_of
from sre.slo.openslo import load_slos

ROOT = Path(__file__).resolve().parents[3]
SLOS = load_slos(ROOT / "slo")


def run(*arguments: str):
    return CliRunner().invoke(app, ["runbook", *arguments, "--workspace", str(ROOT)])


def test_where_nothing_runs_each_row_says_why(tmp_path):
    now = now_of(tmp_path / ".sre", SLOS, at=1795600000.0)
    rows = dict(now.rows)
    assert now.at == "2026-11-25 09:46:40 UTC"
    assert rows["platform"].startswith("n/a (")
    assert rows["faults of drills"] == "none is open"
    assert rows["budgets"].startswith("n/a (no samples in")
    assert now.gateway == ""


def test_show_prints_the_page_with_what_holds_now_and_writes_nothing(tmp_path):
    before = (ROOT / "runbooks" / "TtftErrorBudgetBurn.md").read_bytes()
    shown = run("show", "TtftErrorBudgetBurn", "--state-dir", str(tmp_path)).stdout
    assert shown.startswith("# Alert: TtftErrorBudgetBurn")
    assert "**Now** (" in shown
    assert (ROOT / "runbooks" / "TtftErrorBudgetBurn.md").read_bytes() == before
    assert "**Now**" not in before.decode()


def test_show_knows_the_pages_of_failures_and_says_what_there_is():
    assert "**Now** (" in run("show", "replica-hang").stdout
    assert isinstance(run("show", "meteor").exception, BadDocument)


def test_live_pages_go_elsewhere_and_are_all_there(tmp_path):
    out = tmp_path / "tonight"
    assert run("build", "--live", "--out", str(out), "--state-dir", str(tmp_path)).exit_code == 0
    assert {path.name for path in out.iterdir()} == {path.name for path in (ROOT / "runbooks").glob("*.md")}
    assert all("**Now** (" in path.read_text() for path in out.iterdir())


@pytest.mark.parametrize("more", [[], ["--out", str(ROOT / "runbooks")]])
def test_live_pages_never_replace_those_that_are_kept(more):
    result = run("build", "--live", *more)
    assert isinstance(result.exception, SreError)
    assert "give --out with a folder that is not runbooks/" in str(result.exception)
