"""A suite's summary says the same in HTML, Markdown and JSON; a hostile title stays text."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sre.errors import BadDocument
from sre.reports.drill_facts import drill_facts
from sre.reports.manifest import verify
from sre.reports.matrix import matrix
from sre.reports.model import Check, Subject
from sre.reports.suite import load_suite, played_in, write_matrix, write_suite
from sre.reports.suite_model import Entry, SuiteReport, played
from sre.reports.view import view
from sre.reports.write import write_report
from sre.risks.model import Risk

HOSTILE = "<script>alert(1)</script> | `x` ](http://evil)"
KEYS = ("steady-state", "proven", "alert", "recovery", "requests")
RISK = Risk("RISK-001", "late", "open", "serving", ("EXP-002",), ("alert",), "14 s", "probe every second", "12")


class Seen(HTMLParser):
    """Tags, ids, links and visible text of a page."""

    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.links, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        named = dict(attrs)
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named["href"]] if tag == "a" and "href" in named else []

    def handle_data(self, data):
        self.text.append(data)


def checks(*failed):
    return tuple(Check(key, key not in failed, "as promised", "seen", key=key) for key in KEYS)


@pytest.fixture(scope="module")
def reports(factory):
    """Three drills: passed, known to be weak, and a surprise."""
    base = factory.make_drill(requests=40)
    subject = Subject("EXP-001", "replica", "crash", ("replica-crash",), ("availability",))
    weak = replace(subject, id="EXP-002", faults=("replica-hang",), risk="RISK-001", weakness="noticed late")
    return (
        replace(base, id="one", subject=subject, checks=checks()),
        replace(base, id="two", subject=weak, checks=checks("alert"), verdict="deviated", is_known=True),
        replace(
            base,
            id="three",
            title=HOSTILE,
            subject=replace(subject, id="EXP-003", faults=("gpu-xid",)),
            checks=checks("requests", "recovery"),
            verdict="deviated",
            verdict_reasons=("requests survive: expected none failed, observed 3 error",),
        ),
    )


@pytest.fixture(scope="module")
def suite(reports):
    entries = [
        Entry(f"{r.id}.yaml", r.title, r.subject, drill_facts(r).outcome, r.verdict_reasons, 55.0, drill_facts(r), 1)
        for r in reports
    ]
    broken = Entry("four.yaml", "broken", Subject("EXP-004", "host", "disk"), "error", ("it broke",), 3.0, None, 1)
    skipped = Entry("five.yaml", "dns", Subject("EXP-005", "network", "dns"), "skipped", ("kubernetes only",))
    return SuiteReport(
        *("20261125T000000Z-suite-smoke", "smoke", 1_790_000_000.0, 1_790_000_300.0, (*entries, broken, skipped), 2),
        notes=("The platform was started anew after two.yaml: llm-1 is backoff.",),
        risks=(RISK,),
    )


@pytest.fixture(scope="module")
def folder(suite, tmp_path_factory):
    made = tmp_path_factory.mktemp("reports") / suite.id
    write_suite(suite, made)
    return made


@pytest.fixture(scope="module")
def page(folder):
    seen = Seen()
    seen.feed((folder / "suite.html").read_text())
    return seen


def test_the_folder_is_whole(folder):
    assert verify(folder) == []
    assert sorted(p.name for p in folder.iterdir()) == ["manifest.json", "suite.html", "suite.json", "suite.md"]


def test_the_page_has_its_sections_and_nothing_that_runs_or_loads(page):
    wanted = ("drills", "steps", "areas", "charts", "matrix", "definitions")
    assert [i for i in page.ids if i in wanted] == list(wanted)
    assert "script" not in page.tags
    assert not {"img", "iframe", "object"} & set(page.tags)
    assert page.tags.count("svg") == 2
    assert all(link.startswith(("#", "../")) for link in page.links)


def test_each_drill_with_a_report_leads_to_it_and_one_without_says_why(page):
    assert {"../one/report.html", "../two/report.html", "../three/report.html"} <= set(page.links)
    text = " ".join(page.text)
    for said in ("known weakness RISK-001", "it broke", "kubernetes only", "started anew after two.yaml"):
        assert said in text


def test_the_banner_counts_and_the_worst_decides_its_words(page):
    text = " ".join(" ".join(page.text).split())
    assert "1 passed, 1 skipped, 1 known weakness, 1 deviated, 1 error" in text
    assert "at least one drill broke and measured nothing" in text


def test_what_to_mend_next_names_risk_owner_and_mend(page):
    text = " ".join(page.text)
    assert "RISK-001 (open, serving)" in text
    assert "probe every second (issue 12)" in text
    assert "none named" in text


def test_the_markdown_says_the_same_and_breaks_no_table(folder):
    text = (folder / "suite.md").read_text()
    assert "[drill" not in text
    assert "<script" not in text.replace("\\<", "")
    assert "](<../one/report.html>)" in text
    for line in text.splitlines():
        if line.startswith("|") and "result | id" in line:
            columns = line.count("|")
    rows = [line for line in text.splitlines() if line.startswith("| passed |")]
    assert rows
    assert {row.replace("\\|", "").count("|") for row in rows} == {columns}


def test_the_json_is_the_suite_again_with_its_matrix(folder, suite):
    assert load_suite(folder / "suite.json") == suite
    document = json.loads((folder / "suite.json").read_text())
    areas = {area["family"]: area["score"] for area in document["matrix"]["areas"]}
    assert areas["replica"] == pytest.approx((1.0 + 0.75 + 4.5 / 8) / 3)
    assert areas["host"] is None
    (folder.parent / "bad.json").write_text('{"schema": 2}')
    with pytest.raises(BadDocument, match="not a suite report of schema 1"):
        load_suite(folder.parent / "bad.json")


def test_the_same_suite_gives_the_same_bytes(suite, folder, tmp_path):
    write_suite(suite, tmp_path / suite.id)
    for name in ("suite.html", "suite.md", "suite.json", "manifest.json"):
        assert (tmp_path / suite.id / name).read_bytes() == (folder / name).read_bytes()


def test_a_suite_in_which_nothing_was_tested_does_not_look_good(tmp_path):
    nothing = SuiteReport(
        "s", "full", 0.0, 1.0, (Entry("a.yaml", "a", Subject("EXP-001", "network", "d"), "skipped"),), 0
    )
    text = write_suite(nothing, tmp_path / "s").read_text()
    assert "nothing was tested" in text
    assert 'class="banner unsure"' in text


def test_a_weakness_that_did_not_show_is_asked_about(suite, tmp_path):
    (known,) = [entry for entry in suite.entries if entry.outcome == "known"]
    lucky = replace(suite, entries=(replace(known, outcome="passed"),))
    assert "RISK-001 did not show in EXP-002: is it mended?" in write_suite(lucky, tmp_path / "s").read_text()


def test_a_drills_own_report_says_that_it_was_no_surprise(reports):
    _, known, surprise = reports
    assert "known weakness RISK-001: noticed late" in view(known).reasons
    assert view(surprise).reasons == surprise.verdict_reasons


def test_the_matrix_of_report_folders_leads_back_to_them(reports, tmp_path, suite):
    for report in reports:
        write_report(report, tmp_path / "reports" / report.id)
    (tmp_path / "reports" / "no-report").mkdir()
    found, places = played_in([tmp_path / "reports", tmp_path / "reports" / "one"])
    assert sorted(places) == ["one", "three", "two"]
    assert matrix(found).areas == matrix(played(suite.entries)).areas
    seen = Seen()
    seen.feed(write_matrix(matrix(found, risks=(RISK,)), tmp_path / "out", places=places).read_text())
    assert "../reports/one/report.html" in seen.links
    with pytest.raises(BadDocument, match="no such folder"):
        played_in([tmp_path / "nowhere"])
