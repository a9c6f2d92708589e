"""What a notification does to incidents: once, whoever repeats it, in whatever order it comes."""

from __future__ import annotations

import json

import pytest

from sre.incidents.events import AlertSeen, Draft, Linked, MilestoneMark, SeveritySet, StatusSet
from sre.webhook.intake import Intake
from sre.webhook.links import RunbookPages
from sre.webhook.payload import notification_of
from sre.webhook.stale import stale_since

HOUR_S = 3600.0


def by_hand(desk, status, incident="INC-0001"):
    draft = Draft(desk.clock.now, StatusSet(status, "by hand"), status, "test", "ann")
    desk.store.append(incident, [draft])


def test_a_page_opens_an_incident_with_what_a_responder_needs(desk, told):
    receipt = desk.tell(
        told.alert(annotations={"runbook_url": "runbooks/replica-crash.md", "query": "sum(rate(x[5m]))"})
    )
    case = desk.case()
    assert (receipt.incident, receipt.result) == ("INC-0001", "opened")
    assert (case.head.origin, case.head.status, case.head.severity) == ("alertmanager", "open", "SEV2")
    assert (case.head.title, case.head.service) == ("AvailabilityErrorBudgetBurn (slo=availability)", "llm-gateway")
    assert case.head.opened_at == told.t0
    assert [(link.rel, link.target) for link in case.links] == [
        ("runbook", "runbooks/replica-crash.md"),
        ("query", "http://prometheus:9090/graph?g0.expr=burn&g0.tab=1"),
        ("query", "sum(rate(x[5m]))"),
    ]
    (seen,) = case.alerts
    assert (seen.state, seen.slo, seen.ended_at, seen.runbook) == (
        "firing",
        "availability",
        None,
        "runbooks/replica-crash.md",
    )
    mark, source = case.marks["alerted"]
    assert mark.instant == pytest.approx(told.t0, abs=1e-3)
    assert source == "alertmanager http://alertmanager-0:9093 receiver sre"
    assert case.head.milestones["detected"] == case.head.milestones["alerted"]


def test_a_resend_adds_nothing(desk, told):
    desk.tell(told.alert())
    before = desk.case().events
    receipt = desk.tell(told.alert(), after=4 * HOUR_S)
    assert (receipt.result, receipt.added) == ("duplicate", 0)
    assert desk.case().events == before


def test_a_second_alertmanager_of_a_pair_adds_nothing(desk, told):
    desk.tell(told.alert())
    receipt = desk.tell(told.alert(), externalURL="http://alertmanager-1:9093")
    assert (receipt.incident, receipt.result) == ("INC-0001", "duplicate")
    assert len(desk.store.heads()) == 1


def test_another_alert_of_the_group_joins_its_incident(desk, told):
    desk.tell(told.alert())
    receipt = desk.tell(told.alert(), told.alert("ReplicaDown", start=told.t0 + 20), after=60)
    assert receipt.verdicts == ("duplicate", "new")
    assert receipt.result == "updated"
    assert [seen.name for seen in desk.case().alerts] == ["AvailabilityErrorBudgetBurn", "ReplicaDown"]
    assert desk.head().milestones["alerted"] == pytest.approx(told.t0, abs=1e-3)


def test_an_alert_that_began_earlier_moves_the_milestone(desk, told):
    desk.tell(told.alert())
    desk.tell(told.alert(), told.alert("Earlier", start=told.t0 - 100), after=60)
    assert desk.head().milestones["alerted"] == pytest.approx(told.t0 - 100, abs=1e-3)


def test_another_group_is_another_incident(desk, told):
    desk.tell(told.alert())
    receipt = desk.tell(told.alert("TtftErrorBudgetBurn"), key="{}:{slo=ttft}")
    assert receipt.incident == "INC-0002"


def test_the_same_alert_through_a_second_route_is_the_same_incident(desk, told):
    desk.tell(told.alert())
    receipt = desk.tell(told.alert(), key="{}/{team=x}:{}")
    assert (receipt.incident, receipt.result) == ("INC-0001", "duplicate")
    desk.tell(told.alert(end=told.t0 + 60), key="{}/{team=x}:{}", after=100)
    assert desk.head().status == "mitigated"


