"""The appendix: what is quoted is what stands in the file, and nothing outside the folder is ever read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sre.incidents.events import Draft, Observed
from sre.reports.links import anchor_of, linked
from sre.reports.postincident.build import post_incident
from sre.reports.postincident.html import post_incident_html
from sre.reports.postincident.model import Source
from sre.reports.postincident.quotes import with_evidence
from sre.reports.postincident.record_files import LINE_LIMIT, cleaned, inside, line, lines_at, picked
from sre.reports.postincident.sources import sources_of


@pytest.fixture
def records(tmp_path, factory):
    """The raw files of the factory's drill."""
    files = {
        "requests.jsonl": factory.request_rows(),
        "chaos.jsonl": factory.ledger_rows(),
        "events.jsonl": factory.event_rows(),
    }
    for name, rows in files.items():
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "journal.json").write_text(json.dumps(factory.journal_dict(), indent=1))
    return tmp_path


@pytest.fixture
def entries(drill, drill_case, records):
    report = with_evidence(post_incident(drill_case, drill=drill), records, drill_case, drill)
    return {(entry.source.where, entry.source.pick): entry for entry in report.evidence}, report


def test_every_source_has_one_entry_numbered_in_reading_order(entries):
    _, report = entries
    assert [entry.number for entry in report.evidence] == list(range(1, len(report.evidence) + 1))
    assert tuple(entry.source for entry in report.evidence) == sources_of(report)


def test_every_row_of_the_timeline_leads_to_an_entry(entries):
    found, report = entries
    for row in report.timeline:
        assert all((source.where, source.pick) in found for source in row.what.sources)


def test_a_value_of_the_report_is_quoted(entries, drill):
    found, _ = entries
    entry = found["report.json#/incident/impact/tokens_in_failed", ""]
    assert entry.quotes[0].text == f"/incident/impact/tokens_in_failed: {drill.incident.impact.tokens_in_failed}"
    assert entry.href == "report.json"


def test_failed_requests_are_quoted_with_their_lines(entries, records):
    found, _ = entries
    entry = found["requests.jsonl", "failed"]
    lines = (records / "requests.jsonl").read_text().splitlines()
    wrong = [n for n, text in enumerate(lines, 1) if json.loads(text)["outcome"] != "ok"]
    assert [quote.number for quote in entry.quotes] == wrong[:8]
    assert all(
        quote.text in (lines[quote.number - 1], lines[quote.number - 1][: LINE_LIMIT - 1] + "…")
        for quote in entry.quotes
    )


def test_a_line_is_quoted_by_its_number_and_a_short_file_says_so(records):
    assert line(records / "chaos.jsonl", 2)[0].text == json.dumps(_row(records, 1))
    assert line(records / "chaos.jsonl", 99) == ()


def _row(records, index):
    return json.loads((records / "chaos.jsonl").read_text().splitlines()[index])


def test_a_record_is_found_by_its_instant_whatever_else_is_in_the_file(records):
    at = _row(records, 1)["at"]
    (records / "chaos.jsonl").write_bytes(b"\xff\xfe broken\n" + (records / "chaos.jsonl").read_bytes() + b'{"at": 17')
    (quote,) = lines_at(records / "chaos.jsonl", at)
    assert quote.number == 3
    assert json.loads(quote.text)["at"] == at


def test_an_empty_file_and_a_cut_one_are_no_error(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b"")
    (tmp_path / "b.jsonl").write_bytes(b'{"outcome":"error"')
    assert picked(tmp_path / "a.jsonl", "failed") == ((), 0)
    assert picked(tmp_path / "b.jsonl", "failed")[1] == 1


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/passwd", "a\\b", "", "nothing.json", "x\0y", "link.json"])
def test_only_plain_files_inside_the_folder_are_opened(tmp_path, name):
    (tmp_path.parent / "secret.txt").write_text("secret")
    (tmp_path / "link.json").symlink_to(tmp_path.parent / "secret.txt")
    assert inside(tmp_path, name) is None


