"""Replica time and money: nothing is lost, nothing is counted twice, unknown is never 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.cost.allocation import cost_report, replica_time, replica_use
from sre.cost.model import CostReport, Price, ReplicaUse

PRICE = Price("p", "H100-80GB", Decimal("3.60"), "USD", "2024-01-01", "a test")  # 0.001 USD a GPU-second
TWO_REPLICAS = (ReplicaUse("llm-0", 0.0, 10.0, 100.0), ReplicaUse("llm-1", 0.0, 20.0, 100.0))
CRASH = (*TWO_REPLICAS[:1], ReplicaUse("llm-1", 0.0, 20.0, 50.0), ReplicaUse("llm-1", 55.0, 65.0, 100.0))


@dataclass(frozen=True)
class Event:
    at: float
    event: str
    replica: str | None = None


def report(uses: Sequence[ReplicaUse] = TWO_REPLICAS, **changed: Any) -> CostReport:
    asked: dict[str, Any] = {
        "price": PRICE,
        "gpus_per_replica": 1,
        "start": 0.0,
        "end": 100.0,
        "tokens": 10_000,
        "good_tokens": 5_000,
        "wasted_tokens": 100,
        "incident_window": (50.0, 70.0),
    }
    return cost_report(uses, **(asked | changed))


def test_a_life_runs_from_start_to_exit_and_serves_from_ready() -> None:
    events = [
        Event(1.0, "replica_started", "llm-0"),
        Event(4.0, "replica_ready", "llm-0"),
        Event(9.0, "replica_exited", "llm-0"),
        Event(9.5, "replica_restart_scheduled", "llm-0"),
        Event(10.0, "replica_started", "llm-0"),
    ]
    assert replica_use(events, end=12.0) == (
        ReplicaUse("llm-0", 1.0, 4.0, 9.0),
        ReplicaUse("llm-0", 10.0, None, 12.0),
    )


def test_the_order_of_the_lines_does_not_matter() -> None:
    events = [
        Event(1.0, "replica_started", "llm-1"),
        Event(1.0, "replica_started", "llm-0"),
        Event(3.0, "replica_ready", "llm-1"),
        Event(8.0, "replica_exited", "llm-1"),
    ]
    assert replica_use(events, end=9.0) == replica_use(reversed(events), end=9.0)


def test_a_second_ready_does_not_move_the_first() -> None:
    events = [Event(1.0, "replica_started", "a"), Event(2.0, "replica_ready", "a"), Event(5.0, "replica_ready", "a")]
    assert replica_use(events, end=9.0) == (ReplicaUse("a", 1.0, 2.0, 9.0),)


def test_an_exit_nobody_saw_ends_where_the_next_life_begins() -> None:
    events = [Event(1.0, "replica_started", "a"), Event(5.0, "replica_started", "a")]
    assert replica_use(events, end=9.0) == (ReplicaUse("a", 1.0, None, 5.0), ReplicaUse("a", 5.0, None, 9.0))


def test_the_platforms_stop_ends_every_life() -> None:
    events = [Event(1.0, "replica_started", "a"), Event(2.0, "replica_started", "b"), Event(6.0, "platform_stopped")]
    assert [use.end for use in replica_use(events, end=9.0)] == [6.0, 6.0]


def test_what_has_no_start_is_left_out() -> None:
    events = [Event(1.0, "replica_ready", "a"), Event(2.0, "replica_exited", "a"), Event(20.0, "replica_started", "b")]
    assert replica_use(events, end=9.0) == ()


def test_the_bill_is_replica_hours_times_gpus_times_price() -> None:
    found = report(gpus_per_replica=4)
    assert (found.billed_s, found.serving_s, found.not_serving_s) == (200.0, 170.0, 30.0)
    assert found.total == Decimal("0.8")


def test_only_what_lies_in_the_interval_is_paid() -> None:
    found = report(start=15.0, end=30.0)
    assert (found.billed_s, found.serving_s, found.not_serving_s) == (30.0, 25.0, 5.0)


def test_tokens_are_priced_by_the_whole_bill() -> None:
    found = report()
    assert found.per_million_tokens == Decimal("20")  # 0.2 USD for 10,000
    assert found.per_million_good_tokens == Decimal("40")


def test_an_incident_costs_idle_capacity_and_wasted_tokens() -> None:
    found = report(CRASH)
    assert found.billed_s == 195.0
    assert found.incident_capacity == Decimal("0.01")  # llm-1 starts from 55 to 65
    assert found.incident_wasted_tokens == Decimal("0.00195")  # 100 of 10,000 tokens that cost 0.195
    assert found.incident_total == Decimal("0.01195")


def test_start_up_outside_the_incident_window_is_not_the_incidents() -> None:
    assert report(incident_window=(30.0, 50.0)).incident_capacity == 0


def test_an_incident_window_is_clipped_to_the_interval() -> None:
    assert report(incident_window=(-50.0, 500.0)).incident_capacity == report().price.per_gpu_hour * 30 / 3600


def test_the_gap_before_a_restart_is_named_not_billed() -> None:
    found = report(CRASH)
    assert any(note.startswith("5.0 replica-s between an exit and the restart") for note in found.notes)
    assert report().notes == ()


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"tokens": 0, "wasted_tokens": 0}, "per_million_tokens", "there were none"),
        ({"tokens": None}, "per_million_tokens", "no samples"),
        ({"good_tokens": 0}, "per_million_good_tokens", "there were none"),
        ({"good_tokens": None}, "per_million_good_tokens", "no samples"),
        ({"wasted_tokens": None}, "incident_wasted_tokens", "no samples"),
        ({"tokens": None}, "incident_wasted_tokens", "a token has no price"),
        ({"incident_window": None}, "incident_capacity", "no incident window"),
        ({"uses": ()}, "per_million_tokens", "no replica ran"),
    ],
)
def test_what_cannot_be_known_is_none_with_a_reason(changed: dict[str, Any], field: str, reason: str) -> None:
    found = report(**changed)
    assert getattr(found, field) is None
    assert any(reason in note for note in found.notes)


def test_the_incidents_total_takes_the_parts_that_are_known() -> None:
    assert report(CRASH, wasted_tokens=None).incident_total == Decimal("0.01")
    assert report(CRASH, wasted_tokens=None, incident_window=None).incident_total is None


def test_no_wasted_tokens_cost_nothing_even_without_a_price() -> None:
    assert report(tokens=0, wasted_tokens=0).incident_wasted_tokens == 0


def test_notes_of_the_caller_come_first() -> None:
    assert report(CRASH, notes=("time scale 1",)).notes[0] == "time scale 1"


@pytest.mark.parametrize("changed", [{"end": 0.0}, {"gpus_per_replica": 0}, {"tokens": -1}])
def test_nonsense_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"interval|GPU|negative"):
        report(**changed)


EPOCH = 1_795_000_000.0
instants = st.floats(0.0, 500.0).map(lambda s: EPOCH + s)


@st.composite
def replica_uses(draw: st.DrawFn) -> tuple[ReplicaUse, ...]:
    uses = []
    for index in range(draw(st.integers(0, 5))):
        start, end = sorted((draw(instants), draw(instants)))
        uses.append(ReplicaUse(f"llm-{index}", start, draw(st.none() | instants), end))
    return tuple(uses)


intervals = st.tuples(instants, instants).map(sorted).filter(lambda pair: pair[0] < pair[1])


@given(uses=replica_uses(), interval=intervals)
def test_serving_and_not_serving_are_the_bill_and_never_negative(uses: Any, interval: list[float]) -> None:
    found = report(uses, start=interval[0], end=interval[1])
    assert found.serving_s + found.not_serving_s == found.billed_s
    assert found.serving_s >= 0
    assert found.not_serving_s >= 0
    assert found.total >= 0
    assert (found.incident_capacity or 0) >= 0
    assert found.billed_s <= len(uses) * (interval[1] - interval[0]) + 1e-5


@given(uses=replica_uses(), cuts=st.lists(instants, min_size=3, max_size=3).map(sorted))
def test_splitting_the_interval_loses_nothing(uses: Any, cuts: list[float]) -> None:
    whole = replica_time(uses, start=cuts[0], end=cuts[2])
    parts = [replica_time(uses, start=a, end=b) for a, b in ((cuts[0], cuts[1]), (cuts[1], cuts[2]))]
    assert whole.serving_us == sum(part.serving_us for part in parts)
    assert whole.not_serving_us == sum(part.not_serving_us for part in parts)
    assert whole.gap_us == sum(part.gap_us for part in parts)


@given(uses=replica_uses(), interval=intervals, factor=st.integers(1, 64))
def test_money_scales_with_price_and_with_gpus(uses: Any, interval: list[float], factor: int) -> None:
    start, end = interval
    base = report(uses, start=start, end=end)
    dearer = report(uses, start=start, end=end, price=replace(PRICE, per_gpu_hour=PRICE.per_gpu_hour * factor))
    wider = report(uses, start=start, end=end, gpus_per_replica=factor)
    tiny = Decimal("1e-20")
    assert abs(dearer.total - base.total * factor) < tiny
    assert wider.total == dearer.total
    assert abs((wider.incident_total or Decimal(0)) - (base.incident_total or Decimal(0)) * factor) < tiny


@given(uses=replica_uses(), interval=intervals)
def test_the_incident_never_costs_more_capacity_than_was_idle(uses: Any, interval: list[float]) -> None:
    start, end = interval
    found = report(uses, start=start, end=end, incident_window=(start, end))
    idle = replica_time(uses, start=start, end=end).not_serving_us
    assert found.incident_capacity == PRICE.per_gpu_hour * idle / 3_600_000_000


lives = st.lists(
    st.tuples(
        st.floats(0, 100),
        st.sampled_from(["replica_started", "replica_ready", "replica_exited", "platform_stopped", "gateway_ready"]),
        st.sampled_from(["a", "b", None]),
    ),
    max_size=30,
)


@given(rows=lives)
def test_lives_of_one_replica_never_overlap_whatever_the_events_say(rows: list[tuple[float, str, str | None]]) -> None:
    uses = replica_use([Event(*row) for row in rows], end=100.0)
    for name in ("a", "b"):
        mine = [use for use in uses if use.replica == name]
        assert all(use.start < use.end for use in mine)
        assert all(use.ready_at is None or use.start <= use.ready_at <= use.end for use in mine)
        assert all(before.end <= after.start for before, after in pairwise(mine))
