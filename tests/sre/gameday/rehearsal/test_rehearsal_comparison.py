"""A prediction is compared figure by figure, by one rule, and figures come from either report in one way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.gameday.rehearsal.calibration import calibrate, shipped
from sre.gameday.rehearsal.timetable import measured
from sre.incidents.evidence import read_object
from sre.reports.json_report import load_report
from sre.reports.rehearsal.comparison import Compared, Comparison, paired
from sre.reports.rehearsal.model import Rehearsal, spreads
from sre.reports.rehearsal.quantities import Quantity, quantities
from sre.reports.rehearsal.view import comparison_page, rehearsal_page
from sre.reports.rehearsal.words import mark, off_by
from sre.reports.rehearsal.write import comparison_json, rehearsal_json, write_page

EXAMPLE = Path(__file__).resolve().parents[4] / "reports" / "example"


@pytest.fixture(scope="module")
def drill():
    return load_report(EXAMPLE / "report.json")


@pytest.fixture
def reports(tmp_path):
    """A folder of reports with the example alone, whatever was drilled in this workspace."""
    (tmp_path / "example").symlink_to(EXAMPLE)
    return tmp_path


def figure(value, *, floor=0.0, unit="s", aimed=True):
    return Quantity("k", "g", "a figure", value, unit, floor, aimed=aimed)


def compared(mine, real, **more):
    return Compared(figure(mine, **more), figure(real, **more))


def test_twenty_percent_off_is_within_and_more_is_not():
    assert compared(12.0, 10.0).within
    assert compared(8.0, 10.0).within
    assert not compared(12.1, 10.0).within
    assert off_by(compared(12.0, 10.0)) == "+20 %"


def test_small_figures_may_be_off_by_their_floor():
    assert compared(3.0, 1.0, floor=2.0).within
    assert not compared(3.1, 1.0, floor=2.0).within
    assert off_by(compared(3.0, 0.0, floor=2.0)) == "from 0"


def test_a_figure_that_only_one_has_is_not_within():
    assert not compared(None, 1.0).within
    assert not compared(1.0, None).within
    assert compared(None, None).within
    assert mark(compared(None, None)) == "both n/a"


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 10))
def test_what_is_within_stays_within_with_a_larger_floor(mine, real, floor):
    if compared(mine, real, floor=floor).within:
        assert compared(mine, real, floor=floor + 1.0).within


def test_a_drill_compared_with_itself_is_within_everywhere(drill):
    own = quantities(drill, moved_streams=5, recomputed_tokens=2490)
    rows = paired(own, own)
    assert all(row.within for row in rows)
    assert {row.measured.key for row in rows if row.measured.aimed} == {
        "time_to_recover",
        "burn.availability",
        "spent.availability",
    }


def test_the_examples_figures_are_those_of_its_report(drill):
    found = {one.key: one for one in quantities(drill)}
    assert found["sent"].value == len(drill.requests)
    assert found["time_to_recover"].value == drill.incident.duration("time_to_recover").seconds
    assert found["cost"].value == pytest.approx(float(drill.cost.total))
    assert found["moved"].value is None
    assert found["moved"].reason


def a_rehearsal(drill, **changes):
    report = replace(drill, title="Rehearsal: it", **changes)
    return Rehearsal(report, 1, shipped().figures, (), 5, 2490)


def test_ranges_are_of_all_seeds_that_have_the_figure(drill):
    cut = replace(drill, requests=drill.requests[:100])
    found = {one.quantity.key: one for one in spreads([a_rehearsal(drill), a_rehearsal(cut)])}
    assert (found["sent"].least, found["sent"].most, found["sent"].n) == (100, len(drill.requests), 2)
    assert found["time_to_alert"].middle is None


def test_the_pages_are_written_and_say_what_they_are(drill, tmp_path):
    one = a_rehearsal(drill)
    found = Comparison(drill, one, paired(one.quantities(), quantities(drill)), as_planned=False)
    for page, document in (
        (rehearsal_page([one, one]), rehearsal_json([one, one])),
        (comparison_page(found), comparison_json(found)),
    ):
        html, markdown, data = write_page(page, document, tmp_path / page.verdict)
        assert "predict" in html.read_text()
        assert "<script" not in html.read_text()
        assert markdown.read_text().startswith("# ")
        assert data.read_text().startswith("{")
    assert "predicted, not measured" in rehearsal_page([one]).subtitle


def test_a_comparison_fails_by_the_aimed_figures_only(drill):
    rows = [compared(1.0, 9.0, aimed=False), compared(1.0, 1.0)]
    assert Comparison(drill, a_rehearsal(drill), tuple(rows), as_planned=True).ok
    assert not Comparison(drill, a_rehearsal(drill), (compared(1.0, 9.0),), as_planned=True).ok


def test_a_changed_experiment_is_told(drill):
    found = Comparison(drill, a_rehearsal(drill), (compared(1.0, 1.0),), as_planned=False, has_changed=True)
    assert "changed since this drill" in comparison_page(found).reasons[0]
    assert comparison_json(found)["experiment_has_changed"]


def test_the_machine_is_learnt_from_drills_and_says_from_which(reports):
    found = {one.name: one for one in calibrate(reports).figures}
    assert found["server start"].source == "example"
    assert found["server start"].n == 4  # too few restarts: the platform's own start counts as well
    assert found["gateway start"].n == 0
    assert 0.0 < found["way to an engine and back"].value_s < 0.1


def test_a_drill_is_not_its_own_source(reports):
    found = calibrate(reports, without=(EXAMPLE,))
    assert [one.n for one in found.figures] == [0] * len(found.figures)
    assert found == shipped()


def test_a_drills_steps_are_moved_to_the_virtual_load(drill):
    journal = read_object(EXAMPLE / "journal.json")
    times = measured(journal, load_began_at=drill.started_at, virtual_load_began_at=1000.0)
    assert times.begins["run", 0] == pytest.approx(1000.0 + drill.faults[0].begin - drill.started_at, abs=0.1)
    assert times.knows("after", 0)
    assert not times.knows("rollbacks", 0)
