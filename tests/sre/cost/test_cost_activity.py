"""What a replica did, read from its gauge and its counters."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from sre.cost.activity import HOLD_S, Slot, activity, slots_of
from sre.metrics.model import Selector, Series, SeriesId


def series(name: str, values: list[float], *, times: list[float] | None = None, replica: str = "llm-0") -> Series:
    at = list(range(len(values))) if times is None else times
    labels = (("replica", replica),)
    return Series(SeriesId(name, labels), np.array(at, dtype=np.float64), np.array(values, dtype=np.float64))


def gauge(values: list[float], *, times: list[float] | None = None, replica: str = "llm-0") -> Series:
    return series("vllm:num_requests_running", values, times=times, replica=replica)


def counter(values: list[float], *, times: list[float] | None = None, replica: str = "llm-0") -> Series:
    return series("vllm:generation_tokens_total", values, times=times, replica=replica)


class Held:
    """A source of these series."""

    name = "held"

    def __init__(self, *found: Series) -> None:
        self._found = found

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        return [one for one in self._found if one.id.name == selector.name]


def states(running: list[float], counted: list[float]) -> list[tuple[float, float, str]]:
    return [(s.start, s.end, s.state) for s in slots_of("llm-0", [gauge(running)], [counter(counted)])]


def test_a_sample_speaks_for_the_time_since_the_one_before() -> None:
    assert states([1, 1, 0, 0], [10, 20, 30, 30]) == [(-HOLD_S, 1, "busy"), (1, 3 + HOLD_S, "vacant")]


def test_requests_without_tokens_are_a_stall() -> None:
    found = states([1, 1, 1, 1, 1, 1], [10, 20, 20, 20, 20, 30])
    assert found == [(-HOLD_S, 1, "busy"), (1, 3, "stalled"), (3, 5 + HOLD_S, "busy")]


def test_one_slow_step_is_no_stall() -> None:
    assert states([1, 1, 1], [10, 10, 20]) == [(-HOLD_S, 0, "stalled"), (0, 2 + HOLD_S, "busy")]
    assert [s for *_, s in states([1, 1, 1, 1], [0, 10, 10, 20])] == ["busy"]


def test_a_counter_that_began_anew_has_moved() -> None:
    assert [s for *_, s in states([1, 1, 1], [500, 3, 3])] == ["busy", "stalled"]


def test_nobody_knows_what_happened_between_distant_samples() -> None:
    found = list(slots_of("llm-0", [gauge([1, 0], times=[0, 60])], [counter([1, 2], times=[0, 60])]))
    assert found == [
        Slot("llm-0", -HOLD_S, HOLD_S, "busy"),
        Slot("llm-0", 60 - HOLD_S, 60 + HOLD_S, "vacant"),
    ]


def test_a_replica_that_answers_no_scrape_for_a_while_did_not_work_for_all_that_anybody_saw() -> None:
    times = [0.0, 1, 2, 3, 13, 14, 15]
    found = list(slots_of("llm-0", [gauge([1] * 7, times=times)], [counter([1, 2, 3, 4, 5, 6, 7], times=times)]))
    assert [(s.start, s.end) for s in found] == [(-HOLD_S, 3), (13, 15 + HOLD_S)]
    gauges = gauge([1, 1, 1, 1, 0, 1, 1], times=times)
    found = list(slots_of("llm-0", [gauges], [counter([1, 2, 3, 4, 5, 6, 7], times=times)]))
    assert [(s.start, s.end) for s in found] == [(-HOLD_S, 3), (13, 15 + HOLD_S)]


def test_holds_that_meet_do_not_overlap() -> None:
    found = list(slots_of("llm-0", [gauge([0, 1], times=[0, 8])], []))
    assert [(s.start, s.end) for s in found] == [(-HOLD_S, HOLD_S), (HOLD_S, 8 + HOLD_S)]


def test_without_counters_the_gauge_alone_decides() -> None:
    assert [s.state for s in slots_of("llm-0", [gauge([1, 1, 1])], [])] == ["busy"]


def test_the_slots_of_all_replicas_touch_the_interval() -> None:
    source = Held(
        gauge([1, 1], replica="llm-1"),
        counter([1, 2], replica="llm-1"),
        gauge([0, 0], replica="llm-0"),
        gauge([1], times=[500], replica="llm-2"),
    )
    found = activity(source, start=0, end=10)
    assert [(slot.replica, slot.state) for slot in found] == [("llm-0", "vacant"), ("llm-1", "busy")]


def test_a_source_without_engines_shows_nothing() -> None:
    assert activity(Held(), start=0, end=10) == ()


@pytest.mark.parametrize("running", [[0, 0, 0], [2, 0, 5], [1, 1, 1]])
def test_slots_are_in_order_and_do_not_overlap(running: list[float]) -> None:
    found = list(slots_of("llm-0", [gauge(running)], [counter([1, 2, 3])]))
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert all(slot.start < slot.end for slot in found)