def test_when_all_alerts_are_over_it_is_mitigated_but_not_resolved(desk, told):
    desk.tell(told.alert(), told.alert("ReplicaDown"))
    desk.tell(told.alert(end=told.t0 + 60), told.alert("ReplicaDown"), after=60)
    assert desk.head().status == "open"
    desk.tell(told.alert("ReplicaDown", end=told.t0 + 90), after=60)
    assert desk.head().status == "mitigated"
    assert desk.head().milestones["alert_reset"] == pytest.approx(told.t0 + 90, abs=1e-3)
    assert "resolved" not in desk.head().milestones


def test_an_alert_that_is_merely_missing_from_a_notification_has_not_ended(desk, told):
    """It may be silenced or inhibited: nobody said that it is over."""
    desk.tell(told.alert(), told.alert("ReplicaDown"))
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    assert desk.head().status == "open"


def test_a_resolved_resend_adds_nothing_and_leaves_what_a_person_set(desk, told):
    desk.tell(told.alert())
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    by_hand(desk, "open")
    receipt = desk.tell(told.alert(end=told.t0 + 61), externalURL="http://alertmanager-1:9093")
    assert (receipt.result, desk.head().status) == ("duplicate", "open")


def test_an_alert_that_fires_again_reopens_its_incident(desk, told):
    desk.tell(told.alert())
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    receipt = desk.tell(told.alert(start=told.t0 + 200), after=200)
    assert (receipt.incident, receipt.verdicts) == ("INC-0001", ("again",))
    assert desk.head().status == "open"
    assert "alert_reset" not in desk.head().milestones
    assert desk.case().marks["alert_reset"][0].reason == "AvailabilityErrorBudgetBurn fires again"
    desk.tell(told.alert(start=told.t0 + 200, end=told.t0 + 300), after=100)
    assert desk.head().status == "mitigated"
    assert desk.head().milestones["alert_reset"] == pytest.approx(told.t0 + 300, abs=1e-3)


def test_a_resolved_incident_is_opened_again_a_closed_one_is_not(desk, told):
    desk.tell(told.alert())
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    by_hand(desk, "resolved")
    desk.tell(told.alert(start=told.t0 + 200), after=200)
    assert desk.head().status == "open"
    desk.tell(told.alert(start=told.t0 + 200, end=told.t0 + 230), after=60)
    by_hand(desk, "closed")
    receipt = desk.tell(told.alert(start=told.t0 + 900), after=900)
    assert (receipt.incident, receipt.result) == ("INC-0002", "opened")
    assert desk.head().status == "closed"


def test_a_closed_incident_still_takes_the_end_of_its_alerts(desk, told):
    desk.tell(told.alert())
    by_hand(desk, "closed")
    assert desk.tell(told.alert(), after=HOUR_S).result == "duplicate"
    desk.tell(told.alert(end=told.t0 + HOUR_S), after=HOUR_S)
    assert desk.head().status == "closed"
    assert desk.head().milestones["alert_reset"] == pytest.approx(told.t0 + HOUR_S, abs=1e-3)
    assert len(desk.store.heads()) == 1


def test_after_a_closed_incident_old_ends_go_there_and_new_alerts_to_a_new_one(desk, told):
    desk.tell(told.alert())
    by_hand(desk, "closed")
    desk.tell(told.alert(end=told.t0 + 50), told.alert("ReplicaDown", start=told.t0 + 60), after=60)
    assert [seen.state for seen in desk.case("INC-0001").alerts] == ["firing", "resolved"]
    assert [seen.name for seen in desk.case("INC-0002").alerts] == ["ReplicaDown"]
    assert desk.head("INC-0002").status == "open"


def test_a_firing_that_arrives_after_its_end_is_old_news(desk, told):
    desk.tell(told.alert())
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    receipt = desk.tell(told.alert(), after=5, externalURL="http://alertmanager-1:9093")
    assert receipt.verdicts == ("late",)
    assert desk.head().status == "mitigated"
    assert any("taken as old news" in text for text in desk.texts())
    before = len(desk.case().events)
    desk.tell(told.alert(), after=5, externalURL="http://alertmanager-1:9093")
    assert len(desk.case().events) == before


def test_an_end_that_overtakes_its_beginning_leaves_no_open_incident(desk, told):
    receipt = desk.tell(told.alert(end=told.t0 + 20))
    assert (receipt.verdicts, desk.head().status) == (("unseen",), "mitigated")
    assert desk.tell(told.alert(), after=1).verdicts == ("late",)
    assert desk.head().status == "mitigated"
    assert len(desk.store.heads()) == 1