def test_a_source_that_points_outside_quotes_nothing(records, alert_drafts):
    from sre.reports.rebuild import without_store

    (records.parent / "secret.jsonl").write_text("secret\n")
    rows = [
        Draft(1_790_000_300.0, Observed("note", evidence), "see there", "", "eve")
        for evidence in (
            "../secret.jsonl:1",
            "/etc/passwd",
            "/etc/passwd:1",
            "file:///etc/passwd",
            "javascript:alert(1)",
        )
    ]
    case = without_store((*alert_drafts, *rows), "INC-0009")
    report = with_evidence(post_incident(case), records, case)
    told = {entry.source.where: entry for entry in report.evidence}
    for row in rows:
        assert told[row.payload.evidence].quotes == ()
        assert linked(told[row.payload.evidence].href) == ""


def test_a_missing_file_is_said_and_stops_nothing(drill, drill_case, tmp_path):
    report = with_evidence(post_incident(drill_case, drill=drill), tmp_path, drill_case, drill)
    notes = {entry.note for entry in report.evidence if entry.source.where.startswith("requests.jsonl")}
    assert notes == {"requests.jsonl is not in the report folder"}


def test_events_of_the_store_are_quoted_whole(alert_case, tmp_path):
    report = with_evidence(post_incident(alert_case), tmp_path, alert_case)
    entry = next(e for e in report.evidence if e.source.where == "INC-0007#11")
    assert '"requests_failed": "12"' in entry.quotes[0].text


def test_a_report_written_elsewhere_leads_back_to_the_records(drill, drill_case, records):
    report = with_evidence(post_incident(drill_case, drill=drill), records, drill_case, drill, prefix="../drill/")
    hrefs = {entry.href for entry in report.evidence if entry.href}
    assert hrefs
    assert all(href.startswith("../drill/") for href in hrefs)


def test_records_in_a_folder_with_spaces_and_letters_of_any_language_are_still_linked(drill, drill_case, records):
    told = post_incident(drill_case, drill=drill)
    report = with_evidence(told, records, drill_case, drill, prefix="../Übung am 3. März/")
    hrefs = [entry.href for entry in report.evidence if entry.href]
    assert {linked(href).rpartition("/")[0] for href in hrefs} == {"../%C3%9Cbung%20am%203.%20M%C3%A4rz"}
    page = post_incident_html(report, ())
    assert page.count('href="../%C3%9Cbung%20am%203.%20M%C3%A4rz/') >= len(hrefs)


def test_quoted_lines_are_short_and_hold_no_control_characters():
    text = cleaned(b"a\x00b\x1b[31m\xff" + b"x" * 9000)
    assert len(text) == LINE_LIMIT
    assert text.isprintable()


@pytest.mark.parametrize(
    ("target", "href"),
    [
        ("https://grafana.example/d/1?x=1", "https://grafana.example/d/1?x=1"),
        ("../../runbooks/A B.md", "../../runbooks/A%20B.md"),
        ("../Übung 100%#1/A.md#see", "../%C3%9Cbung%20100%25%231/A.md#see"),
        ("../a\N{NO-BREAK SPACE}b/x.json", "../a%C2%A0b/x.json"),
        ("../a\x1bb/x.json", ""),
        ("../a\udcffb/x.json", ""),
        ("sum by (le) (rate(x[5m])) / y", ""),
        ("../../runbooks/A.md", "../../runbooks/A.md"),
        ("javascript:alert(1)", ""),
        ("JaVaScript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("//evil.example/x", ""),
        ("/etc/passwd", ""),
        ("a\nb", ""),
        ('x"onclick=1', "x%22onclick=1"),
    ],
)
def test_only_safe_targets_become_links(target, href):
    assert linked(target) == href


def test_anchors_of_different_sources_differ():
    sources = [
        Source("a:1"),
        Source("a:2"),
        Source("a", at=1.5),
        Source("a", pick="failed"),
        Source("x" * 99),
        Source("x" * 98),
    ]
    names = [anchor_of(s.where, s.at, s.pick) for s in sources]
    assert len(set(names)) == len(names)
    assert all(" " not in name for name in names)


def test_the_folder_is_only_read(entries, records):
    before = {path: path.read_bytes() for path in Path(records).iterdir()}
    assert before
    assert not list(records.glob("post-incident*"))
