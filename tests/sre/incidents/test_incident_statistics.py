"""Figures over many incidents: open ones count as not ended yet, unknown ones as unknown."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.incidents.case import CaseHead
from sre.incidents.codec import encode
from sre.incidents.milestones import NAMES
from sre.incidents.statistics import quantile, summarise

NOV, DEC = 1_795_000_000.0, 1_797_000_000.0
SECONDS = st.lists(st.floats(0, 1e6, allow_nan=False), max_size=30)


def head(number: int, origin="alertmanager", status="closed", severity="SEV2", opened=NOV, experiment="", **after):
    marks = {name: opened + seconds for name, seconds in after.items()}
    return CaseHead(f"INC-{number:04}", "t", origin, status, severity, opened, opened, "", "llm", experiment, marks)


def found(heads, name, *, now=NOV + 1000, by="all", value="all"):
    group = next(s for s in summarise(heads, now=now) if (s.by, s.value) == (by, value))
    return next(d for d in group.durations if d.name == name)


def test_ended_incidents_give_n_median_p90_and_mean():
    heads = [head(i, impact_start=0.0, resolved=float(i)) for i in range(1, 12)]
    took = found(heads, "time_to_resolve")
    assert (took.n, took.censored, took.median_s, took.p90_s, took.mean_s) == (11, 0, 6.0, 10.0, 6.0)
    assert took.names == ("median_time_to_resolve", "p90_time_to_resolve", "mean_time_to_resolve")


def test_open_incidents_count_as_not_ended_and_push_the_median_out():
    ended = [head(i, impact_start=0.0, resolved=10.0 * i) for i in range(1, 4)]
    going = [head(i, status="open", impact_start=0.0) for i in range(4, 6)]
    took = found([*ended, *going], "time_to_resolve")
    assert (took.n, took.censored, took.median_s, took.mean_s) == (3, 2, 30.0, 20.0)
    assert took.notes == ("mean of the 3 ended ones alone: too short while 2 go on",)


def test_the_median_follows_kaplan_and_meier():
    """Remissions in weeks on 6-mercaptopurine (Freireich and others, 1963), whose median is known to be 23."""
    ended = np.array([6, 6, 6, 7, 10, 13, 16, 22, 23], dtype=float)
    going = np.array([6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35], dtype=float)
    assert quantile(ended, going, 0.5) == 23.0


def test_nothing_known_gives_no_figure_but_a_reason():
    took = found([head(1, status="open", impact_start=0.0)], "time_to_resolve")
    assert (took.n, took.median_s, took.mean_s) == (0, None, None)
    assert dict(took.reasons)["mean"] == "none has ended, 1 go on"
    assert dict(found([], "time_to_detect").reasons)["median"] == "none is known"


def test_a_90th_percentile_needs_ten():
    took = found([head(i, impact_start=0.0, mitigated=5.0) for i in range(9)], "time_to_mitigate")
    assert (took.median_s, took.p90_s, dict(took.reasons)["p90"]) == (5.0, None, "only 9 have ended, 10 are needed")


def test_when_more_than_half_go_on_there_is_no_median():
    heads = [head(1, impact_start=0.0, resolved=5.0), *(head(i, status="open", impact_start=0.0) for i in (2, 3))]
    took = found(heads, "time_to_resolve")
    assert (took.median_s, dict(took.reasons)["median"]) == (None, "more than half go on: 2 of 3")


def test_what_a_drill_did_not_see_is_unknown_also_while_its_record_is_open():
    drill = head(1, origin="drill", status="open", fault_injected=0.0, detected=1.0)
    assert (found([drill], "time_to_impact").censored, found([drill], "time_to_impact").missing) == (0, 1)
    assert found([drill], "time_to_resolve").censored == 1


def test_what_should_have_come_before_the_zero_is_unknown_and_not_awaited():
    paged = head(1, status="open", alerted=0.0)
    assert found([paged], "time_to_detect").missing == 1
    assert found([paged], "time_to_acknowledge").censored == 1


def test_a_resolved_incident_still_waits_to_be_closed_but_for_nothing_else():
    resolved = head(1, status="resolved", impact_start=0.0, resolved=50.0)
    assert found([resolved], "time_to_close").censored == 1
    assert found([resolved], "time_to_acknowledge").missing == 1
    assert found([resolved], "time_to_recover").missing == 1


def test_negative_durations_are_kept_counted_and_pointed_at():
    took = found([head(1, impact_start=5.0, detected=2.0)], "time_to_detect")
    assert (took.median_s, took.negative) == (-3.0, 1)
    assert took.notes == ("1 below zero, kept: look at their milestones",)


def test_sets_are_split_by_origin_severity_experiment_and_month():
    heads = [
        head(1, origin="drill", experiment="replica-crash", fault_injected=0.0, detected=1.0),
        head(2, severity="SEV3", opened=DEC, impact_start=0.0, detected=9.0),
    ]
    sets = [(s.by, s.value, s.incidents, s.zeros) for s in summarise(heads, now=DEC + 9)]
    injected, started = (("fault_injected", 1),), (("impact_start", 1),)
    assert sets == [
        ("all", "all", 2, (*injected, *started)),
        ("origin", "alertmanager", 1, started),
        ("origin", "drill", 1, injected),
        ("severity", "SEV2", 1, injected),
        ("severity", "SEV3", 1, started),
        ("experiment", "replica-crash", 1, injected),
        ("month", "2026-11", 1, injected),
        ("month", "2026-12", 1, started),
    ]
    assert found(heads, "time_to_detect", by="month", value="2026-12").median_s == 9.0


def test_no_incident_at_all_is_a_set_of_none():
    (every,) = summarise([], now=NOV)
    assert (every.incidents, every.durations[0].n) == (0, 0)
    assert encode(every)["value"] == "all"


@given(ended=SECONDS, going=SECONDS, share=st.sampled_from([0.5, 0.9]))
def test_ongoing_ones_never_make_it_look_faster(ended, going, share):
    without = quantile(np.array(ended), np.array([]), share)
    longer = [(max(ended) if ended else 0.0) + 1 + g for g in going]
    value = quantile(np.array(ended), np.array(longer), share)
    if going and ended and value is not None:
        assert value >= np.quantile(ended, share, method="inverted_cdf")
    assert (without is None) == (not ended)


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e6)), max_size=12), st.randoms())
def test_every_incident_is_counted_once_and_order_does_not_matter(marks, random):
    statuses = ("open", "acknowledged", "mitigated", "resolved", "closed")
    heads = [head(i, status=statuses[i % 5], **after) for i, after in enumerate(marks)]
    sets = summarise(heads, now=NOV + 2e6)
    for group in sets:
        assert all(d.n + d.censored + d.missing == group.incidents for d in group.durations)
    random.shuffle(heads)
    assert [_rounded(s) for s in summarise(heads, now=NOV + 2e6)] == [_rounded(s) for s in sets]


def _rounded(group):
    """A mean's last digit depends on the order of adding."""
    figures = [(d.n, d.median_s, d.p90_s, d.mean_s and pytest.approx(d.mean_s)) for d in group.durations]
    return group.by, group.value, group.incidents, figures