def test_an_alert_still_told_to_fire_long_after_its_end_fires(desk, told):
    """Alertmanager let it end when Prometheus was away; back again, it has its old start."""
    desk.tell(told.alert())
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    receipt = desk.tell(told.alert(), after=301)
    assert receipt.verdicts == ("still",)
    assert desk.head().status == "open"
    assert desk.tell(told.alert(), after=HOUR_S).result == "duplicate"
    desk.tell(told.alert(end=told.t0 + 5 * HOUR_S), after=5 * HOUR_S)
    assert desk.head().status == "mitigated"


def test_alerts_left_out_are_noted_once_and_keep_it_open(desk, told):
    desk.tell(told.alert(), truncatedAlerts=7)
    assert any("7 more alerts of this group were left out" in text for text in desk.texts())
    before = len(desk.case().events)
    assert desk.tell(told.alert(), truncatedAlerts=7).result == "duplicate"
    assert len(desk.case().events) == before
    desk.tell(told.alert(end=told.t0 + 60), truncatedAlerts=2, after=60)
    assert desk.head().status == "open"
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    assert desk.head().status == "mitigated"


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("page", "SEV2"),
        ("critical", "SEV2"),
        ("ticket", "SEV3"),
        ("warning", "SEV3"),
        ("info", "SEV4"),
        ("none", "SEV4"),
        ("sev1", "SEV1"),
        ("", "SEV3"),
        ("purple", "SEV3"),
    ],
)
def test_the_severity_label_says_how_grave_it_is(desk, told, label, severity):
    desk.tell(told.alert(severity=label))
    assert desk.head().severity == severity


def test_a_graver_alert_raises_it_and_a_person_has_the_last_word(desk, told):
    desk.tell(told.alert("Slow", severity="ticket"))
    desk.tell(told.alert("Slow", severity="ticket"), told.alert("Down"), after=60)
    assert desk.head().severity == "SEV2"
    assert "SEV2: Down has severity page" in desk.texts()
    desk.store.append("INC-0001", [Draft(desk.clock.now, SeveritySet("SEV4", None, "a test"), "SEV4", "test", "ann")])
    desk.tell(told.alert("Another"), after=60)
    assert desk.head().severity == "SEV4"


def test_the_page_called_like_the_alert_is_its_runbook(desk, told, tmp_path):
    pages = tmp_path / "runbooks"
    pages.mkdir()
    (pages / f"{told.page}.md").write_text("# x\n")
    desk.restart(pages=RunbookPages(pages))
    desk.tell(told.alert())
    assert Linked("runbook", f"runbooks/{told.page}.md", f"Runbook of {told.page}") in desk.case().links
    assert desk.case().alerts[0].runbook == f"runbooks/{told.page}.md"


@pytest.mark.parametrize("name", ["../secret", "a/b", "..", ".hidden", "", "x" * 4000])
def test_no_alert_name_leads_out_of_the_runbooks(tmp_path, name):
    (tmp_path / "secret.md").write_text("x")
    (tmp_path / "pages").mkdir()
    assert RunbookPages(tmp_path / "pages").page_of(name) == ""


@pytest.mark.parametrize(
    "target",
    ["javascript:alert(1)", "//evil/x", "/etc/passwd", "../../x", "https://u:p@host/x", "file:///x", "http://["],
)
def test_what_is_no_safe_link_is_none(desk, told, target):
    desk.tell(told.alert(annotations={"runbook_url": target, "dashboard_url": target}))
    assert {link.rel for link in desk.case().links} == {"query"}


def test_silence_makes_an_incident_stale_and_never_ends_it(desk, told):
    desk.restart(stale_after_s=HOUR_S)
    desk.tell(told.alert())
    desk.clock.now += HOUR_S - 1
    assert desk.intake.sweep() == ()
    desk.clock.now += 1
    assert desk.intake.sweep() == ("INC-0001",)
    assert desk.intake.sweep() == ()
    assert desk.head().status == "open"
    assert stale_since(desk.head()) == pytest.approx(told.t0 + 30)
    assert "not known to have ended" in desk.texts()[-1]


def test_a_resend_keeps_an_incident_from_becoming_stale(desk, told):
    desk.restart(stale_after_s=HOUR_S)
    desk.tell(told.alert())
    desk.tell(told.alert(), after=HOUR_S - 1)
    desk.clock.now += HOUR_S - 1
    assert desk.intake.sweep() == ()


