"""Records and events become points, percentiles and spans without losing or inventing any."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.gameday.records import latency_summaries, request_points
from sre.gameday.spans import replica_spans
from sre.incidents.model import ClientRecord, PlatformEvent


def record(sent_at, ttft=0.2, e2e=1.0, outcome="ok"):
    first = None if ttft is None else sent_at + ttft
    return ClientRecord(
        id="r",
        scheduled_at=sent_at,
        sent_at=sent_at,
        first_token_at=first,
        last_token_at=first,
        finished_at=sent_at + e2e,
        prompt_tokens=5,
        output_tokens=10,
        max_gap_s=0.01,
        outcome=outcome,
        replicas=("llm-0",),
    )


def event(at, name, replica="llm-0"):
    return PlatformEvent(at, name, replica)


def test_points_are_in_order_of_sending():
    points = request_points([record(5.0), record(1.0)])
    assert [p.at for p in points] == [1.0, 5.0]
    assert points[0].ttft_s == pytest.approx(0.2)


def test_latency_is_split_by_phase_and_counts_every_request_once():
    points = request_points([record(t) for t in (1.0, 2.0, 10.0, 11.0, 12.0, 20.0)])
    ttft = [s for s in latency_summaries(points, fault=(10.0, 20.0)) if s.signal == "TTFT"]
    assert [(s.phase, s.n) for s in ttft] == [("before", 2), ("during", 3), ("after", 1)]


def test_a_phase_without_requests_has_no_percentiles():
    during = latency_summaries(request_points([record(1.0)]), fault=(5.0, 6.0))[1]
    assert (during.phase, during.n, during.p50) == ("during", 0, None)


def test_failed_requests_do_not_count_as_end_to_end_times():
    points = request_points([record(1.0), record(2.0, ttft=None, e2e=30.0, outcome="error")])
    e2e = next(s for s in latency_summaries(points, fault=None) if s.signal == "end to end")
    assert (e2e.n, e2e.p99) == (1, pytest.approx(1.0))


def test_a_crash_shows_as_ready_down_starting_ready():
    events = [
        event(1.0, "replica_started"),
        event(3.0, "replica_ready"),
        event(20.0, "replica_exited"),
        event(20.0, "replica_restart_scheduled"),
        event(20.5, "replica_started"),
        event(23.0, "replica_ready"),
    ]
    spans = replica_spans(events, start=2.0, end=30.0)
    assert [(s.state, s.start, s.end) for s in spans] == [
        ("starting", 2.0, 3.0),
        ("ready", 3.0, 20.0),
        ("down", 20.0, 20.5),
        ("starting", 20.5, 23.0),
        ("ready", 23.0, 30.0),
    ]


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.sampled_from(["replica_started", "replica_ready", "replica_exited"])),
        min_size=1,
        max_size=20,
    )
)
def test_spans_of_a_replica_tile_the_time_it_is_known(raw):
    events = [event(at, name) for at, name in raw]
    spans = replica_spans(events, start=0.0, end=100.0)
    for left, right in itertools.pairwise(spans):
        assert left.end == right.start
    covered = sum(s.end - s.start for s in spans)
    assert covered == pytest.approx(100.0 - min(at for at, _ in raw))
