"""What each fault does to a simulated fleet, and what no fault does: lose a request or a token from the books."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from serving.autoscale import parse_policy
from serving.errors import BadInput
from serving.gateway.config import AdmissionConfig, FailoverConfig, HealthConfig
from serving.simulator import (
    OUTCOMES,
    FleetFault,
    FleetResult,
    GatewayRules,
    ReplicaGroup,
    Scenario,
    run_fleet,
    score,
    validate,
)
from serving.simulator.fleet import Fleet
from serving.simulator.flight import Flight
from serving.simulator.member import Member
from serving.simulator.model import NS
from serving.simulator.scenario import FaultKind
from serving.simulator.traffic import Arrival, workload_of
from tests.serving.simulator.fleets import GROUP, NO_BUDGET, POLICY, steady

PAIR = replace(GROUP, count=2)
ZONES = replace(GROUP, count=4, zones=("a", "b"))
STREAMS = steady(2, begin_s=0, end_s=60, prompt=60, output=200)
CRASH = FleetFault("crash", 20.0, target="llm-0")


def play(
    *faults: FleetFault,
    group: ReplicaGroup = PAIR,
    rules: GatewayRules | None = None,
    arrivals: Sequence[Arrival] = STREAMS,
    duration_s: float = 90,
) -> FleetResult:
    workload = workload_of("w", arrivals)
    return run_fleet(Scenario("faults", (group,), workload, duration_s, gateway=rules or GatewayRules(), faults=faults))


def outcomes(run: FleetResult) -> dict[str, int]:
    return {name: count for name, count in zip(OUTCOMES, score(run).overall.outcomes, strict=True) if count}


def said(run: FleetResult, *names: str) -> list[tuple[float, str, str]]:
    return [(e.at_s, e.event, str(e.detail.get("replica", ""))) for e in run.events if e.event in names]


def in_flight(run: FleetResult, at_s: float, replica: str) -> NDArray[np.bool_]:
    """Which requests were on the replica at that time; one that arrived just then is."""
    lives = [index for index, life in enumerate(run.lives) if life.name == replica]
    at_ns, columns = round(at_s * NS), run.outcomes
    return np.isin(columns.replica, lives) & (columns.placed_ns <= at_ns) & (columns.ended_ns >= at_ns)


def test_a_crash_without_a_budget_for_retries_loses_exactly_what_was_in_flight() -> None:
    hit = in_flight(play(), 20.0, "llm-0")
    run = play(CRASH, rules=NO_BUDGET)
    assert hit.sum() == 3
    assert np.array_equal(run.outcomes.outcome != OUTCOMES.index("ok"), hit)
    lost = run.outcomes.outcome[hit]
    began = run.outcomes.first_ns[hit] >= 0
    assert [OUTCOMES[code] for code in lost] == ["truncated" if one else "error" for one in began]
    assert set(run.outcomes.ended_ns[hit]) == {20 * NS}


def test_with_failover_a_crash_loses_nothing_and_costs_the_streams_it_cut_a_gap() -> None:
    hit = in_flight(play(), 20.0, "llm-0")
    run = play(CRASH)
    assert outcomes(run) == {"ok": len(STREAMS)}
    assert np.array_equal(run.outcomes.attempts == 2, hit)
    assert (run.outcomes.emitted == 200).all()
    cut = hit & (run.outcomes.first_ns < 20 * NS)
    # prompt and answer so far are prefilled again: 20 ms for 64 tokens, 60 ms for 256, beside what decodes there
    assert (run.outcomes.longest_gap_ns[cut] > 20_000_000).all()
    assert (run.outcomes.longest_gap_ns[cut] < NS).all()
    again = run.outcomes.wasted_tokens[cut] - 60
    assert (again > 0).all()
    assert (again < 200).all()
    assert (run.outcomes.wasted_tokens[~cut] == 0).all()


def test_the_gap_of_a_single_stream_is_the_prefill_of_what_it_had() -> None:
    run = play(FleetFault("crash", 1.0, target="llm-0"), arrivals=[Arrival(0, 64, 200)])
    # 20 ms of prefill, then a token each 10 ms: the 99th is out at 1 s, and the step under way is lost
    prompt_and_answer = 64 + 98 + 1 - 1
    slope = (60 - 20) / (256 - 64)
    prefill_s = (20 + (prompt_and_answer - 64) * slope) / 1e3
    assert run.outcomes.longest_gap_ns[0] / NS == pytest.approx(prefill_s + 0.010, abs=0.0021)
    assert run.outcomes.emitted[0] == 200


def test_a_crashed_replica_comes_back_after_its_back_off_and_its_cold_start_and_is_not_billed_between() -> None:
    run = play(CRASH)
    assert said(run, "replica_exited", "replica_started", "replica_ready")[4:] == [
        (20.0, "replica_exited", "llm-0"),
        (20.5, "replica_started", "llm-0"),
        (50.5, "replica_ready", "llm-0"),
    ]
    assert said(run, "fault_begin", "fault_end") == [(20.0, "fault_begin", ""), (50.5, "fault_end", "")]
    assert score(run).replica_s == pytest.approx(90 + 20 + 90 - 20.5)


def test_a_replica_that_dies_again_and_again_waits_longer_each_time() -> None:
    run = play(*(FleetFault("crash", at_s, target="llm-0") for at_s in (1.0, 35.0)))
    delays = [e.detail["delay_s"] for e in run.events if e.event == "replica_restart_scheduled"]
    assert delays == [0.5, 1.0]


def test_with_nobody_left_requests_wait_as_long_as_the_gateway_lets_them() -> None:
    arrivals = [Arrival(30 * NS, 60, 20), Arrival(59 * NS, 60, 20)]
    run = play(FleetFault("crash", 29.0, target="all"), arrivals=arrivals)
    # up again at 29 + 0.5 + 30 s: the first has waited its 5 s by then, the second has not
    assert [OUTCOMES[code] for code in run.outcomes.outcome] == ["error", "ok"]
    assert run.outcomes.ended_ns[0] == 35 * NS
    assert run.outcomes.placed_ns[1] == round(59.5 * NS)


def test_a_stream_that_has_nowhere_to_go_is_cut_when_its_longest_gap_is_over() -> None:
    run = play(FleetFault("crash", 1.0, target="all"), arrivals=[Arrival(0, 64, 200)])
    assert outcomes(run) == {"truncated": 1}
    assert run.outcomes.ended_ns[0] - run.outcomes.last_ns[0] == 10 * NS


def test_a_hung_replica_is_found_by_its_silence_and_its_streams_go_on_elsewhere() -> None:
    run = play(FleetFault("hang", 20.0, 15.0, "llm-0"))
    (down,) = said(run, "replica_down")
    assert 21.0 <= down[0] <= 21.2  # stall_min_s, at a beat of a tenth of a second
    assert outcomes(run) == {"ok": len(STREAMS)}
    hit = in_flight(play(), 20.0, "llm-0") & (run.outcomes.first_ns < 20 * NS)
    assert (run.outcomes.longest_gap_ns[hit] > NS).all()
    assert (run.outcomes.longest_gap_ns[hit] < 2 * NS).all()
    (up,) = said(run, "replica_up")
    assert 35.0 <= up[0] <= 36.1
    assert not said(run, "replica_unhealthy")


def test_a_replica_that_hangs_for_long_is_killed_and_started_again() -> None:
    run = play(FleetFault("hang", 20.0, 60.0, "llm-0"))
    (killed,) = said(run, "replica_unhealthy")
    assert 41.0 <= killed[0] <= 41.7
    assert said(run, "replica_ready")[-1][0] == pytest.approx(killed[0] + 30.5)


def test_the_last_replica_is_not_taken_out_for_its_silence_alone() -> None:
    run = play(FleetFault("hang", 20.0, 1.5, "llm-0"), group=GROUP)
    assert outcomes(run) == {"ok": len(STREAMS)}
    assert not said(run, "replica_down")


def test_a_slow_replica_is_taken_out_only_where_the_gateway_is_told_to() -> None:
    slow = FleetFault("slow", 20.0, 40.0, "llm-0", 6.0)
    patient, strict = play(slow), play(slow, rules=GatewayRules(health=HealthConfig(slow_factor=3.0)))
    assert not said(patient, "replica_down")
    down = said(strict, "replica_down")
    assert 20.0 < down[0][0] < 25.0
    assert down[1][0] - down[0][0] > 8.0  # a slow one passes every probe: it is held out for eight of them
    assert score(strict).overall.tpot.p99 < score(patient).overall.tpot.p99  # type: ignore[operator]
    assert outcomes(patient) == outcomes(strict) == {"ok": len(STREAMS)}


def test_lost_kv_blocks_preempt_and_come_back() -> None:
    arrivals = steady(4, begin_s=0, end_s=60, prompt=200, output=200)
    sound = play(arrivals=arrivals)
    run = play(FleetFault("kv_loss", 20.0, 20.0, "all", 0.08), arrivals=arrivals)
    assert sound.preemptions == 0 < run.preemptions
    assert outcomes(run)["ok"] == len(arrivals)


def test_a_lost_zone_takes_its_replicas_and_keeps_them_until_it_is_back() -> None:
    run = play(FleetFault("zone_loss", 20.0, 30.0, "a"), group=ZONES)
    gone = {life.name for life in run.lives if life.zone == "a"}
    assert gone == {"llm-0", "llm-2"}
    assert {name for at, _, name in said(run, "replica_exited") if at == 20.0} == gone
    assert [(at, name) for at, _, name in said(run, "replica_started")[4:]] == [(50.0, "llm-0"), (50.0, "llm-2")]
    during = (run.outcomes.placed_ns > 20 * NS) & (run.outcomes.placed_ns < 80 * NS)
    assert {run.lives[index].zone for index in run.outcomes.replica[during]} == {"b"}
    assert outcomes(run) == {"ok": len(STREAMS)}


def test_an_autoscaler_adds_nothing_in_a_zone_that_is_lost() -> None:
    faults = (FleetFault("zone_loss", 10.0, 80.0, "a"),)
    arrivals = steady(14, begin_s=0, end_s=100)
    policy = parse_policy(POLICY, where="p.yaml")
    group = replace(ZONES, count=2)
    run = run_fleet(Scenario("zone", (group,), workload_of("w", arrivals), 120, policy=policy, faults=faults))
    added = [life for life in run.lives if 10 < life.start_s < 90]
    assert added
    assert {life.zone for life in added} == {"b"}


def test_a_spot_replica_works_off_its_streams_and_is_gone_with_its_notice() -> None:
    long = [Arrival(0, 60, 1500), Arrival(NS // 10, 60, 1500), *STREAMS[30:]]
    run = play(FleetFault("spot_notice", 5.0, target="llm-0", value=4.0), arrivals=long, duration_s=120)
    assert max(life.end_s for life in run.lives if life.name == "llm-0") == 9.0
    assert said(run, "fault_end") == [(9.0, "fault_end", "")]
    after = run.outcomes.placed_ns > 5 * NS
    assert {run.lives[index].name for index in run.outcomes.replica[after]} == {"llm-1"}
    assert outcomes(run) == {"ok": len(long)}


def test_what_a_scale_in_could_not_finish_within_its_grace_moves_for_free() -> None:
    arrivals = [Arrival(0, 60, 1900)] * 16  # before the autoscaler's first look, which is at 0 too
    group = replace(PAIR, scheduler=replace(GROUP.scheduler, kv_blocks=2000, max_num_seqs=16))
    policy = replace(parse_policy(POLICY, where="p.yaml"), min_replicas=1, max_replicas=1)
    scenario = Scenario("in", (group,), workload_of("w", arrivals), 90, gateway=NO_BUDGET, policy=policy)
    run = run_fleet(scenario)
    assert outcomes(run) == {"ok": 16}
    assert sorted(run.outcomes.attempts.tolist()) == [1] * 8 + [2] * 8
    (drained,) = said(run, "replica_drained")
    assert drained[0] == pytest.approx(30.0, abs=0.05)


@pytest.mark.parametrize("kind", ["autoscaler_down", "metrics_loss"])
def test_without_its_autoscaler_or_its_metrics_a_fleet_stays_as_it_is(kind: str) -> None:
    arrivals = [*steady(1, begin_s=0, end_s=30), *steady(16, begin_s=30, end_s=100)]
    policy = parse_policy(POLICY, where="p.yaml")
    scenario = Scenario("busy", (GROUP,), workload_of("w", arrivals), 120, policy=policy)
    fault = FleetFault(kind, 20.0, 65.0)  # type: ignore[arg-type]
    calm, run = run_fleet(scenario), run_fleet(replace(scenario, faults=(fault,)))
    assert [m.desired for m in calm.moments if m.at_s == 60.0] != [1]
    assert {m.desired for m in run.moments if 20 < m.at_s < 85} == {1}
    assert {m.limited_by for m in run.moments if 20 < m.at_s < 85} == {
        "" if kind == "autoscaler_down" else "MetricUnavailable"
    }
    assert max(m.desired for m in run.moments) > 1


def test_a_cold_start_under_the_fault_takes_longer_and_one_after_it_does_not() -> None:
    faults = (
        FleetFault("cold_start_slow", 10.0, 30.0, value=2.0),
        CRASH,
        FleetFault("crash", 45.0, target="llm-1"),
    )
    run = play(*faults, duration_s=120)
    ready = {name: at for at, _, name in said(run, "replica_ready")}
    assert ready == {"llm-0": 20.5 + 60, "llm-1": 45.5 + 30}


def test_a_surge_brings_more_of_the_same_for_its_time_only() -> None:
    run = play(FleetFault("surge", 20.0, 20.0, value=3.0))
    arrived = np.histogram(run.scenario.workload.at_ns / NS, [0, 20, 40, 60])[0]
    assert arrived.tolist() == [40, 120, 40]
    assert (np.diff(run.scenario.workload.at_ns) >= 0).all()
    assert len(run.outcomes) == 200


def test_poison_kills_no_more_replicas_than_it_takes_to_be_known() -> None:
    poison = FleetFault("poison", 20.0, 0.4, value=1.0)  # one request arrives in that time
    run = play(poison, group=replace(GROUP, count=4))
    assert len(said(run, "replica_exited")) == 2
    bad = run.outcomes.outcome == OUTCOMES.index("error")
    assert bad.sum() == 1
    assert run.outcomes.attempts[bad].tolist() == [2]
    forever = play(poison, group=replace(GROUP, count=4), rules=GatewayRules(failover=FailoverConfig(poison_deaths=0)))
    assert len(said(forever, "replica_exited")) == 3  # max_attempts


def test_every_fault_of_the_faults_is_told_at_once() -> None:
    bad = Scenario(
        "bad",
        (PAIR,),
        workload_of("w", STREAMS),
        60,
        faults=(
            FleetFault("melt", 1.0),  # type: ignore[arg-type]
            FleetFault("crash", 70.0),
            FleetFault("slow", 1.0, -2.0, "llm-7", 0.5),
            FleetFault("zone_loss", 1.0, target="z"),
            FleetFault("poison", 1.0, value=2.0),
            FleetFault("crash", 1.0, value=3.0),
            FleetFault("zone_loss", 1.0),
            FleetFault("autoscaler_down", 1.0),
            FleetFault("surge", 1.0, target="llm-0", value=2.0),
        ),
        scrape_interval_s=1e-9,
    )
    told = "\n".join(validate(bad))
    for part in (
        "unknown kind 'melt'",
        "outside the run",
        "duration_s is -2",
        "unknown target 'llm-7'",
        "a factor above 1",
        "unknown zone 'z': use one of a",
        "a share above 0",
        "this kind has none",
        "names no zone as its target: use one of a",
        "has no autoscaler",
        "hits no single replica: leave the target 'llm-0' out",
        "more than 1,000,000 scrapes",
    ):
        assert part in told
    with pytest.raises(BadInput, match="unknown zone"):
        run_fleet(bad)


KINDS: list[FaultKind] = [
    "crash",
    "hang",
    "slow",
    "kv_loss",
    "cold_start_slow",
    "zone_loss",
    "spot_notice",
    "metrics_loss",
    "surge",
    "poison",
]


@st.composite
def faults(draw: st.DrawFn) -> FleetFault:
    kind = draw(st.sampled_from(KINDS))
    target = draw(st.sampled_from(["busiest", "random", "all", "llm-0", "llm-2"]))
    value = {
        "kv_loss": draw(st.sampled_from([0.03, 0.3])),
        "poison": 0.05,
        "spot_notice": draw(st.sampled_from([0.0, 5.0])),
    }
    return FleetFault(
        kind,
        draw(st.integers(0, 58)) + 0.25,
        draw(st.sampled_from([None, 0.7, 8.0, 25.0])),
        {
            "zone_loss": draw(st.sampled_from(["a", "b"])),
            **dict.fromkeys(("metrics_loss", "cold_start_slow", "surge", "poison"), "all"),
        }.get(kind, target),
        value.get(kind),
    )


@settings(max_examples=15)
@given(
    st.lists(faults(), min_size=1, max_size=4),
    st.integers(0, 1000),
    st.sampled_from([4, 12, 30]),
    st.booleans(),
    st.sampled_from([NO_BUDGET, GatewayRules(), GatewayRules(admission=AdmissionConfig(max_queue=3, kv_overcommit=2))]),
)
def test_whatever_happens_no_request_and_no_token_is_lost_from_the_books(
    drawn: list[FleetFault], seed: int, rate_rps: int, with_policy: bool, rules: GatewayRules
) -> None:
    rng = np.random.default_rng(seed)
    count = rate_rps * 40
    at_ns = np.sort(rng.integers(0, 60 * NS, count))
    rows = zip(at_ns.tolist(), rng.integers(1, 400, count).tolist(), rng.integers(1, 300, count).tolist(), strict=True)
    workload = workload_of("w", [Arrival(*row) for row in rows])
    policy = parse_policy(POLICY, where="p.yaml") if with_policy else None
    group = replace(GROUP, count=3, zones=("a", "b"), spot=True)
    scenario = Scenario(
        "any", (group,), workload, 60, gateway=rules, policy=policy, faults=tuple(drawn), seed=seed, keep_samples=True
    )
    run, again = run_fleet(scenario), run_fleet(scenario)
    columns, offered = run.outcomes, run.scenario.workload
    ok = columns.outcome == OUTCOMES.index("ok")
    assert (columns.outcome >= 0).all()
    assert (columns.emitted[ok] == offered.output_tokens[ok]).all()
    assert (columns.emitted[~ok] < offered.output_tokens[~ok]).all()
    assert ((columns.emitted > 0) == (columns.first_ns >= 0)).all()
    assert (columns.first_ns <= columns.last_ns).all()
    assert (columns.last_ns <= columns.ended_ns).all()
    assert (columns.ended_ns >= offered.at_ns).all()
    assert (columns.longest_gap_ns <= np.maximum(columns.last_ns - columns.first_ns, 0)).all()
    assert ((columns.outcome == OUTCOMES.index("truncated")) <= (columns.first_ns >= 0)).all()
    assert ((columns.outcome == OUTCOMES.index("error")) <= (columns.first_ns < 0)).all()
    assert ((columns.attempts > 0) == (columns.replica >= 0)).all()
    for column in columns.__slots__:
        assert getattr(again.outcomes, column).tobytes() == getattr(columns, column).tobytes()
    assert (again.lives, again.moments, again.events) == (run.lives, run.moments, run.events)
    assert all(a.values.tobytes() == b.values.tobytes() for a, b in zip(again.series, run.series, strict=True))
    by_name: dict[str, float] = {}
    for life in run.lives:
        assert 0 <= life.start_s <= life.end_s <= 60
        assert life.ready_s is None or life.start_s <= life.ready_s
        assert by_name.get(life.name, 0.0) <= life.start_s, "two lives of one name at a time"
        by_name[life.name] = life.end_s


def test_a_request_is_at_one_replica_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = (CRASH, FleetFault("hang", 22.0, 10.0), FleetFault("zone_loss", 40.0, 10.0, "b"))
    fleet = Fleet(Scenario("w", (ZONES,), workload_of("w", STREAMS), 90, faults=drawn))
    place, placed = fleet.gateway.place, 0

    def noted(flight: Flight, member: Member, now_ns: int) -> None:
        nonlocal placed
        assert flight.member is None
        assert all(flight.id not in other.flights for other in fleet.membership.everyone)
        placed += 1
        place(flight, member, now_ns)

    monkeypatch.setattr(fleet.gateway, "place", noted)
    run = fleet.run(None)
    assert placed == run.outcomes.attempts.sum() > len(STREAMS)


def test_who_waits_gets_places_as_soon_as_a_half_open_replica_is_whole() -> None:
    lone, long = replace(GROUP, count=1), [Arrival(round((49 + i / 10) * NS), 60, 400) for i in range(6)]
    run = play(CRASH, group=lone, arrivals=long, duration_s=120)
    up_ns = round(50.5 * NS)
    placed_ns, first_ended_ns = run.outcomes.placed_ns, int(run.outcomes.ended_ns.min())
    assert int(placed_ns.min()) == up_ns
    assert int(np.sort(placed_ns)[2]) > up_ns  # two at a time until they have their first tokens
    assert int(placed_ns.max()) < up_ns + NS < first_ended_ns


def test_replicas_that_come_up_at_one_instant_share_what_waits_for_them() -> None:
    rules = GatewayRules(failover=FailoverConfig(budget_ratio=1.0), idle_timeout_s=60)
    run = play(FleetFault("crash", 20.0, target="all"), rules=rules)
    moved = run.outcomes.attempts > 1
    took = np.bincount(run.outcomes.replica[moved], minlength=4)[2:]
    assert moved.sum() > 4
    assert took.min() >= 0.4 * took.sum()


def test_a_replica_without_any_kv_block_stays_out_until_it_has_some_again() -> None:
    run = play(FleetFault("kv_loss", 20.0, 10.0, target="llm-0", value=0.0))
    (down,) = [at_s for at_s, _, name in said(run, "replica_down") if name == "llm-0"]
    (up,) = [at_s for at_s, _, name in said(run, "replica_up") if name == "llm-0"]
    assert down == pytest.approx(21, abs=0.3)
    assert up == pytest.approx(30, abs=0.3)


def test_what_only_a_lost_replica_could_hold_is_refused_and_stops_nobody_else() -> None:
    small = replace(GROUP, name="small", scheduler=replace(GROUP.scheduler, kv_blocks=20, max_model_len=320))
    arrivals = [Arrival(i * NS, 400 if i % 2 else 60, 40) for i in range(40)]
    gone = FleetFault("spot_notice", 10.0, target="llm-0", value=2.0)
    run = run_fleet(Scenario("w", (GROUP, small), workload_of("w", arrivals), 60, faults=(gone,)))
    assert outcomes(run) == {"ok": 25, "invalid": 15}
