"""`sre risk`: a list, one risk, a check with an exit code, the page, and an acceptance as a diff."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import SreError

RISKS = """\
# kept by us
risks:
  - id: RISK-001
    title: A replica dies
    status: open
    owner: serving
    cause: engines crash
    event: a replica stops answering
    consequence: streams are cut
    inherent: {likelihood: 4, impact: 4}
    current: {likelihood: 4, impact: 2}
    residual: {likelihood: 3, impact: 2}
    treatment: mitigate
    controls: [failover]
"""
GIVEN = ("--approver", "Ann", "--role", "SRE lead", "--reason", "rare", "--on", "2026-01-01")


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "risks.yaml").write_text(RISKS)
    return tmp_path


def run(workspace, *arguments):
    return CliRunner().invoke(app, ["risk", *map(str, arguments), "--workspace", str(workspace)])


def test_the_list_has_a_line_a_risk(workspace):
    done = run(workspace, "list")
    assert done.exit_code == 0
    assert "RISK-001" in done.stdout
    assert "4 x 4 high" in done.stdout
    (risk,) = json.loads(run(workspace, "list", "--json").stdout)["risks"]
    assert risk["current"]["band"] == "moderate"


def test_one_risk_is_shown_whole(workspace):
    done = run(workspace, "show", "RISK-001")
    assert "Because engines crash, a replica stops answering; then streams are cut." in done.stdout
    assert "asserted: no experiment is linked" in done.stdout
    assert "RISK-002 is not in risks.yaml: it has RISK-001" in str(run(workspace, "show", "RISK-002").exception)


def test_a_check_in_order_is_0_and_with_findings_1(workspace):
    assert run(workspace, "check").exit_code == 0
    path = workspace / "risks.yaml"
    path.write_text(RISKS + "    slos: [none]\n")
    done = run(workspace, "check")
    assert done.exit_code == 1
    assert "risks.yaml:15: RISK-001.slos: none is no SLO" in done.stderr
    assert json.loads(run(workspace, "check", "--json").stdout)["ok"] is False


def test_an_expired_acceptance_fails_the_check_from_its_day_on(workspace):
    run(workspace, "accept", "RISK-001", *GIVEN, "--expires", "2999-01-01", "--write")
    text = (workspace / "risks.yaml").read_text()
    assert text == RISKS, "too long for its band: refused"
    day = {"as_of": "2026-03-01"}
    (workspace / "risks.yaml").write_text(
        RISKS.replace("open", "accepted") + "    acceptance: {approver: A, role: SRE lead, on: 2026-01-01, "
        "expires: 2026-03-01, reason: r}\n"
    )
    assert run(workspace, "check", "--as-of", day["as_of"]).exit_code == 0
    assert run(workspace, "check", "--as-of", "2026-03-02").exit_code == 1


def test_an_acceptance_is_shown_as_a_diff_and_written_only_when_asked(workspace):
    from datetime import UTC, datetime, timedelta

    today = datetime.now(UTC).date()
    given = ("--approver", "Ann", "--role", "SRE lead", "--reason", "rare", "--expires", today + timedelta(days=90))
    done = run(workspace, "accept", "RISK-001", *given)
    assert '+      approver: "Ann"' in done.stdout
    assert (workspace / "risks.yaml").read_text() == RISKS
    assert run(workspace, "accept", "RISK-001", *given, "--write").exit_code == 0
    assert (workspace / "risks.yaml").read_text().startswith("# kept by us\n")
    assert "acceptance" in run(workspace, "list", "--json").stdout
    assert run(workspace, "check").exit_code == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("--role", "intern"), "not by the intern"),
        (("--expires", "soon"), "'soon' is no day"),
        (("--expires", "2025-12-31"), "is not after 2026-01-01"),
        (("--approver", " "), "--approver is empty"),
    ],
)
def test_an_acceptance_that_would_not_hold_is_refused(workspace, changed, said):
    done = run(workspace, "accept", "RISK-001", *GIVEN, "--expires", "2026-03-01", *changed)
    assert isinstance(done.exception, SreError)
    assert said in str(done.exception)
    assert (workspace / "risks.yaml").read_text() == RISKS


def test_the_page_is_written_where_asked(workspace, tmp_path):
    done = run(workspace, "matrix", "--out", tmp_path / "page", "--json")
    assert json.loads(done.stdout)["page"] == str(tmp_path / "page" / "risks.html")
    assert (tmp_path / "page" / "risks.md").is_file()


def test_without_a_register_it_says_so(tmp_path):
    assert "there is no register" in str(run(tmp_path, "list").exception)


def test_an_experiment_with_a_fault_stops_neither_check_nor_matrix(workspace):
    (workspace / "experiments" / "torn.yaml").write_text("title: [\n")
    checked = run(workspace, "check")
    assert "torn.yaml has 1 fault and was left out" in checked.stderr
    assert "1 risks" in checked.stdout
    made = run(workspace, "matrix", "--out", workspace / "out")
    assert (made.exit_code, "torn.yaml" in made.stderr) == (0, True)
    told = json.loads(run(workspace, "matrix", "--out", workspace / "out", "--json").stdout)
    assert told["left_out"] == [{"file": "torn.yaml", "id": None, "faults": 1}]
