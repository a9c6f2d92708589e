"""The register as a page: its figures, its heat map, its evidence with a link, the same bytes for the same inputs."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sre.errors import EnvironmentLacks
from sre.reports.manifest import verify
from sre.reports.model import Subject
from sre.reports.risk_evidence import drilled_in
from sre.reports.risk_model import register_report
from sre.reports.risk_view import register_page
from sre.reports.risk_write import register_html, register_markdown, write_register
from sre.reports.runbook_pages import build_page, read_workspace
from sre.reports.write import write_report

ROOT = Path(__file__).resolve().parents[3]
AS_OF = date(2026, 12, 1)
RISKS = """\
risks:
  - id: RISK-001
    title: A replica <dies>
    status: open
    owner: serving
    cause: engines crash
    event: a replica stops answering
    consequence: streams are cut
    inherent: {likelihood: 5, impact: 4}
    current: {likelihood: 5, impact: 1}
    residual: {likelihood: 5, impact: 1}
    treatment: mitigate
    controls: [failover]
    experiments: [EXP-001]
  - id: RISK-002
    title: A zone is lost
    status: accepted
    owner: platform
    cause: power fails
    event: replicas are gone
    consequence: capacity is short
    inherent: {likelihood: 2, impact: 5}
    current: {likelihood: 2, impact: 3}
    residual: {likelihood: 2, impact: 3}
    treatment: accept
    controls: []
    experiments: [EXP-001]
    acceptance: {approver: Ann, role: SRE lead, on: 2026-06-01, expires: 2026-11-30, reason: rare}
  - {id: RISK-003, title: Weak, status: mended, owner: us, found_by: [EXP-001], shows: [alert], measured: m, mend: n}
