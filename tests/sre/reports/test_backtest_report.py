"""The files of a backtest: whole, offline, honest about what is unknown; and labels out of drills."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sre.errors import BadDocument, EnvironmentLacks
from sre.metrics.model import Matcher, Selector, Series, SeriesId
from sre.metrics.selector import series_filter
from sre.reports import backtest_view as view
from sre.reports.backtest import episodes_csv, ranked, render, write_backtest
from sre.reports.backtest_chart import overview_chart, slo_chart, time_ticks, tuning_chart
from sre.reports.backtest_json import backtest_json
from sre.reports.backtest_labels import drill_folders, drill_labels
from sre.slo.backtest.model import Label, Plan
from sre.slo.backtest.objective import parse_objective
from sre.slo.backtest.run import backtest
from sre.slo.backtest.tune import tune
from sre.slo.model import RatioSli, Slo
from sre.slo.tiers import workbook_tiers

EXAMPLE = Path(__file__).parents[3] / "reports" / "example"
DAY = 86400.0
NAME = '<b>answers & "more"</b>'
LABELS = (
    Label(1.2 * DAY, 1.25 * DAY, "<script>alert(1)</script>", severity="page"),
    Label(3.0 * DAY, 3.02 * DAY, "=cmd|missed", severity="page"),
    Label(20.0 * DAY, 21.0 * DAY, "outside"),
)


class Memory:
    name = "memory"

    def __init__(self, *found):
        self.all = found

    def series(self, selector, *, start, end):
        wanted = series_filter(selector)
        cut = ((one, (one.times > start) & (one.times <= end)) for one in self.all if wanted(one.id))
        return [Series(one.id, one.times[inside], one.values[inside]) for one, inside in cut if inside.any()]


def slo_of(name="answers"):
    bad = Selector("requests_total", (Matcher("outcome", "=", "error"),))
    sli = RatioSli(total=(Selector("requests_total"),), bad=(bad,))
    return Slo(name, NAME, "", "svc", 0.999, 7 * DAY, sli, "x")


@pytest.fixture(scope="module")
def source():
    """Six days with an outage, a blip outside of every label, and an incident nobody can see."""
    times = 60.0 * np.arange(0, 6 * 1440 + 1)
    ratio = np.zeros(times.size)
    ratio[(times > 1.2 * DAY) & (times <= 1.25 * DAY)] = 0.3
    ratio[(times > 4.0 * DAY) & (times <= 4.01 * DAY)] = 0.5
    errors = np.cumsum(np.round(100 * ratio))
    ok = np.cumsum(np.full(times.size, 100.0)) - errors
    shown = (times < 5.0 * DAY) | (times > 5.1 * DAY)
    return Memory(
        *(
            Series(SeriesId("requests_total", (("outcome", outcome),)), times[shown], values[shown])
            for outcome, values in (("ok", ok), ("error", errors))
        )
    )


PLAN = Plan(start=0.0, end=6 * DAY, step_s=300.0)


@pytest.fixture(scope="module")
def result(source):
    return backtest(source, [slo_of()], PLAN, LABELS)


@pytest.fixture(scope="module")
def tuning(source):
    labels = LABELS[:1]
    return tune(source, slo_of(), PLAN, labels, parse_objective("min detection"), workbook_tiers(7 * DAY), restarts=0)


def test_a_page_is_whole_offline_and_escapes_what_came_from_outside(result, tuning):
    html = render(result, [tuning], ["a: <policy>"])
    assert html.rstrip().endswith("</html>")
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert NAME not in html
    assert "a: &lt;policy&gt;" in html
    assert not re.search(r'(?:src|href)="(?!#|data:)', html)
    assert "default-src 'none'" in html
    assert "NaN" not in html
    assert ">nan<" not in html


def test_what_was_missed_and_left_out_is_listed(result):
    html = render(result)
    assert "missed =cmd|missed" in html
    assert "no bad event in it" in html
    assert "Left out: outside" in html


def test_files_are_written_whole_and_json_has_reasons_for_what_is_unknown(result, tuning, tmp_path):
    written = write_backtest(result, tmp_path / "out", [tuning], ["policy"])
    assert sorted(path.name for path in written) == ["backtest.html", "backtest.json", "backtest.png", "episodes.csv"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in written)
    data = json.loads((tmp_path / "out" / "backtest.json").read_text())
    (slo,) = data["slos"]
    pages = next(score for score in slo["sets"] if score["name"] == "any page")
    assert (pages["detected"], pages["expected"]) == (1, 2)
    tickets = next(score for score in slo["sets"] if score["name"] == "any ticket")
    assert tickets["recall"] is None
    assert tickets["recall_reason"] == "no incident of this severity"
    assert data["left_out"][0]["reason"] == "it begins after the replay ends"
    assert data["tunings"][0]["warnings"]
    assert (tmp_path / "out" / "backtest.png").read_bytes()[:4] == b"\x89PNG"


def test_a_folder_that_cannot_be_made_is_one_line(result, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentLacks, match="choose another --out"):
        write_backtest(result, tmp_path / "file" / "out")


def test_the_same_backtest_gives_the_same_bytes(result):
    assert render(result) == render(result)
    assert episodes_csv(result) == episodes_csv(result)


def test_episodes_are_rows_that_no_spreadsheet_runs(result):
    found = replace(
        result.slos[0], episodes=(replace(result.slos[0].episodes[0], incidents=("=cmd|x",), reset_at=None),)
    )
    rows = list(csv.DictReader(io.StringIO(episodes_csv(replace(result, slos=(found,))))))
    assert rows[0]["incidents"] == "'=cmd|x"
    assert rows[0]["reset_at"] == rows[0]["reset_utc"] == ""
    assert rows[0]["fired_utc"].endswith("Z")


def test_charts_say_in_words_what_they_show(result, tuning):
    chart = slo_chart(result.slos[0], result)
    assert chart is not None
    assert "page-1h" in chart.alt
    assert "<svg" in chart.svg
    assert overview_chart(result, result.slos).svg.count("<svg") == 1
    assert tuning_chart(tuning) is None or "recall" in tuning_chart(tuning).alt


def test_an_slo_without_data_is_told_and_not_drawn(source):
    other = replace(slo_of("other"), sli=RatioSli(total=(Selector("gone_total"),), bad=(Selector("gone_bad"),)))
    result = backtest(source, [slo_of(), other], PLAN)
    assert slo_chart(result.slos[1], result) is None
    html = render(result)
    assert "gone_total" in html
    assert "no data" in html
    assert ranked(result)[-1].slo.name == "other"
    assert "1 SLO had no data" in view.summary(result)


def test_without_labels_no_figure_pretends(source):
    result = backtest(source, [slo_of()], PLAN)
    lines = "\n".join(view.report_lines(result))
    assert "no labelled incidents" in lines
    assert "Without labelled incidents" in lines
    assert backtest_json(result)["slos"][0]["sets"][0]["precision"] is None


def test_a_terminal_gets_the_same_figures(result, tuning):
    lines = "\n".join(view.report_lines(result))
    for part in ("any page", "50.0 % (1/2)", "any page missed =cmd|missed", "left out: outside"):
        assert part in lines
    assert "too few to trust" in "\n".join(view.tuning_lines(tuning))
    assert "median detection" in view.cost_words(tuning)


@pytest.mark.parametrize(
    ("length", "texts"),
    [
        (80.0, ["00:00:00\n1 Jan", "00:00:10"]),
        (6 * 3600.0, ["00:00\n1 Jan", "01:00"]),
        (2 * DAY, ["00:00\n1 Jan", "06:00"]),
        (30 * DAY, ["2 Jan", "9 Jan"]),
    ],
)
def test_time_axes_have_round_times_at_any_length(length, texts):
    ticks, found = time_ticks(0.0, length)
    assert found[: len(texts)] == texts
    assert 3 <= len(ticks) <= 10


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "n/a"), (0, "0 s"), (0.08, "80 ms"), (45, "45.0 s"), (3000, "50 min"), (9000, "2.5 h"), (4 * DAY, "4 d")],
)
def test_lengths_of_time_are_short(value, text):
    assert view.span(value) == text


def fault_of_the_example():
    """(target, begin, end) as the ledger of the committed drill has them."""
    lines = [json.loads(line) for line in (EXAMPLE / "chaos.jsonl").read_text().splitlines()]
    at = {line["event"]: line for line in lines}
    return at["fault_begin"]["target"], at["fault_begin"]["at"], at["fault_end"]["at"]


def test_the_example_drill_is_a_label():
    target, begin, end = fault_of_the_example()
    (label,) = drill_labels(EXAMPLE)
    assert label.name == f"example: replica-crash {target}"
    assert (label.start, label.end) == pytest.approx((begin, end), abs=0.001)
    assert label.severity is None
    assert label in drill_labels(EXAMPLE.parent)


def test_without_a_ledger_the_incident_record_tells_the_window(tmp_path):
    drill = tmp_path / "20260101-x"
    drill.mkdir()
    shutil.copy(EXAMPLE / "incident.json", drill)
    _, begin, end = fault_of_the_example()
    (label,) = drill_labels(tmp_path)
    assert (label.start, label.end) == pytest.approx((begin, end), abs=0.05)
    assert drill_folders(tmp_path) == (drill,)


def test_a_fault_not_proven_is_no_label_and_one_not_ended_ends_with_its_drill(tmp_path):
    records = [
        {"at": 10.0, "event": "fault_begin", "fault_id": "a", "fault": "x", "target": "t", "detail": {}},
        {"at": 11.0, "event": "fault_not_proven", "fault_id": "a", "fault": "x", "target": "t", "detail": {}},
        {"at": 20.0, "event": "fault_begin", "fault_id": "b", "fault": "y", "target": "t", "detail": {}},
        {"at": 21.0, "event": "fault_proven", "fault_id": "b", "fault": "y", "target": "t", "detail": {}},
        {"at": 30.0, "event": "run_end", "fault_id": "", "fault": "", "target": "", "detail": {}},
    ]
    (tmp_path / "chaos.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (label,) = drill_labels(tmp_path)
    assert (label.start, label.end) == (20.0, 30.0)


def test_folders_without_drills_and_records_that_are_none_are_told(tmp_path):
    with pytest.raises(BadDocument, match="no such folder"):
        drill_labels(tmp_path / "none")
    with pytest.raises(BadDocument, match="holds no drill"):
        drill_labels(tmp_path)
    (tmp_path / "incident.json").write_text("[]")
    with pytest.raises(BadDocument, match="a JSON object is expected"):
        drill_labels(tmp_path)
    (tmp_path / "incident.json").write_text("{}")
    with pytest.raises(BadDocument, match="no proven fault"):
        drill_labels(tmp_path)
