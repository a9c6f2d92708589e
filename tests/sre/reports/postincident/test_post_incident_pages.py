"""HTML, Markdown and the files: complete, escaped, offline, and the same bytes for the same inputs."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from sre.incidents.events import Draft, Linked, Observed, Opened
from sre.reports.drill_documents import write_drill_documents
from sre.reports.manifest import verify
from sre.reports.postincident.build import post_incident
from sre.reports.postincident.charts import post_incident_charts
from sre.reports.postincident.html import post_incident_html
from sre.reports.postincident.json_file import load_post_incident, post_incident_json
from sre.reports.postincident.markdown import post_incident_markdown
from sre.reports.postincident.quotes import with_evidence
from sre.reports.postincident.write import HTML, JSON, MARKDOWN, write_post_incident
from sre.reports.rebuild import without_store

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> | `c` [x](javascript:alert(1)) \x07'


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.hrefs: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "src"
            if name == "id":
                self.ids.append(value)
            if name == "href":
                self.hrefs.append(value)

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="session")
def whole(drill, drill_case, ranking, cost_sum, tmp_path_factory):
    told = post_incident(drill_case, drill=drill, causes=ranking, costs=(cost_sum,))
    return with_evidence(told, tmp_path_factory.mktemp("records"), drill_case, drill)


@pytest.fixture(scope="session")
def html(whole, drill):
    return post_incident_html(whole, post_incident_charts(whole, drill))


def test_it_holds_its_own_charts_and_needs_no_network(html):
    page = Page(html)
    assert page.tags.count("svg") == 3
    assert "script" not in page.tags
    assert "default-src 'none'" in html


def test_each_footnote_leads_to_an_entry_and_no_id_is_used_twice(html):
    page = Page(html)
    assert sorted(page.ids) == sorted(set(page.ids))
    inside = [href[1:] for href in page.hrefs if href.startswith("#")]
    assert len(inside) > 50
    assert set(inside) <= set(page.ids)


def test_every_section_is_there(html):
    expected = {"summary", "story", "impact", "lessons", "actions", "cost", "detection", "causes", "milestones"}
    assert expected | {"timeline", "questions", "approvals", "evidence", "limits"} <= set(Page(html).ids)


def test_each_row_of_the_timeline_has_a_footnote(html):
    rows = re.search(r'<section id="timeline">.*?</section>', html, re.DOTALL).group().split("<tr class")[1:]
    assert rows
    assert all('class="src"' in row for row in rows)


def ranked(report, count, true_rank):
    (row,) = report.causes.candidates
    rows = tuple(
        dataclasses.replace(row, rank=rank, subject=f"subject-{rank}", is_true=rank == true_rank)
        for rank in range(1, count + 1)
    )
    return dataclasses.replace(report, causes=dataclasses.replace(report.causes, candidates=rows))


@pytest.mark.parametrize("render", [post_incident_html, post_incident_markdown])
def test_a_page_shows_three_candidates_and_says_how_many_there_are_besides(whole, render):
    text = render(ranked(whole, 8, true_rank=1))
    assert re.findall(r"subject.{0,2}-(\d)", text) == ["1", "2", "3"]
    assert "And 5 more in post" in text
    assert "what the drill did at rank" not in text
    assert "what the drill did at rank 5" in render(ranked(whole, 8, true_rank=5))
    assert "more in post" not in render(ranked(whole, 3, true_rank=1))


@pytest.mark.parametrize("render", [post_incident_html, post_incident_markdown])
def test_a_page_leaves_out_the_start_of_the_drills_platform_and_the_json_keeps_it(whole, render):
    load = next(row for row in whole.timeline if row.kind == "load")
    start = dataclasses.replace(
        load, at=load.at - 5, kind="platform", what=dataclasses.replace(load.what, text="GPU up")
    )
    later = dataclasses.replace(start, at=load.at + 5, what=dataclasses.replace(load.what, text="GPU back"))
    told = dataclasses.replace(whole, timeline=(start, *whole.timeline, later))
    text = render(told)
    assert "GPU up" not in text
    assert "GPU back" in text
    assert "before the first request, is in post" in text
    assert "GPU up" in render(dataclasses.replace(told, is_drill=False))
    assert "GPU up" in post_incident_json(told)


def hostile_case():
    at = 1_790_000_000.0
    return without_store(
        (
            Draft(at, Opened(HOSTILE, "manual", "SEV3", service=HOSTILE), HOSTILE, HOSTILE, HOSTILE),
            Draft(at + 1, Observed("note", HOSTILE), HOSTILE, HOSTILE, HOSTILE),
            Draft(at + 2, Observed(HOSTILE, "requests.jsonl:1"), HOSTILE, HOSTILE, HOSTILE),
            Draft(at + 3, Linked(HOSTILE, "javascript:alert(1)", HOSTILE), HOSTILE, HOSTILE, HOSTILE),
        ),
        "INC-0001",
    )


def test_hostile_text_is_shown_and_not_executed(tmp_path):
    (tmp_path / "requests.jsonl").write_text(HOSTILE)
    case = hostile_case()
    page = Page(post_incident_html(with_evidence(post_incident(case), tmp_path, case)))
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert "alert(1)" in page.text
    assert not [href for href in page.hrefs if "javascript" in href]


def test_hostile_text_cannot_leave_its_place_in_markdown(tmp_path):
    (tmp_path / "requests.jsonl").write_text(HOSTILE)
    case = hostile_case()
    text = post_incident_markdown(with_evidence(post_incident(case), tmp_path, case))
    outside_code = re.sub(r"(?<![\\`])(`+)(?!`).*?(?<!`)\1(?!`)", "", text)
    assert "<script" not in outside_code.replace("\\<script", "")
    assert "](javascript" not in outside_code.replace("\\](javascript", "")
    timeline = re.search(r"## Timeline\n(.*?)\n## ", text, re.DOTALL).group(1)
    rows = [line for line in timeline.splitlines() if "alert" in line]
    assert len(rows) == 3
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}


def test_markdown_tells_the_same_sections_in_words(whole, drill):
    text = post_incident_markdown(whole, post_incident_charts(whole, drill))
    for heading in ("Summary", "Impact", "Detection", "Timeline", "Lessons", "Actions", "Cost", "Open questions"):
        assert f"\n## {heading}\n" in text
    assert whole.summary[0].text.split("(")[0][:40] in text
    assert "Milestones: fault injected +0.00 s" in text


def test_same_inputs_give_the_same_bytes(drill, drill_case, ranking, cost_sum, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        (folder / "finops.html").write_text("<p>money</p>")
        write_drill_documents(drill, folder, case=drill_case, causes=ranking, costs=(cost_sum,))
    first, second = ({p.name: p.read_bytes() for p in folder.iterdir()} for folder in folders)
    assert first == second
    write_drill_documents(drill, folders[1], case=drill_case, causes=ranking, costs=(cost_sum,))
    assert {p.name: p.read_bytes() for p in folders[1].iterdir()} == first


def test_a_drills_folder_names_all_of_it_and_its_manifest_holds(drill, drill_case, tmp_path):
    from sre.incidents.store.model import Anchor
    from sre.reports.manifest import read_anchors

    (tmp_path / "finops.html").write_text("<p>money</p>")
    page = write_drill_documents(drill, tmp_path, case=drill_case, anchor=Anchor(41, "ab" * 32))
    assert verify(tmp_path) == []
    assert read_anchors(tmp_path) == (Anchor(41, "ab" * 32),)
    hrefs = set(Page(page.read_text()).hrefs)
    assert {HTML, "finops.html"} <= hrefs
    ids = set(Page((tmp_path / HTML).read_text()).ids)
    rows = {href.split("#")[1] for href in hrefs if href.startswith(f"{HTML}#")}
    assert rows
    assert rows <= ids
    assert {"report.html", "finops.html"} <= set(Page((tmp_path / HTML).read_text()).hrefs)


def test_a_drill_report_alone_names_no_page_that_is_not_there(drill, tmp_path):
    from sre.reports.write import write_report

    assert HTML not in write_report(drill, tmp_path).read_text()


def test_what_is_written_can_be_read_again(alert_case, tmp_path):
    written = write_post_incident(post_incident(alert_case), tmp_path, case=alert_case)
    assert load_post_incident(tmp_path / JSON) == written
    assert (tmp_path / MARKDOWN).is_file()


def test_an_incident_with_one_event_is_a_report_too(tmp_path):
    case = without_store((Draft(1_790_000_000.0, Opened("It is slow", "manual", "SEV4"), "", "", "ada"),), "INC-0001")
    page = Page(post_incident_html(with_evidence(post_incident(case), tmp_path, case)))
    assert "Too few instants are known to draw anything." in page.text
    assert "What it did to users is not known" in page.text


def test_a_milestone_out_of_order_is_drawn_and_flagged(alert_drafts, make_draft, tmp_path):
    from sre.incidents.events import MilestoneMark

    early = make_draft(300, MilestoneMark("acknowledged", 1_790_000_000.0 - 50))
    case = without_store((*alert_drafts, early), "INC-0001")
    report = with_evidence(post_incident(case), tmp_path, case)
    flagged = [figure.note for figure in report.durations if "negative" in figure.note]
    assert flagged
    assert post_incident_charts(report, None)[0].key == "story"


def test_a_drill_without_a_fault_is_a_report_too(factory, drill, tmp_path):
    quiet = factory.without_fault(drill)
    case = without_store(
        (Draft(quiet.started_at, Opened("quiet", "drill", "SEV4"), "", "", "sre gameday"),), "INC-0001"
    )
    report = with_evidence(post_incident(case, drill=quiet), tmp_path, case, quiet)
    assert "without a fault" in report.summary[0].text
    assert post_incident_html(report, post_incident_charts(report, quiet))


def test_requests_of_an_outcome_nobody_knows_do_not_break_it(drill, drill_case, tmp_path):
    odd = dataclasses.replace(
        drill, requests=(dataclasses.replace(drill.requests[0], outcome=HOSTILE), *drill.requests[1:])
    )
    report = with_evidence(post_incident(drill_case, drill=odd), tmp_path, drill_case, odd)
    assert "script" not in Page(post_incident_html(report, post_incident_charts(report, odd))).tags