"""


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "experiments").mkdir()
    shutil.copy(ROOT / "experiments" / "replica-crash.yaml", tmp_path / "experiments")
    shutil.copytree(ROOT / "slo", tmp_path / "slo")
    (tmp_path / "risks.yaml").write_text(RISKS)
    return tmp_path


@pytest.fixture
def passed(drill):
    """The shared drill, as one of EXP-001."""
    return replace(drill, subject=Subject("EXP-001", "replica", "crash"))


@pytest.fixture
def drilled(workspace, passed):
    """A workspace with one report of a drill that passed."""
    folder = workspace / "reports" / passed.id
    folder.mkdir(parents=True)
    write_report(passed, folder)
    return workspace


def report_of(workspace, **options):
    reports = workspace / "reports"
    return register_report(workspace, [reports] if reports.is_dir() else [], as_of=AS_OF, **options)


class Ids(HTMLParser):
    """Ids in the cells of the two panels: the texts of the picture."""

    def __init__(self):
        super().__init__()
        self.texts, self.inside, self.tags = [], False, set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.inside = tag == "text"

    def handle_data(self, data):
        if self.inside and data.strip():
            self.texts.append(data.strip())

    def handle_endtag(self, tag):
        self.inside = False


def test_the_heat_map_holds_each_live_risk_once_a_panel(workspace):
    seen = Ids()
    seen.feed(register_page(report_of(workspace)).chart.svg)
    assert seen.texts.count("RISK-001") == 2
    assert seen.texts.count("RISK-002") == 2
    assert "RISK-003" not in seen.texts, "mended risks are left out"
    assert {"frequent", "severe", "likelihood", "impact"} <= set(seen.texts)


def test_the_heat_map_is_told_in_words_too(workspace):
    alt = register_page(report_of(workspace)).chart.alt
    assert "Inherent: without any control: RISK-001 at 5 x 4 critical; RISK-002 at 2 x 5 high." in alt
    assert "Residual: once treatments are done: RISK-002 at 2 x 3 moderate; RISK-001 at 5 x 1 moderate." in alt


def test_the_page_says_what_is_wrong_and_names_no_markup_of_ours(workspace):
    page = register_page(report_of(workspace))
    html, markdown = register_html(page), register_markdown(page)
    assert page.verdict == "1 finding"
    assert "expired on 2026-11-30" in html
    assert "expired on 2026-11-30" in markdown
    assert "A replica &lt;dies&gt;" in html
    assert "<dies>" not in html
    assert "<script" not in html
    assert not re.search(r'(?:src|href)="(?:https?:)?//', html)


def test_the_same_inputs_give_the_same_bytes(workspace, tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) for name in "ab"]
    for folder in folders:
        write_register(report_of(workspace), folder, root=workspace)
        assert verify(folder) == []
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == ["manifest.json", "risks.html", "risks.json", "risks.md"]
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_the_json_holds_levels_bands_and_evidence(workspace, tmp_path):
    write_register(report_of(workspace), tmp_path / "out", root=workspace)
    document = json.loads((tmp_path / "out" / "risks.json").read_text())
    first, second, third = document["risks"]
    assert first["inherent"] == {"likelihood": 5, "impact": 4, "score": 20, "band": "critical"}
    assert first["evidence"]["standing"] == "asserted"
    assert second["acceptance"]["expires"] == "2026-11-30"
    assert third["inherent"] is None
    assert (document["ok"], document["as_of"]) == (False, "2026-12-01")
    assert document["by_band"]["inherent"] == {"low": 0, "moderate": 0, "high": 1, "critical": 1}


def test_a_passed_drill_demonstrates_and_the_page_leads_to_it(drilled, passed, tmp_path_factory):
    assert passed.verdict == "passed"
    report = register_report(drilled, [drilled / "reports"], as_of=_day_of(passed))
    evidence = report.evidence["RISK-001"]
    assert (evidence.standing, evidence.by.report) == ("demonstrated", passed.id)
    assert evidence.by.source == f"reports/{passed.id}/report.json"
    out = tmp_path_factory.mktemp("out")
    write_register(report, out, root=drilled)
    (link,) = set(re.findall(rf'href="([^"]*{passed.id}[^"]*)"', (out / "risks.html").read_text()))
    assert (out / link).resolve() == (drilled / "reports" / passed.id / "report.html").resolve()


def test_a_drill_that_only_its_runbook_remembers_demonstrates_too(drilled, passed):
    build_page("replica-crash", read_workspace(drilled), [passed], drilled / "runbooks")
    shutil.rmtree(drilled / "reports")
    (found,) = drilled_in(drilled, [])
    assert (found.experiment, found.outcome, found.source) == ("EXP-001", "passed", "runbooks/replica-crash.md")
    report = register_report(drilled, [], as_of=_day_of(passed))
    assert report.evidence["RISK-001"].standing == "demonstrated"


def test_a_drill_older_than_stated_demonstrates_nothing(drilled, passed):
    day = date.fromordinal(_day_of(passed).toordinal() + 31)
    report = register_report(drilled, [drilled / "reports"], as_of=day, max_age_days=30)
    assert report.evidence["RISK-001"].reason == "EXP-001 passed 31 days ago, more than 30"


def test_the_register_of_this_repository_is_in_order():
    """On the day of writing: acceptances and drills age, links and levels do not."""
    report = register_report(ROOT, [], as_of=date(2026, 11, 25))
    assert [finding.text for finding in report.findings] == []
    known = {entry.id: entry.risk for entry in report.entries}
    assert {"RISK-001", "RISK-002"} <= set(known)
    assert known["RISK-001"].shows == known["RISK-002"].shows == ("alert",)


def test_an_experiment_with_a_fault_is_named_and_its_id_still_counts(drilled, passed):
    path = drilled / "experiments" / "replica-crash.yaml"
    path.write_text(path.read_text() + "no_such_key: 1\n")
    (drilled / "experiments" / "torn.yaml").write_text("title: [\n")
    report = register_report(drilled, [drilled / "reports"], as_of=_day_of(passed))
    assert [finding.risk for finding in report.findings] == []
    assert report.evidence["RISK-001"].standing == "demonstrated"
    assert [(one.path.name, one.id) for one in report.left_out] == [
        ("replica-crash.yaml", "EXP-001"),
        ("torn.yaml", ""),
    ]
    for text in (register_markdown(register_page(report)), register_html(register_page(report))):
        assert "replica-crash.yaml has 1 fault and was left out" in text
        assert "torn.yaml has 1 fault" in text


def test_a_folder_that_cannot_be_made_is_said(workspace, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentLacks, match="no folder can be made"):
        write_register(report_of(workspace), tmp_path / "file" / "out", root=workspace)


def _day_of(report):
    return datetime.fromtimestamp(report.started_at, UTC).date()
