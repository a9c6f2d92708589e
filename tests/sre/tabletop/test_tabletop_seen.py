"""What an inject shows is what could be known at its instant, and nothing of the fault's own records."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.runbooks.knowledge import shipped_knowledge
from sre.runbooks.proving import Carried
from sre.tabletop.charts import CHARTS, chart_of
from sre.tabletop.choosing import Wanted, schedule
from sre.tabletop.known import Known
from sre.tabletop.scenario import INSTANTS
from sre.tabletop.scenario_reader import shipped_scenario
from sre.tabletop.seen import first_alert, instants_of, seen_at


def test_nothing_of_later_is_in_what_was_seen(alerted):
    for share in (0.1, 0.35, 0.5, 0.9):
        at = alerted.started_at + share * (alerted.ended_at - alerted.started_at)
        seen = seen_at(alerted, at)
        assert all(point.at + point.e2e_s <= at for point in seen.requests)
        assert all(span.start < at and span.end <= at for span in seen.spans)
        assert all(row.at <= at for row in seen.incident.timeline)
        for result in seen.results:
            assert all(alert.fired_at <= at for alert in result.alerts)
            assert all(alert.reset_at is None or alert.reset_at <= at for alert in result.alerts)
            assert all(len(curve.times) == len(curve.long_burn) for curve in result.curves)
            assert all(np.all(curve.times <= at) for curve in result.curves)


def test_what_the_harness_wrote_is_not_seen(alerted):
    seen = seen_at(alerted, alerted.ended_at)
    assert seen.faults == ()
    assert {row.source for row in seen.incident.timeline}.isdisjoint({"chaos.jsonl", "journal.json"})
    assert {row.kind for row in seen.incident.timeline} <= {"load", "platform", "impact", "recovery"}


def test_the_number_of_all_failures_is_hindsight(alerted):
    texts = [row.text for row in seen_at(alerted, alerted.ended_at).incident.timeline]
    assert any(text.startswith("first failed request") for text in texts)
    assert not any("in all" in text or text.startswith("last ") for text in texts)


def test_instants_come_in_the_order_of_the_drill(alerted, example_report):
    for report in (alerted, example_report):
        found = instants_of(report)
        assert found.calm < found.symptom <= found.worst <= found.over <= report.ended_at
        assert all(found.at(name) >= found.symptom or name == "alert" for name in INSTANTS)


def test_the_first_page_is_what_wakes(alerted, example_report):
    alert = first_alert(alerted)
    assert alert.severity == "page"
    assert instants_of(alerted).alert == alert.fired_at
    assert first_alert(example_report) is None


@pytest.mark.parametrize("kind", CHARTS)
def test_a_chart_names_neither_the_fault_nor_another_charts_parts(alerted, kind):
    chart = chart_of(kind, seen_at(alerted, instants_of(alerted).worst), "I07")
    assert chart.key == f"I07-{kind}"
    assert "replica-crash" not in chart.svg
    assert f'id="{kind}-' not in chart.svg
    assert f'aria-labelledby="I07-{kind}-title I07-{kind}-desc"' in chart.svg


@given(st.lists(st.integers(2, 8), min_size=8, max_size=14), st.integers(22, 400))
def test_a_schedule_fills_the_play_and_never_goes_back(weights, play):
    template = shipped_scenario().injects[0]
    chosen = [_weighing(template, weight) for weight in weights]
    slots = schedule(chosen, play)
    assert slots[0][0] == 0
    assert sum(length for _, length in slots) == play
    assert all(later == start + length for (start, length), (later, _) in pairwise(slots))


@given(st.integers(30, 480))
def test_briefing_play_and_hot_wash_are_the_whole_session(minutes):
    parts = Wanted(minutes).parts
    assert sum(parts) == minutes
    assert all(part >= 3 for part in parts)


def _weighing(template, minutes):
    from dataclasses import replace

    return replace(template, minutes=minutes)


def test_players_choose_before_the_drill_mitigated(alerted):
    from dataclasses import replace

    plain = instants_of(alerted)
    began = (plain.symptom + plain.worst) / 2
    done = Carried(
        page="replica-crash",
        mitigation="replace",
        title="Replace the replica",
        command="sre drain llm-1",
        check="true",
        values=(),
        began_at=began,
        ended_at=began + 1,
        exit_code=0,
        verified_at=began + 2,
        why="",
        output="",
    )
    assert plain.symptom < instants_of(replace(alerted, mitigations=(done,))).worst == began < plain.worst


def test_what_helped_in_the_drill_is_what_is_expected_first():
    page = shipped_knowledge()["replica-crash"]
    assert Known(page).first.title == "Let it heal itself"
    assert Known(page, ("replace",)).first.title == "Replace the replica"
    assert Known(page, ("replace",)).first.letter == Known(page).second.letter == "mitigation C"
