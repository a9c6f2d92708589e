"""Causes are found where it is known what went wrong, and none is found where nothing did."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.incidents.causes.rank import NO_REPLICA, rank_causes
from sre.incidents.codec import encode

REPLICAS = ("llm-0", "llm-1", "llm-2")


def ranked(fleet, **changes):
    given = {"start": fleet.start, "end": fleet.end, **changes}
    return rank_causes(fleet.samples(), fleet.events, **given)


def first(fleet) -> tuple[str, str, str]:
    best = ranked(fleet).candidates[0]
    return best.kind, best.subject, best.signature


@pytest.mark.parametrize("replica", REPLICAS)
@pytest.mark.parametrize(
    ("fault", "failure"), [("crash", "replica-crash"), ("hang", "replica-hang"), ("slow", "replica-slow")]
)
def test_what_one_replica_suffers_is_found_on_it(made, fault, failure, replica):
    fleet = made.Fleet()
    getattr(made, fault)(fleet, replica)
    assert first(fleet) == ("replica", replica, failure)


def test_more_traffic_is_the_traffics_doing(made):
    fleet = made.Fleet()
    made.surge(fleet)
    assert first(fleet) == ("traffic", "traffic", "traffic-surge")


def test_a_gateway_that_dies_is_a_component(made):
    fleet = made.Fleet()
    made.gateway_crash(fleet)
    assert first(fleet) == ("component", "gateway", "gateway-crash")


def test_replicas_that_go_together_are_one_cause_and_not_two(made):
    fleet = made.Fleet(("llm-0", "llm-1", "llm-2", "llm-3"))
    made.crash(fleet, "llm-1")
    made.crash(fleet, "llm-3")
    assert first(fleet) == ("fleet", "llm-1, llm-3", "zone-loss")


def test_an_xid_outweighs_the_crash_that_it_causes(made):
    fleet = made.Fleet()
    made.crash(fleet, "llm-1")
    fleet.gauge("DCGM_FI_DEV_XID_ERRORS", "llm-1")[made.FAULT_TICK - 1 :] = 79.0
    assert first(fleet) == ("replica", "llm-1", "gpu-xid")


def test_a_late_path_that_no_replica_is_blamed_for_names_none(made):
    fleet = made.Fleet()
    made.after(fleet.counter("sre_gateway_ttft_seconds_sum"), 6 * 0.15)
    best = ranked(fleet).candidates[0]
    assert (best.subject, best.signature) == (NO_REPLICA, "network-latency")


def test_evidence_says_what_when_and_where_to_look(made):
    fleet = made.Fleet()
    made.slow(fleet, "llm-1")
    (row, *_) = [e for e in ranked(fleet).candidates[0].evidence if "token" in e.text]
    assert row.at == pytest.approx(fleet.at(made.FAULT_TICK), abs=2)
    assert 0.5 < row.strength < 1
    assert row.source == 'vllm:inter_token_latency_seconds_sum{replica="llm-1"}'


def test_scores_fall_with_the_rank_and_stay_within_0_and_1(made):
    fleet = made.Fleet()
    made.crash(fleet, "llm-1")
    scores = [c.score for c in ranked(fleet).candidates]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score < 1 for score in scores)
    assert [c.rank for c in ranked(fleet).candidates] == list(range(1, len(scores) + 1))


@pytest.mark.parametrize("seed", range(10))
def test_where_nothing_happens_nobody_is_blamed(made, seed):
    ranking = ranked(made.Fleet(seed=seed))
    assert ranking.candidates == ()


@settings(max_examples=15, deadline=None)
@given(names=st.permutations(REPLICAS), fault=st.sampled_from(["crash", "hang", "slow"]))
def test_names_and_order_of_replicas_do_not_matter(made, names, fault):
    fleet = made.Fleet()
    getattr(made, fault)(fleet, "llm-1")
    mapping = dict(zip(REPLICAS, names, strict=True))
    expected = [(c.kind, mapping.get(c.subject, c.subject), c.signature, c.score) for c in ranked(fleet).candidates]
    found = [(c.kind, c.subject, c.signature, c.score) for c in ranked(made.renamed(fleet, mapping)).candidates]
    assert found == expected


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(1.5, 8.0), seed=st.integers(0, 50))
def test_what_moves_all_replicas_alike_blames_no_single_one(made, factor, seed):
    fleet = made.Fleet(seed=seed)
    for replica in REPLICAS:
        fleet.counter("vllm:inter_token_latency_seconds_sum", replica)[made.FAULT_TICK : made.FAULT_TICK + 15] *= factor
    assert [c.subject for c in ranked(fleet).candidates if c.kind == "replica"] == []


def test_the_same_evidence_gives_the_same_ranking_in_whatever_order(made):
    fleet = made.Fleet()
    made.crash(fleet, "llm-2")
    expected = encode(ranked(fleet))
    for events in itertools.permutations(fleet.events):
        assert encode(rank_causes(fleet.samples(), events, start=fleet.start, end=fleet.end)) == expected


def test_without_samples_the_events_are_looked_at_and_the_limit_is_said(made):
    fleet = made.Fleet()
    made.crash(fleet, "llm-1")
    made.crash(fleet, "llm-2")
    ranking = rank_causes(None, fleet.events, start=fleet.start, end=fleet.end)
    assert ranking.candidates[0].signature == "zone-loss"
    assert ranking.limits[0].startswith("no samples in this time")


def test_too_short_a_past_is_said(made):
    fleet = made.Fleet(ticks=6)
    assert any("changes need 8 before them" in limit for limit in ranked(fleet).limits)


def test_a_change_right_at_the_begin_is_doubted(made):
    fleet = made.Fleet()
    made.crash(fleet, "llm-1", tick=4)
    assert any("hardly known; begin earlier" in limit for limit in ranked(fleet).limits)


def test_a_fleet_of_one_has_nobody_to_compare_with(made):
    fleet = made.Fleet(("llm-0",))
    made.crash(fleet, "llm-0")
    assert ranked(fleet).candidates[0].subject == "llm-0"
    assert any("none can be compared" in limit for limit in ranked(fleet).limits)


def test_nothing_that_stands_out_is_said(made):
    assert ranked(made.Fleet()).limits[-1].startswith("nothing stands out")


def test_a_drills_own_traces_are_no_evidence(made):
    fleet = made.Fleet()
    fleet.event(20, "replica_rerouted", "llm-1", "route={'owner': 'f-1'}")
    assert ranked(fleet).candidates == ()
