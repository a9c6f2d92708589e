"""Milestones, durations, impact and severity of an incident, each from the evidence it names."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sre.errors import BadDocument
from sre.incidents.build import build_incident, incident_from_json, incident_to_json, load_incident
from sre.incidents.impact import measure
from sre.incidents.milestones import HUMAN, NAMES, UNATTENDED
from sre.incidents.model import ClientRecord, FaultWindow, LedgerLines, Observation, PlatformEvent
from sre.metrics.model import Matcher, Selector
from sre.slo.model import Alert, RatioSli, Slo, SloResult

BEGIN = 1000.0
FAULT = FaultWindow(
    *("f-1", "replica-crash", "llm-1", BEGIN, BEGIN + 6, True, "pid 7 is gone", BEGIN + 0.1),
    undone_at=BEGIN + 4.5,
    undone_by="run",
    lines=LedgerLines(3, 4, 5, 6),
)
WATCHED = Observation(900.0, 1100.0, "scraper", supervisor_poll_s=0.25, ttft_limit_s=1.0)
EXIT = PlatformEvent(BEGIN + 0.2, "replica_exited", "llm-1", "returncode=-9")
READY = PlatformEvent(BEGIN + 5.5, "replica_ready", "llm-1")


def request(
    number: int, sent: float, took: float = 1.0, outcome: str = "ok", *, ttft: float | None = 0.1
) -> ClientRecord:
    first = None if ttft is None else sent + ttft
    tried = ("llm-1", "llm-0") if outcome == "error" else ("llm-0",)
    return ClientRecord(f"r{number}", sent, sent, first, first, sent + took, 100, 10, 0.01, outcome, tried)


def result(*alerts: Alert, source: str = "scraper") -> SloResult:
    failed = Selector("sre_gateway_requests_total", (Matcher("outcome", "=", "error"),))
    sli = RatioSli((Selector("sre_gateway_requests_total"),), bad=(failed,))
    slo = Slo("availability", "Availability", "", "llm", 0.99, 2419200.0, sli, "slo/a.yaml")
    return SloResult(slo, source, 900.0, 1100.0, 99, 100, 0.01, None, (), alerts)


def page(fired: float, reset: float | None, severity: str = "page") -> Alert:
    return Alert("availability", "page-1h", severity, fired, reset)


RECORDS = (
    request(1, BEGIN - 50),
    request(2, BEGIN - 1, 1.3, "truncated"),
    request(3, BEGIN + 1, 0.5, "error", ttft=None),
    request(4, BEGIN + 2, 3.0, ttft=2.0),
    request(5, BEGIN + 3, 1.0, "cancelled"),
    request(6, BEGIN + 9, 1.0),
)


def build(**changes):
    evidence = {
        "incident_id": "inc-1",
        "title": "crash",
        "faults": (FAULT,),
        "events": (EXIT, READY),
        "journal": None,
        "results": (result(page(BEGIN + 4, BEGIN + 30)),),
        "records": RECORDS,
        "observation": WATCHED,
    }
    return build_incident(**{**evidence, **changes})


def seconds(incident) -> dict[str, float]:
    return {d.name: round(d.seconds, 6) for d in incident.durations if d.seconds is not None}


def test_every_duration_counts_from_the_begin_of_the_fault():
    assert seconds(build()) == {
        "time_to_impact": 0.3,
        "time_to_detect": 0.2,
        "time_to_alert": 4.0,
        "time_to_mitigate": 1.5,
        "time_to_recover": 5.5,
        "time_to_recover_once_removed": 1.0,
        "time_to_reset": 30.0,
    }
    assert build().duration("time_to_detect").from_to == "fault_injected to detected"
    assert build().duration("time_to_recover_once_removed").from_to == "fault_removed to recovered"


def test_milestones_keep_source_and_uncertainty():
    incident = build()
    assert tuple(m.name for m in incident.milestones) == NAMES
    assert incident.milestone("fault_injected").uncertainty_s == pytest.approx(0.1)
    assert incident.milestone("detected").uncertainty_s == 0.25
    mitigated = incident.milestone("mitigated")
    assert (mitigated.source, mitigated.uncertainty_s) == ("requests.jsonl", pytest.approx(3.5))


def test_milestones_point_at_the_records_they_were_read_from():
    records = tuple(replace(r, line=number) for number, r in enumerate(RECORDS, 11))
    events = (replace(EXIT, evidence="events.jsonl:7"), replace(READY, evidence="events.jsonl:9"))
    incident = build(records=records, events=events, results=(result(page(BEGIN + 4, BEGIN + 30)),))
    assert {m.name: m.evidence for m in incident.milestones if m.at is not None} == {
        "fault_injected": "chaos.jsonl:3",
        "impact_start": "requests.jsonl:12",
        "detected": "events.jsonl:7",
        "alerted": 'sre_gateway_requests_total{outcome="error"}',
        "fault_removed": "chaos.jsonl:5",
        "mitigated": "requests.jsonl:13",
        "recovered": "events.jsonl:9",
        "alert_reset": 'sre_gateway_requests_total{outcome="error"}',
    }


def test_what_only_a_person_can_say_is_na_in_a_drill_nobody_worked_on():
    said = {m.name: (m.at, m.reason) for m in build().milestones if m.name in HUMAN}
    assert said == dict.fromkeys(HUMAN, (None, UNATTENDED))


def test_a_fault_that_was_never_undone_was_not_removed():
    mark = build(faults=(replace(FAULT, undone_at=None, undone_by=None),)).milestone("fault_removed")
    assert (mark.at, mark.reason) == (None, "the ledger does not say that replica-crash was undone")


def test_without_a_fault_everything_is_unknown_with_a_reason_and_never_zero():
    incident = build(faults=())
    assert all(m.at is None and m.reason for m in incident.milestones)
    assert all(d.seconds is None and d.reason for d in incident.durations)
    assert incident.impact.window_start is None


def test_whatever_notices_first_is_the_detection():
    ejected = PlatformEvent(BEGIN + 0.1, "replica_out_of_rotation", "llm-1", source="scraper")
    assert build(events=(ejected, EXIT, READY)).milestone("detected").at == BEGIN + 0.1
    elsewhere = replace(ejected, replica="llm-2")
    assert build(events=(elsewhere, EXIT, READY)).milestone("detected").at == EXIT.at
    assert build(events=()).milestone("detected").at == BEGIN + 4  # the page
    gateway = replace(FAULT, target="gateway", components=("gateway",))
    gone = PlatformEvent(BEGIN + 0.3, "gateway_exited", None, "returncode=-9")
    assert build(faults=(gateway,), events=(EXIT, gone)).milestone("detected").at == BEGIN + 0.3


def test_a_platform_that_is_taken_down_has_noticed_nothing_by_it():
    down = PlatformEvent(BEGIN + 40, "platform_stopping", None)
    drained = PlatformEvent(BEGIN + 40.5, "replica_out_of_rotation", "llm-1", source="scraper")
    end = (down, drained, replace(EXIT, at=BEGIN + 42))
    mark = build(events=end, results=(result(),)).milestone("detected")
    assert (mark.at, mark.reason) == (None, "nothing noticed llm-1 after the fault, and no page fired")
    assert build(events=(EXIT, READY, *end)).milestones == build(events=(EXIT, READY)).milestones
    earlier_platform = replace(down, at=BEGIN - 60)
    assert build(events=(earlier_platform, EXIT, READY)).milestone("detected").at == EXIT.at


def test_a_replica_that_only_the_end_of_the_platform_ended_does_not_hide_when_the_others_recovered():
    both = replace(FAULT, replicas=("llm-1", "llm-2"))
    down = (PlatformEvent(BEGIN + 40, "platform_stopping", None), replace(EXIT, replica="llm-2", at=BEGIN + 42))
    assert build(faults=(both,), events=(EXIT, READY, *down)).milestone("recovered").at == READY.at


def test_several_replicas_have_recovered_when_the_last_one_has():
    zone = replace(FAULT, target="llm-1, llm-2", replicas=("llm-1", "llm-2"))
    later = (replace(EXIT, replica="llm-2"), replace(READY, replica="llm-2", at=BEGIN + 9))
    assert build(faults=(zone,), events=(EXIT, READY, *later)).milestone("recovered").at == BEGIN + 9
    stays = build(faults=(replace(zone, end=None),), events=(EXIT, READY, later[0])).milestone("recovered")
    assert stays.at is None


@pytest.mark.parametrize(
    ("changes", "milestone", "reason"),
    [
        ({"events": (), "results": (result(),)}, "detected", "nothing noticed llm-1"),
        ({"results": ()}, "alerted", "no SLO was read from scraper"),
        ({"results": (result(),)}, "alerted", "no page fired"),
        ({"results": (result(page(BEGIN + 4, None)),)}, "alert_reset", "still firing"),
        ({"results": (result(page(BEGIN + 4, 1050.0, "ticket")),)}, "alerted", "no page fired"),
        ({"results": (result(page(BEGIN - 4, 1050.0)),)}, "alerted", "no page fired"),
        (
            {"results": (result(page(BEGIN + 4, 1050.0), source="prometheus"),)},
            "alerted",
            "no SLO was read from scraper",
        ),
        ({"records": ()}, "impact_start", "no client request in flight during the fault failed"),
        ({"records": (request(1, BEGIN + 1),)}, "mitigated", "nothing to mitigate"),
        ({"records": RECORDS[:3]}, "mitigated", "no request succeeded after"),
        ({"events": (EXIT,), "faults": (replace(FAULT, end=None),)}, "recovered", "llm-1 did not serve again"),
    ],
)
def test_what_was_not_seen_is_na_with_its_reason(changes, milestone, reason):
    mark = build(**changes).milestone(milestone)
    assert mark.at is None
    assert reason in mark.reason


def test_traffic_that_still_fails_after_recovery_is_not_mitigated_yet():
    late = request(7, BEGIN + 20, 1.0, "rejected", ttft=None)
    assert seconds(build(records=(*RECORDS, late, request(8, BEGIN + 30))))["time_to_mitigate"] == 21.0
    assert build(records=(*RECORDS, late)).milestone("mitigated").at is None


def test_other_replicas_and_earlier_lives_do_not_count():
    noise = (
        PlatformEvent(BEGIN - 20, "replica_exited", "llm-1"),
        PlatformEvent(BEGIN + 0.05, "replica_exited", "llm-0"),
        PlatformEvent(BEGIN - 10, "replica_ready", "llm-1"),
        PlatformEvent(BEGIN + 1, "replica_ready", "llm-0"),
    )
    assert seconds(build(events=(*noise, READY, EXIT))) == seconds(build())


def test_without_supervisor_events_the_ledger_says_when_it_recovered():
    recovered = build(events=()).milestone("recovered")
    assert (recovered.at, recovered.source) == (BEGIN + 6, "chaos.jsonl")


def test_the_last_page_to_reset_counts():
    incident = build(results=(result(page(BEGIN + 4, BEGIN + 30), page(BEGIN + 8, BEGIN + 70)),))
    assert incident.milestone("alerted").at == BEGIN + 4
    assert incident.milestone("alert_reset").at == BEGIN + 70


def test_a_slow_request_starts_the_impact_when_it_becomes_slow():
    incident = build(records=(request(4, BEGIN + 2, 3.0, ttft=2.0),))
    assert incident.milestone("impact_start").at == BEGIN + 3.0
    assert incident.impact.degraded == 1


def test_impact_counts_requests_in_flight_during_the_fault():
    impact = build().impact
    assert (impact.requests, impact.failed, impact.truncated, impact.rejected) == (4, 2, 1, 0)
    assert (impact.retried, impact.degraded) == (1, 1)
    assert (impact.tokens_delivered, impact.tokens_in_failed) == (40, 20)
    assert (impact.window_start, impact.window_end) == (BEGIN, BEGIN + 6)


def test_an_open_fault_lasts_until_observation_ends():
    impact = measure(RECORDS, replace(FAULT, end=None), WATCHED)
    assert impact.window_end == 1100.0
    assert impact.requests == 5


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"records": tuple(request(n, BEGIN + 1, 0.5, "error") for n in range(10))}, "SEV1"),
        ({}, "SEV2"),
        ({"results": ()}, "SEV3"),
        ({"results": (), "records": (request(1, BEGIN + 1),)}, "SEV4"),
    ],
)
def test_severity_follows_from_impact_and_page(changes, severity):
    assert build(**changes).severity == severity


def test_the_first_of_several_faults_is_the_incident():
    later = replace(FAULT, fault_id="f-2", target="llm-2", begin=BEGIN + 20, end=BEGIN + 25)
    incident = build(faults=(later, FAULT))
    assert incident.target == "llm-1"
    assert any("llm-2" in e.text for e in incident.timeline)


def test_json_gives_back_the_same_record(tmp_path):
    incident = build()
    assert incident_from_json(incident_to_json(incident)) == incident
    path = tmp_path / "incident.json"
    path.write_text(incident_to_json(incident))
    assert load_incident(path) == incident


@pytest.mark.parametrize("text", ["", "3", "{}", '{"schema": 1}', '{"schema": 9, "id": "x"}'])
def test_what_is_no_incident_is_refused_with_its_path(tmp_path, text):
    path = tmp_path / "incident.json"
    path.write_text(text)
    with pytest.raises(BadDocument) as caught:
        load_incident(path)
    assert all(str(path) in fault for fault in caught.value.faults)


def test_an_unknown_milestone_is_a_key_error():
    with pytest.raises(KeyError):
        build().milestone("noticed")
    with pytest.raises(KeyError):
        build().duration("time_to_notice")
