"""Durations go from one milestone to another; nothing unknown becomes a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.incidents.build import incident_from_json
from sre.incidents.durations import DURATIONS, case_durations, durations
from sre.incidents.events import MilestoneMark
from sre.incidents.milestones import NAMES
from sre.incidents.model import Milestone


def marks(**instants: float):
    return {name: (MilestoneMark(name, at), "by hand") for name, at in instants.items()}


def of_case(name: str, **instants: float):
    return next(d for d in case_durations(marks(**instants)) if d.name == name)


@pytest.mark.parametrize(
    ("known", "zero"),
    [
        ({"fault_injected": 1.0, "impact_start": 2.0, "detected": 3.0}, "fault_injected"),
        ({"impact_start": 2.0, "detected": 3.0, "alerted": 4.0}, "impact_start"),
        ({"detected": 3.0, "alerted": 4.0}, "detected"),
        ({"alerted": 4.0}, "alerted"),
    ],
)
def test_a_case_counts_from_the_best_zero_it_knows_and_says_which(known, zero):
    found = of_case("time_to_mitigate", mitigated=10.0, **known)
    assert (found.start, found.seconds) == (zero, 10.0 - known[zero])


def test_a_zero_is_not_a_duration_of_zero():
    found = of_case("time_to_detect", detected=3.0)
    assert (found.seconds, found.reason) == (None, "counting begins with detected: nothing earlier is known")


def test_a_case_without_any_zero_has_no_duration_from_it():
    assert of_case("time_to_resolve", resolved=9.0).seconds is None
    assert of_case("time_to_recover_once_removed", fault_removed=4.0, recovered=9.0).seconds == 5.0


def test_acknowledgement_counts_from_the_page():
    found = of_case("time_to_acknowledge", impact_start=1.0, alerted=3.0, acknowledged=33.0)
    assert (found.from_to, found.seconds) == ("alerted to acknowledged", 30.0)


def test_a_mark_that_is_na_hands_its_reason_on():
    case = {**marks(impact_start=1.0), "detected": (MilestoneMark("detected", None, reason="no one saw it"), "by hand")}
    found = next(d for d in case_durations(case) if d.name == "time_to_detect")
    assert (found.seconds, found.reason) == (None, "no one saw it")


def test_a_negative_duration_is_kept_and_flagged():
    found = of_case("time_to_detect", impact_start=5.0, detected=3.5)
    assert (found.seconds, found.flag) == (-1.5, "negative: detected stands before impact_start")


@given(st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e9)))
def test_each_duration_is_a_number_or_has_a_reason(instants):
    found = case_durations(marks(**instants))
    assert [d.name for d in found] == [name for name, _, _ in DURATIONS]
    for duration in found:
        assert (duration.seconds is None) == (duration.reason is not None)
        assert bool(duration.flag) == (duration.seconds is not None and duration.seconds < 0)
        if duration.seconds is not None:
            assert duration.seconds == instants[duration.end] - instants[duration.start]


@given(st.dictionaries(st.sampled_from(NAMES), st.floats(0, 1e9)))
def test_a_drill_counts_from_the_injection_alone(instants):
    drill = tuple(Milestone(n, instants.get(n), "x", None if n in instants else "not seen") for n in NAMES)
    starts = {d.name: d.start for d in durations(drill)}
    assert starts == {n: start or "fault_injected" for n, start, _ in DURATIONS}


def test_a_record_of_an_earlier_version_is_read_by_todays_names():
    text = """{"schema": 1, "id": "i", "title": "t", "fault": "replica-crash", "target": "llm-1", "severity": "SEV4",
    "timeline": [{"at": 1.0, "kind": "fault", "text": "begins", "source": "chaos.jsonl"}],
    "milestones": [{"name": "fault_begin", "at": 1.0, "source": "chaos.jsonl", "reason": null, "uncertainty_s": 0.0},
                   {"name": "detected", "at": 2.0, "source": "events.jsonl", "reason": null, "uncertainty_s": 0.0}],
    "durations": [{"name": "time_to_detect", "start": "fault_begin", "end": "detected", "seconds": 1.0,
                   "reason": null}],
    "impact": {"requests": 0, "failed": 0, "truncated": 0, "rejected": 0, "retried": 0, "tokens_delivered": 0,
               "tokens_in_failed": 0}}"""
    incident = incident_from_json(text)
    assert incident.milestone("fault_injected").at == 1.0
    assert incident.duration("time_to_detect").from_to == "fault_injected to detected"
    assert incident.timeline[0].evidence == ""