def test_a_stale_incident_that_is_heard_of_again_is_not_stale(desk, told):
    desk.restart(stale_after_s=HOUR_S)
    desk.tell(told.alert())
    desk.clock.now += HOUR_S
    desk.intake.sweep()
    desk.tell(told.alert(), after=60)
    assert stale_since(desk.head()) is None
    assert desk.texts()[-1] == "heard of again: no longer stale"
    before = len(desk.case().events)
    desk.tell(told.alert(), after=60)
    assert len(desk.case().events) == before


def test_what_ended_is_never_stale_and_a_restart_counts_as_hearing(desk, told):
    desk.restart(stale_after_s=HOUR_S)
    desk.tell(told.alert())
    desk.tell(told.alert("Other"), key="other")
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    desk.clock.now += 10 * HOUR_S
    desk.restart()
    assert desk.intake.sweep() == ()
    desk.clock.now += HOUR_S
    assert desk.intake.sweep() == ("INC-0002",)


def test_an_incident_that_a_person_opened_again_after_its_end_is_not_stale(desk, told):
    desk.restart(stale_after_s=HOUR_S)
    desk.tell(told.alert())
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    by_hand(desk, "open")
    desk.clock.now += 2 * HOUR_S
    assert desk.intake.sweep() == ()


def test_a_sender_s_clock_that_is_ahead_shows_as_uncertainty(desk, told):
    desk.tell(told.alert(start=told.t0 + 90))
    assert desk.case().marks["alerted"][0].uncertainty_s == pytest.approx(60, abs=0.01)
    assert desk.head().opened_at == told.t0 + 30


def test_a_start_nobody_told_is_not_made_up(desk, told):
    desk.tell(told.alert(start=None))
    assert desk.case().alerts[0].started_at is None
    assert "alerted" not in desk.head().milestones
    assert desk.tell(told.alert(start=None), after=60).result == "duplicate"


def test_two_firings_told_in_turn_by_a_pair_are_written_down_once_each(desk, told):
    """Two Prometheus servers began at different times, and their Alertmanagers do not see each other."""
    for _ in range(3):
        desk.tell(told.alert())
        desk.tell(told.alert(start=told.t0 + 7))
    starts = [round(e.payload.started_at - told.t0) for e in desk.case().events if isinstance(e.payload, AlertSeen)]
    assert starts == [0, 7]
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    assert desk.head().status == "mitigated"


def test_replaying_a_whole_day_adds_nothing(desk, told):
    """After a lost connection a sender may repeat everything."""
    day = [
        (told.alert(),),
        (told.alert(end=told.t0 + 60),),
        (told.alert(start=told.t0 + 100), told.alert("ReplicaDown", start=told.t0 + 110)),
        (
            told.alert(start=told.t0 + 100, end=told.t0 + 200),
            told.alert("ReplicaDown", start=told.t0 + 110, end=told.t0 + 210),
        ),
    ]
    for alerts in day:
        desk.tell(*alerts, after=60)
    status, known = (
        desk.head().status,
        {e.payload for e in desk.case().events if isinstance(e.payload, AlertSeen | MilestoneMark)},
    )
    for alerts in day:
        desk.tell(*alerts, after=1)
    assert desk.head().status == status == "mitigated"
    assert {e.payload for e in desk.case().events if isinstance(e.payload, AlertSeen | MilestoneMark)} == known


def test_the_body_of_a_notification_may_hold_keys_nobody_knows(desk, told):
    desk.tell({**told.alert(), "newKey": {"a": 1}}, futureKey=json.loads("[1, 2]"))
    assert desk.head().status == "open"


def test_two_servers_that_hear_of_a_group_at_once_open_one_incident(desk, told):
    """Both looked before either wrote: the store keeps one, and it says what is so."""

    class Blind(Intake):
        def _case_of(self, _):
            return None

        def _twin_of(self, *_):
            return None

    blind = Blind(desk.store, desk.clock)
    desk.tell(told.alert())
    blind.take(notification_of(json.dumps(told.payload(told.alert())).encode()))
    assert len(desk.store.heads()) == 1
    desk.tell(told.alert(end=told.t0 + 60), after=60)
    assert desk.head().status == "mitigated"
