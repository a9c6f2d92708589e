"""The HTML report: complete, escaped, self-contained."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from sre.incidents.model import FaultWindow
from sre.reports.html import render_html
from sre.reports.markdown import escape_markdown, render_markdown

HOSTILE = '<script>alert("x")</script><img src=x onerror=alert(1)> & $a_b$ | `c`\x07'


class Page(HTMLParser):
    """Collects tags, ids, links and the cells of each section's table."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "action", "data") and not value.startswith(("#", "data:")):
                self.loads.append(value)
            assert not name.startswith("on"), f"<{tag} {name}=...>"

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_it_loads_nothing_and_runs_nothing(page):
    parsed = Page(page)
    assert set(parsed.loads) <= {"journal.json"}, "a link may lead to a file beside it, and nowhere else"
    assert "script" not in parsed.tags
    assert "default-src 'none'" in page


def test_no_id_is_used_twice_although_five_charts_share_the_page(page):
    ids = Page(page).ids
    assert sorted(ids) == sorted(set(ids))


def test_every_section_is_there_and_linked(page):
    ids = set(Page(page).ids)
    expected = {
        *("summary", "charts", "checks", "faults", "slos", "alerts", "milestones", "timeline"),
        *("latency", "cost", "workload", "platform", "limits", "artefacts"),
    }
    assert expected <= ids
    assert set(re.findall(r'href="#([a-z]+)"', page[: page.index('id="charts"')])) <= ids


def test_key_figures_are_those_of_the_records(drill, page):
    failed = sum(r.outcome != "ok" for r in drill.requests)
    figures = dict(
        re.findall(r'<dt>([^<]+)</dt><dd class="value[^"]*">([^<]+)</dd>', page.replace("\N{NO-BREAK SPACE}", " "))
    )
    assert figures["requests"] == "420"
    assert figures["failed"] == str(failed)
    assert figures["availability"] == f"{100 * (420 - failed) / 420:.2f} %"
    assert figures["time to detect"] == "210 ms"
    assert figures["time to recover"] == "6.40 s"
    assert figures["incident, GPUs alone"] == "$0.0067"
    assert len(figures) == 12


def test_alerts_show_both_clocks_and_when_they_fired_after_the_fault(drill, page):
    text = Page(page[page.index('id="alerts"') :]).text
    fired = next(r for r in drill.primary_results() if r.alerts).alerts[0].fired_at
    assert "1 h and 5 min" in text
    assert "60 s and 5 s (÷ 60)" in text
    assert f"+{fired - drill.faults[0].begin:.2f} s" in text
    assert "Stayed silent (scraper): Time to first token" in text
    assert "holds at least 2 bad events (the low-traffic guard)" in text


def test_an_objective_without_data_says_why_and_shows_no_zero(page):
    row = re.search(r'<tr class="muted"><td>Inter-token.*?</tr>', page).group()
    assert "n/a: no samples in the window" in row
    assert ">0.00 %<" not in row


@pytest.mark.parametrize(
    ("verdict", "word"),
    [("passed", "Passed"), ("deviated", "Deviated"), ("void", "Void"), ("aborted", "Aborted"), ("error", "Error")],
)
def test_the_verdict_stands_at_the_top(factory, verdict, word):
    page = render_html(factory.make_drill(requests=30, verdict=verdict))
    assert f"<strong>{word}</strong>" in page[: page.index('id="summary"')]


def test_a_drill_without_fault_prints_reasons_instead_of_numbers(factory, drill):
    page = render_html(factory.without_fault(drill))
    text = Page(page).text
    assert "No fault was injected" in text
    assert "the ledger holds no fault" in text
    assert re.search(r'<dt>time to alert</dt><dd class="value unknown">n/a</dd>', page)
    assert "No alert fired." in text


def test_a_drill_without_any_request_still_renders(drill):
    page = render_html(replace(drill, requests=(), spans=(), results=(), latency=(), checks=()))
    text = Page(page).text
    assert "No checks were made." in text
    assert "no availability objective was read" in text


def hostile(drill):
    fault = FaultWindow(HOSTILE, HOSTILE, HOSTILE, drill.started_at + 5, None, False, HOSTILE)
    slo = replace(drill.results[0].slo, title=HOSTILE)
    return replace(
        drill,
        title=HOSTILE,
        hypothesis=HOSTILE,
        verdict_reasons=(HOSTILE,),
        checks=(replace(drill.checks[0], name=HOSTILE, observed=HOSTILE),),
        faults=(fault,),
        spans=(replace(drill.spans[0], replica=HOSTILE, state=HOSTILE), *drill.spans[1:]),
        requests=(replace(drill.requests[0], outcome=HOSTILE), *drill.requests[1:]),
        results=(replace(drill.results[0], slo=slo, source=HOSTILE), *drill.results[1:]),
        primary_source=HOSTILE,
        workload=replace(drill.workload, source=HOSTILE, lines=((HOSTILE, HOSTILE),)),
        limits=(HOSTILE,),
        cost=replace(drill.cost, notes=(HOSTILE,)),
    )


def test_hostile_text_is_shown_and_not_executed(drill):
    page = render_html(hostile(drill), [HOSTILE])
    parsed = Page(page)
    assert "script" not in parsed.tags
    assert "img" not in parsed.tags
    assert '<script>alert("x")</script>' in parsed.text


def test_hostile_text_cannot_leave_its_cell_in_markdown(drill):
    text = render_markdown(hostile(drill), [HOSTILE])
    assert "<script" not in text.replace("\\<script", "")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    table = [len(re.findall(r"(?<!\\)\|", row)) for row in rows if "expected" in row or "✓ ok" in row]
    assert set(table) == {5}


def test_markdown_text_stays_on_one_line():
    assert escape_markdown("a\n# b|c") == r"a \# b\|c"


def test_markdown_has_the_same_tables_as_the_page(drill):
    text = render_markdown(drill, ["journal.json"])
    for heading in ("Checks", "Service level objectives", "Alerts", "Milestones", "Timeline", "Cost"):
        assert f"\n## {heading}\n" in text
    assert "| failed | 6 | 4 error, 2 truncated |" in text
    assert "journal.json" in text


def test_what_the_load_generator_tells_in_detail_is_not_told_twice(drill):
    load = replace(drill.workload, lines=(("offered rate", "4.9 requests/s, gamma gaps"),))
    text = Page(render_html(replace(drill, workload=load))).text
    assert text.count("offered rate") == 1
    assert "gamma gaps" in text


def test_money_that_could_not_be_computed_is_na_with_its_reason(drill):
    unknown = replace(
        drill.cost,
        tokens=None,
        good_tokens=0,
        per_million_tokens=None,
        per_million_good_tokens=None,
        incident_total=None,
        notes=("no samples of tokens",),
    )
    text = Page(render_html(replace(drill, cost=unknown))).text
    assert "USD per million tokens n/a no samples of tokens" in text
    assert "USD per million good tokens n/a no good tokens were generated" in text
    assert "the GPUs of the incident cost n/a." in text
