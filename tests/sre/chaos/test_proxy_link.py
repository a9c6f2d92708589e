"""One direction through the fault proxy, by a clock of the test's: everything arrives, in order, when it should."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.chaos.processes.proxy.link import FIRST_RTO_S, SEGMENT_BYTES, Link, LinkCounts
from sre.chaos.processes.proxy.rules import LinkRules, ResetRule, Rules, parse_rules
from sre.errors import SreError


def link_of(seed=1, **rules):
    counts = LinkCounts()
    return Link(LinkRules(**rules), random.Random(seed), counts), counts


def arrivals(link, until=1e9):
    """(time, bytes) of each departure, asked exactly when the link says to ask."""
    found = []
    while (at := link.next_at()) is not None and at <= until:
        found.append((at, link.take(at)))
    return found


def test_without_rules_bytes_leave_in_the_moment_they_come():
    link, counts = link_of()
    assert link.is_free
    link.push(b"abc", 5.0)
    assert link.take(5.0) == b"abc"
    assert (counts.bytes, counts.delayed_bytes) == (3, 0)


def test_latency_holds_bytes_for_as_long_as_it_says():
    link, counts = link_of(latency_ms=50)
    link.push(b"abc", 10.0)
    assert link.take(10.049) == b""
    assert link.take(10.05) == b"abc"
    assert counts.delayed_bytes == 3


def test_jitter_is_even_around_the_latency_and_never_reorders():
    link, _ = link_of(latency_ms=50, jitter_ms=20)
    for n in range(200):
        link.push(bytes([n]), float(n))
    seen = arrivals(link)
    assert b"".join(data for _, data in seen) == bytes(range(200))
    late = [at - n for n, (at, _) in enumerate(seen)]
    assert 0.03 <= min(late) < 0.035
    assert 0.065 < max(late) <= 0.07


def test_who_comes_close_behind_a_late_segment_waits_for_it():
    link, _ = link_of(seed=3, latency_ms=100, jitter_ms=100)
    for n in range(50):
        link.push(bytes([n]), n * 0.001)
    seen = arrivals(link)
    assert b"".join(data for _, data in seen) == bytes(range(50))


def test_a_narrow_wire_carries_no_more_than_it_can():
    link, counts = link_of(kbit_per_s=80)  # 10 kB/s
    link.push(bytes(30_000), 0.0)
    seen = arrivals(link)
    assert seen[-1][0] == pytest.approx(3.0)
    for at, _ in seen:
        carried = sum(len(data) for when, data in seen if when <= at)
        assert carried <= at * 10_000 + 1e-6
    assert counts.throttled_bytes == 30_000


def test_an_idle_wire_saves_nothing_up():
    link, _ = link_of(kbit_per_s=80)
    link.push(bytes(1000), 0.0)
    arrivals(link)
    link.push(bytes(1000), 100.0)
    assert arrivals(link)[-1][0] == pytest.approx(100.1)


def test_a_lost_segment_comes_a_retransmission_timeout_later_and_holds_up_all_behind():
    link, counts = link_of(seed=7, loss_ratio=0.3)
    link.push(bytes(SEGMENT_BYTES * 40), 0.0)
    seen = arrivals(link)
    assert counts.lost_segments > 5
    assert all(at == 0 or at >= FIRST_RTO_S for at, _ in seen)
    assert [at for at, _ in seen] == sorted(at for at, _ in seen)


def test_each_further_loss_of_a_segment_doubles_its_timeout():
    class AlwaysUntil:
        def __init__(self, losses):
            self.losses = losses

        def random(self):
            self.losses -= 1
            return 0.0 if self.losses >= 0 else 1.0

    link = Link(LinkRules(loss_ratio=0.5), AlwaysUntil(3), LinkCounts())
    link.push(b"x", 0.0)
    assert link.next_at() == pytest.approx(0.2 + 0.4 + 0.8)


def test_the_loss_ratio_is_what_was_asked_for():
    link, counts = link_of(seed=1, loss_ratio=0.1)
    for n in range(5000):
        link.push(b"x", float(n))
    assert 0.08 < counts.lost_segments / (5000 + counts.lost_segments) < 0.12


def test_a_partition_lets_nothing_through_and_loses_nothing():
    link, counts = link_of(partition=True)
    link.push(b"abc", 0.0)
    assert (link.take(1e9), link.next_at()) == (b"", None)
    assert counts.held_bytes == 3
    link.retune(LinkRules(), 20.0)
    assert link.take(20.0) == b"abc"


def test_what_waits_goes_at_once_when_the_fault_ends():
    link, _ = link_of(latency_ms=60_000)
    link.push(b"abc", 0.0)
    link.retune(LinkRules(), 1.0)
    assert link.take(1.0) == b"abc"
    assert link.is_free


RULES = st.builds(
    LinkRules,
    latency_ms=st.floats(0, 500),
    jitter_ms=st.floats(0, 500),
    loss_ratio=st.floats(0, 0.9),
    kbit_per_s=st.sampled_from([0.0, 8.0, 1000.0]),
    partition=st.booleans(),
)


@given(
    steps=st.lists(
        st.one_of(st.tuples(st.just("push"), st.binary(max_size=5000)), st.tuples(st.just("retune"), RULES)),
        max_size=20,
    ),
    gaps=st.lists(st.floats(0, 2), min_size=20, max_size=20),
    seed=st.integers(0, 1000),
)
def test_whatever_the_rules_were_all_bytes_arrive_in_order_once_they_end(steps, gaps, seed):
    link, _ = link_of(seed=seed)
    sent, got, now = b"", b"", 0.0
    for (what, value), gap in zip(steps, gaps, strict=False):
        now += gap
        got += link.take(now)
        if what == "push":
            sent += value
            link.push(value, now)
        else:
            link.retune(value, now)
        assert link.queued_bytes == len(sent) - len(got)
        assert sent.startswith(got)
    link.retune(LinkRules(), now)
    got += link.take(now)
    assert got == sent
    assert link.is_free


def test_rules_are_read_as_they_are_written():
    rules = Rules(LinkRules(latency_ms=1.5, partition=True), LinkRules(kbit_per_s=8), ResetRule(10, 0.5), 3, 4)
    assert parse_rules(rules.to_json()) == rules
    assert parse_rules("{}").is_transparent


BAD = {
    "no json": ("{", "not JSON"),
    "no object": ("[]", "an object"),
    "unknown key": ('{"latency_ms": 1}', "to_replica"),
    "unknown rule": ('{"to_replica": {"delay": 1}}', "latency_ms"),
    "negative": ('{"to_replica": {"latency_ms": -1}}', "latency_ms is -1"),
    "no number": ('{"to_replica": {"latency_ms": "50ms"}}', "'50ms'"),
    "no finite number": ('{"from_replica": {"jitter_ms": NaN}}', "from_replica.jitter_ms"),
    "all lost": ('{"to_replica": {"loss_ratio": 1}}', "0 to 0.9"),
    "no truth": ('{"to_replica": {"partition": "yes"}}', "true or false"),
    "a share of nothing": ('{"reset": {"share": 0}}', "reset.share"),
    "half a byte": ('{"reset": {"after_bytes": 0.5}}', "reset.after_bytes"),
    "no revision": ('{"revision": "a"}', "revision"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rules_are_told_in_one_line(name):
    text, named = BAD[name]
    with pytest.raises(SreError) as refused:
        parse_rules(text)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)
