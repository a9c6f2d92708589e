"""What counts as detected, missed, false and unknown: one small case each."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.slo.backtest.model import Label, Measured, Plan
from sre.slo.backtest.scoring import WEEK_S, Firing, episodes_of, merged, score

PLAN = Plan(start=0.0, end=1000.0, step_s=10.0, grace_s=20.0)
TIMES = np.arange(10.0, 1001.0, 10.0)


def firing(*spans, name="page-1h", severity="page"):
    holds = np.zeros(TIMES.size, dtype=bool)
    for start, end in spans:
        holds |= (start <= TIMES) & (end > TIMES)
    return Firing(name, severity, TIMES, holds)


def spent(start, end):
    return Measured((end - start) / 1000)


def scored(fires, *labels):
    return score("slo", fires, labels, PLAN, spent)


def test_an_incident_seen_has_its_delays_and_its_budget():
    found = scored(firing((130, 250)), Label(100, 200, "outage"))
    assert found.recall.value == 1
    assert found.precision.value == 1
    assert found.detection_s.value == 30
    assert found.reset_s.value == 50
    assert found.budget_spent.value == pytest.approx(0.03)
    assert found.false_per_week.value == 0
    assert found.in_alert_s == 120


def test_several_episodes_in_one_incident_are_all_true_and_detect_it_once():
    found = scored(firing((110, 130), (150, 220)), Label(100, 200, "outage"))
    assert (found.episodes, found.true_episodes) == (2, 2)
    assert (found.detected, found.expected) == (1, 1)
    assert found.detection_s.value == 10
    assert found.reset_s.value == 20
    assert found.detections[0].episodes == 2


def test_a_missed_incident_and_a_false_alarm_are_both_counted():
    found = scored(firing((500, 550)), Label(100, 200, "outage"))
    assert found.recall.value == 0
    assert found.precision.value == 0
    assert found.false_per_week.value == pytest.approx(WEEK_S / 1000)
    assert found.missed[0].label.name == "outage"
    assert found.missed[0].cost.value == pytest.approx(0.1)
    assert found.detection_s.value is None


def test_an_episode_within_the_grace_belongs_to_the_incident_and_one_after_it_does_not():
    assert scored(firing((220, 250)), Label(100, 200, "outage")).recall.value == 1
    assert scored(firing((230, 250)), Label(100, 200, "outage")).recall.value == 0


def test_grace_is_compressed_by_the_drill_clock():
    from sre.slo.model import DrillClock

    plan = Plan(start=0.0, end=1000.0, step_s=10.0, grace_s=600.0, clock=DrillClock(60.0))
    assert plan.grace == 10


def test_an_alert_that_fired_before_the_incident_detects_it_without_a_delay_to_tell():
    found = scored(firing((50, 250)), Label(100, 200, "outage"))
    assert found.recall.value == 1
    assert found.detection_s == Measured(None, "was firing already when the incident began")
    assert found.budget_spent.value is None


def test_an_alert_that_never_ended_has_no_reset_and_one_that_ended_early_says_so():
    assert "still firing" in (scored(firing((120, 1100)), Label(100, 200, "a")).reset_s.reason or "")
    assert "before the incident was over" in (scored(firing((120, 150)), Label(100, 200, "a")).reset_s.reason or "")


def test_a_second_incident_that_keeps_the_alert_firing_hides_the_reset():
    found = scored(firing((110, 400)), Label(100, 200, "a"), Label(250, 350, "b"))
    assert found.detections[0].reset_delay_s.reason == "another incident began before it reset"
    assert found.detections[1].reset_delay_s.value == 50
    assert found.detections[1].delay_s.value is None


def test_incidents_the_replay_cuts_off_are_neither_hit_nor_miss():
    found = scored(firing(), Label(-50, 100, "early"), Label(950, 1100, "late"))
    assert [d.outcome for d in found.detections] == ["unknown", "unknown"]
    assert found.expected == 0
    assert found.recall == Measured(None, "every incident is cut off by the replay")


def test_a_cut_incident_that_was_seen_counts_but_has_no_delay():
    found = scored(firing((20, 60)), Label(-50, 100, "early"))
    assert found.recall.value == 1
    assert found.detection_s.reason == "the incident began before the replay"


def test_an_episode_at_the_first_evaluation_is_censored():
    (episode,) = episodes_of("slo", firing((10, 50)), (), PLAN)
    assert episode.from_start
    assert episode.reset_at == 50


def test_nobody_expects_a_page_of_a_ticket_and_one_that_comes_is_a_false_alarm():
    label = Label(100, 200, "slow burn", severity="ticket")
    page, ticket = scored(firing(), label), scored(firing(severity="ticket", name="ticket-1d"), label)
    assert page.recall == Measured(None, "no incident of this severity")
    assert ticket.recall.value == 0
    assert scored(firing((120, 150)), label).precision.value == 0


def test_a_ticket_in_a_page_worthy_incident_is_right_but_not_expected():
    label = Label(100, 200, "outage", severity="page")
    fires = firing((120, 150), severity="ticket", name="ticket-1d")
    assert scored(fires, label).precision.value == 1
    assert scored(fires, label).expected == 0


def test_without_labels_only_what_needs_none_is_told():
    found = scored(firing((100, 200)))
    assert (found.episodes, found.in_alert_share) == (1, pytest.approx(0.1))
    assert found.true_episodes is None
    for measured in (found.precision, found.recall, found.detection_s, found.false_per_week):
        assert measured == Measured(None, "no labelled incidents")


def test_no_episode_has_no_precision_rather_than_a_perfect_one():
    assert scored(firing(), Label(100, 200, "outage")).precision == Measured(None, "nothing fired")


def test_tiers_that_fire_together_reach_a_person_once():
    one, other = firing((100, 200)), firing((150, 300), (500, 600), name="page-6h")
    assert scored(merged("any page", "page", [one, other])).episodes == 2


@given(
    st.lists(st.booleans(), min_size=100, max_size=100),
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 30)), max_size=5),
)
def test_scores_stay_within_their_bounds_and_time_in_alert_adds_up(holds, spans):
    labels = tuple(Label(10.0 * s, 10.0 * (s + n), f"i{i}") for i, (s, n) in enumerate(spans))
    found = score("slo", Firing("t", "page", TIMES, np.array(holds)), labels, PLAN, spent)
    assert found.detected <= found.expected <= len(labels)
    assert found.in_alert_s == pytest.approx(10 * sum(holds) - 10 * holds[-1])
    for share in (found.precision, found.recall):
        assert share.value is None or 0 <= share.value <= 1
    for detection in found.detections:
        assert detection.delay_s.value is None or detection.delay_s.value >= 0
        assert detection.reset_delay_s.value is None or detection.reset_delay_s.value >= 0
