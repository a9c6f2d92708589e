"""An incident in money: hand-computed, additive over windows, nothing twice, unknown never 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sre.cost.allocation import cost_report, replica_time
from sre.cost.credits import PeriodAvailability
from sre.cost.drill import drill_cost
from sre.cost.finance import CreditStep, DrillPolicy, DrillTeam, Finance, Role, ServiceCredits, no_finance
from sre.cost.fleet_history import FleetHistory
from sre.cost.incident import IncidentFacts, incident_cost, lost_lines
from sre.cost.incident_gpus import (
    CUT_OFF,
    NOT_SERVING,
    RECOMPUTED,
    RECOVERY,
    STALLED,
    UNSEEN,
    WASTED,
    GpuUse,
    gpu_lines,
)
from sre.cost.lost_requests import Answer, Limits, answers, lost_requests
from sre.cost.measured import Measure, measured
from sre.cost.model import Price, ReplicaUse
from sre.cost.provenance import CostLine, CostSum, Input
from sre.metrics.model import Selector, Series, SeriesId
from sre.metrics.selector import series_filter

PRICE = Price("p", "H100-80GB", Decimal("3.60"), "USD", "2024-01-01", "a test")  # 0.001 USD a GPU-second
LIMITS = Limits(1.0, 0.05, "a test")


def assumed(name: str, value: str, unit: str = "USD", low: str | None = None, high: str | None = None) -> Input:
    bound = [None if text is None else Decimal(text) for text in (low, high)]
    return Input(name, Decimal(value), unit, "assumed", "a test", *bound)


FINANCE = Finance(
    path="finance.yaml",
    sha256="",
    currency="USD",
    is_illustrative=False,
    good_request=assumed("value of a good request", "0.02", low="0.01", high="0.04"),
    slow_request_share=assumed("share", "0.5", "share"),
    credits=ServiceCredits(
        assumed("fee", "1000"),
        (CreditStep(Decimal("0.999"), Decimal(10)), CreditStep(Decimal("0.99"), Decimal(25))),
        "contract",
    ),
    labour=(
        Role("SRE", 2, assumed("rate", "100"), assumed("hours", "1.5", "h"), assumed("after", "3", "h")),
        Role("Finance", 1, assumed("rate", "80"), None, assumed("after", "0.5", "h")),
    ),
    drill=DrillPolicy("generated", (DrillTeam("SRE", 2, assumed("hours", "2", "h")),)),
)
# llm-0 serves all the time; llm-1 dies at 50, starts at 55 and is ready at 65; llm-2 is a surge from 60 on, ready at 70
USES = (
    ReplicaUse("llm-0", 0.0, 0.0, 100.0),
    ReplicaUse("llm-1", 0.0, 0.0, 50.0),
    ReplicaUse("llm-1", 55.0, 65.0, 100.0),
    ReplicaUse("llm-2", 60.0, 70.0, 100.0),
)
HISTORY = FleetHistory(USES, ((0.0, 2),))
NOTHING: Mapping[str, range] = {}


class Samples:
    """A scrape a second of [-5, 105]: engines by name as (seconds they answered in, running, moving), the gateway's
    tokens a second, and those wasted from `wasted_from` on.
    """

    name = "a test"

    def __init__(
        self,
        *,
        frozen: Mapping[str, range] = NOTHING,
        stuck: Mapping[str, range] = NOTHING,
        wasted: int = 0,
        wasted_in: range = range(0, 100),
        replayed: int = 0,
        gateway: bool = True,
    ) -> None:
        seconds = range(-5, 106)
        self._series: list[Series] = [_series("up", {"job": "gateway"}, dict.fromkeys(seconds, 1.0))]
        for name in ("llm-0", "llm-1", "llm-2"):
            lives = [use for use in USES if use.replica == name]
            seen = [
                s
                for s in seconds
                if any(use.start - 5 <= s <= use.end + 5 for use in lives) and s not in frozen.get(name, ())
            ]
            moved = {s: float(sum(t not in stuck.get(name, ()) for t in range(-5, s + 1))) for s in seen}
            self._series.append(_series("vllm:num_requests_running", {"replica": name}, dict.fromkeys(seen, 1.0)))
            self._series.append(_series("vllm:generation_tokens_total", {"replica": name}, moved))
        if gateway:
            for kind, rate in (("prompt", 0), ("generation", 100)):
                told = {s: float(rate * (s + 5)) for s in seconds}
                self._series.append(_series("sre_gateway_tokens_total", {"kind": kind}, told))
            lost = {s: float(wasted * sum(t in wasted_in for t in range(-5, s))) for s in seconds}
            self._series.append(_series("sre_gateway_wasted_tokens_total", {}, lost))
            again = {s: float(replayed * (s + 5)) for s in seconds}
            self._series.append(_series("sre_gateway_replayed_tokens_total", {"kind": "prompt"}, again))

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        found = [one for one in self._series if series_filter(selector)(one.id)]
        inside = [(one, (one.times > start) & (one.times <= end)) for one in found]
        return [Series(one.id, one.times[kept], one.values[kept]) for one, kept in inside if kept.any()]


def _series(name: str, labels: dict[str, str], told: dict[int, float]) -> Series:
    identity = SeriesId(name, tuple(sorted(labels.items())))
    return Series(identity, np.array(list(told), dtype=np.float64), np.array(list(told.values()), dtype=np.float64))


def gpus(history: FleetHistory | None = HISTORY, samples: Samples | None = None) -> GpuUse:
    cost = cost_report(
        USES,
        price=PRICE,
        gpus_per_replica=1,
        start=0.0,
        end=100.0,
        tokens=10_000,
        good_tokens=9_000,
        wasted_tokens=500,
        incident_window=None,
    )
    return GpuUse(cost, USES, history, PRICE, samples or Samples(wasted=5))


def facts(
    *, failed: int = 3, rejected: int = 5, slow: int = 4, start: float = 50.0, end: float = 80.0
) -> IncidentFacts:
    return IncidentFacts(
        id="INC-0001",
        title="a crash",
        start=start,
        end=end,
        failed=measured(Decimal(failed), "failed requests", "requests.jsonl"),
        rejected=measured(Decimal(rejected), "rejected requests", "requests.jsonl"),
        slow=measured(Decimal(slow), "slow requests", "requests.jsonl"),
        response=measured(Decimal(1), "h", "store"),
        gpu=gpu_lines(gpus(), start=start, end=end, counts_recovery=True),
        period=PeriodAvailability(Decimal(10_000), Decimal(15), "measured", "Prometheus"),
    )


def amounts(found: CostSum) -> dict[str, Decimal | None]:
    return {line.name: line.amount for line in found.lines}


def test_a_hand_computed_incident() -> None:
    found = incident_cost(facts(), FINANCE)
    assert amounts(found) == {
        "failed requests": Decimal("0.06"),  # 3 x 0.02
        "rejected requests": Decimal("0.10"),  # 5 x 0.02
        "slow requests": Decimal("0.040"),  # 4 x 0.02 x half
        "SLA credits": Decimal(100),  # 99.85 % with it, 99.93 % without: 10 % of 1000
        NOT_SERVING: Decimal("0.020"),  # llm-1 55..65 and llm-2 60..70: 20 s x 0.001
        RECOVERY: Decimal(
            "0.00950"
        ),  # three ready, two wanted from 70 to 80: 10 s x 0.001, less the 5 % that is wasted
        STALLED: Decimal(0),
        UNSEEN: Decimal(0),
        WASTED: Decimal("0.00275"),  # 5 of 100 tokens a second x 30 + 15 + 10 busy s x 0.001
        RECOMPUTED: Decimal(0),
        "labour: SRE, response": Decimal(200),  # 2 x 1 h x 100, measured hours before assumed ones
        "labour: SRE, follow-up": Decimal(600),  # 2 x 3 h x 100
        "labour: Finance, follow-up": Decimal("40.0"),
    }
    assert found.total == Decimal("940.23225")
    assert found.part(is_billed=True) == Decimal("0.03225")
    assert found.part(is_billed=False) == Decimal("940.2")


def test_bounds_of_inputs_become_bounds_of_the_total() -> None:
    found = incident_cost(facts(), FINANCE)
    assert found.lines[0].low == Decimal("0.03")
    assert found.lines[0].high == Decimal("0.12")
    assert found.bounds == (Decimal("940.13225"), Decimal("940.43225"))


def test_the_billed_parts_of_an_incident_are_never_more_than_the_bill() -> None:
    use = gpus(samples=Samples(wasted=100))
    lines = gpu_lines(use, start=0.0, end=100.0, counts_recovery=True)
    assert sum(line.amount or 0 for line in lines) <= use.cost.total
    assert next(line for line in lines if line.name == RECOVERY).amount == 0  # every token was wasted: counted there


def test_without_finance_only_what_is_billed_can_be_told() -> None:
    found = incident_cost(facts(), no_finance("USD"))
    assert [line.name for line in found.lines if line.amount is not None] == [
        NOT_SERVING,
        STALLED,
        UNSEEN,
        RECOVERY,
        WASTED,
        RECOMPUTED,
    ]
    assert all(line.reason for line in found.unknown)
    assert found.lines[0].reason == "finance.yaml has no good_request"


def test_no_failed_request_costs_0_also_where_nobody_said_what_one_is_worth() -> None:
    assert lost_lines(facts(failed=0), no_finance("USD"))[0].amount == 0


def test_requests_nobody_counted_are_unknown_with_the_reason() -> None:
    lost = replace(facts(), failed=Measure(None, "requests", "store", "no requests were recorded"))
    found = incident_cost(lost, FINANCE)
    assert (found.lines[0].amount, found.lines[0].reason) == (None, "no requests were recorded")


def test_a_month_above_every_threshold_costs_no_credits_because_it_was_measured() -> None:
    good = replace(facts(), period=PeriodAvailability(Decimal(100_000), Decimal(15), "measured", "Prometheus"))
    line = next(line for line in incident_cost(good, FINANCE).lines if line.name == "SLA credits")
    assert (line.amount, line.basis) == (0, "assumed")  # the fee is assumed


def test_credits_are_unknown_while_the_month_was_not_measured_or_only_in_part() -> None:
    for period, reason in (
        (None, "the availability of the contract's month was not measured"),
        (
            PeriodAvailability(Decimal(10), Decimal(9), "measured", "Prometheus", Decimal("0.5")),
            "only 50.00% of the period was observed: the availability of the rest is unknown",
        ),
        (
            PeriodAvailability(Decimal(10_000), Decimal(2), "measured", "Prometheus"),
            "the month counts 2 failures, the incident alone 8",
        ),
    ):
        found = incident_cost(replace(facts(), period=period), FINANCE)
        line = next(line for line in found.lines if line.name == "SLA credits")
        assert (line.amount, line.reason) == (None, reason)


def test_an_incident_in_a_month_that_was_lost_already_adds_no_credit() -> None:
    lost = replace(facts(), period=PeriodAvailability(Decimal(10_000), Decimal(60), "measured", "Prometheus"))
    line = next(line for line in incident_cost(lost, FINANCE).lines if line.name == "SLA credits")
    assert line.amount == 0  # 99.40 % with it, 99.48 % without: 10 % either way


def test_assumed_hours_stand_in_where_nobody_acknowledged() -> None:
    unattended = replace(facts(), response=Measure(None, "h", "store", "nobody acknowledged it"))
    found = {line.name: line for line in incident_cost(unattended, FINANCE).lines}
    assert found["labour: SRE, response"].amount == 300  # 2 x 1.5 h x 100


def test_a_gateway_that_is_gone_cuts_off_the_wanted_replicas_and_no_others() -> None:
    history = FleetHistory(USES, ((0.0, 2),), cut_off=((70.0, 80.0),))
    lines = {line.name: line.amount for line in gpu_lines(gpus(history), start=50.0, end=90.0, counts_recovery=True)}
    # two of the three ready replicas for 10 s, less the 5 % of serving time that went into wasted tokens
    assert lines[CUT_OFF] == Decimal("0.019")


def lines_of(samples: Samples, start: float = 0.0, end: float = 100.0) -> dict[str, CostLine]:
    found = gpu_lines(gpus(samples=samples), start=start, end=end, counts_recovery=True)
    return {line.name: line for line in found}


def test_tokens_wasted_outside_the_incident_are_none_of_its_cost() -> None:
    late = Samples(wasted=50, wasted_in=range(90, 100))
    assert lines_of(late, 10.0, 40.0)[WASTED].amount == 0
    assert lines_of(late, 90.0, 100.0)[WASTED].amount == Decimal("0.015")  # half the work of 3 replicas for 10 s


def test_the_time_of_a_frozen_engine_is_in_the_incident_and_may_be_nothing() -> None:
    line = lines_of(Samples(frozen={"llm-0": range(20, 31)}), 15.0, 40.0)[UNSEEN]
    assert line.amount == Decimal("0.012")  # from the last answer at 19 to the next at 31: 12 s x 0.001
    assert (line.low, line.high) == (0, line.amount)


def test_an_engine_that_answers_and_makes_no_token_is_stalled_and_not_unseen() -> None:
    lines = lines_of(Samples(stuck={"llm-0": range(20, 31)}), 15.0, 40.0)
    assert lines[STALLED].amount == Decimal("0.010")
    assert lines[UNSEEN].amount == 0


def test_without_samples_the_layers_are_unknown_and_never_those_of_the_whole_drill() -> None:
    bare = gpu_lines(replace(gpus(), samples=None), start=50.0, end=80.0, counts_recovery=True)
    unknown = {line.name: line.reason for line in bare if line.amount is None}
    assert unknown == dict.fromkeys(
        (STALLED, UNSEEN, WASTED, RECOMPUTED), "there are no samples of the drill (samples.jsonl)"
    )


def test_a_window_with_fewer_than_two_scrapes_tells_nothing_of_layers() -> None:
    for end in (20.5, 21.4, 20.2):  # the last ends as it begins
        line = lines_of(Samples(), 20.2, end)[WASTED]
        assert line.amount is None
        assert line.reason == f"the incident's {end - 20.2:.1f} s hold fewer than 2 scrapes"


def test_without_the_gateways_counters_frozen_time_is_still_told() -> None:
    lines = lines_of(Samples(frozen={"llm-0": range(20, 31)}, gateway=False), 15.0, 40.0)
    assert lines[UNSEEN].amount == Decimal("0.012")
    assert lines[WASTED].reason == "nobody counted the tokens (sre_gateway_tokens_total)"


spans = st.tuples(st.integers(0, 100), st.integers(0, 40)).map(lambda s: range(s[0], s[0] + s[1]))


@given(
    st.builds(
        Samples,
        frozen=st.dictionaries(st.sampled_from(["llm-0", "llm-1", "llm-2"]), spans),
        stuck=st.dictionaries(st.sampled_from(["llm-0", "llm-1", "llm-2"]), spans),
        wasted=st.integers(0, 300),
        replayed=st.integers(0, 300),
    ),
    spans,
    spans,
)
def test_no_replica_second_is_in_two_lines(samples: Samples, window: range, gone: range) -> None:
    start, end = float(window.start), float(window.stop)
    history = FleetHistory(USES, ((0.0, 2),), cut_off=((float(gone.start), float(gone.stop)),))
    use = gpus(history, samples)
    lines = gpu_lines(use, start=start, end=end, counts_recovery=True)
    paid = Decimal(replica_time(USES, start=start, end=end).billed_us) / 1_000_000 * Decimal("0.001")
    assert all(line.amount is None or line.amount >= 0 for line in lines)
    assert sum(line.amount or 0 for line in lines) <= paid + Decimal("1e-12")


def test_another_price_is_another_bill_for_every_line() -> None:
    dear = replace(
        gpus(samples=Samples(wasted=5, replayed=10)), price=replace(PRICE, per_gpu_hour=PRICE.per_gpu_hour * 3)
    )
    for one, three in zip(
        gpu_lines(gpus(samples=Samples(wasted=5, replayed=10)), start=0.0, end=100.0, counts_recovery=True),
        gpu_lines(dear, start=0.0, end=100.0, counts_recovery=True),
        strict=True,
    ):
        assert one.amount is not None
        assert three.amount is not None
        assert abs(three.amount - 3 * one.amount) < Decimal("1e-12")


def test_recovery_capacity_is_left_out_where_the_policy_does_not_count_it() -> None:
    lines = gpu_lines(gpus(), start=0.0, end=100.0, counts_recovery=False)
    assert RECOVERY not in [line.name for line in lines]


def test_without_the_supervisors_events_recovery_capacity_is_unknown() -> None:
    lines = {line.name: line for line in gpu_lines(gpus(None), start=0.0, end=100.0, counts_recovery=True)}
    assert (lines[RECOVERY].amount, bool(lines[RECOVERY].reason)) == (None, True)


def test_a_drill_of_generated_traffic_loses_no_customer_anything() -> None:
    found = drill_cost(facts(), gpus(), FINANCE, title="a drill", is_emulated=True)
    assert amounts(found) == {
        "GPUs of the drill": Decimal("0.235"),  # 235 billed s x 0.001
        "labour: SRE, drill": Decimal(400),  # 2 x 2 h x 100
        "lost requests of customers": Decimal(0),
    }
    assert "nobody sends this bill" in found.notes[0]


def test_a_drill_on_customers_traffic_costs_their_requests() -> None:
    real = replace(FINANCE, drill=DrillPolicy("customers", ()))
    found = amounts(drill_cost(facts(), gpus(), real, title="a drill", is_emulated=False))
    assert found["failed requests"] == Decimal("0.06")
    assert found["labour: drill"] is None


ended = st.lists(
    st.builds(
        Answer,
        ended_at=st.floats(0, 100),
        outcome=st.sampled_from(["ok", "error", "truncated", "rejected", "timeout", "cancelled", "invalid"]),
        ttft_s=st.none() | st.floats(0, 3),
        mean_gap_s=st.none() | st.floats(0, 0.1),
    ),
    max_size=40,
)


@given(ended, st.floats(0, 100))
def test_lost_requests_add_up_over_windows_that_follow_each_other(found: list[Answer], split: float) -> None:
    def lost(start: float, end: float) -> tuple[int, ...]:
        one = lost_requests(answers(found), LIMITS, start=start, end=end)
        return one.total, one.failed, one.rejected, one.slow, one.good

    parts = [a + b for a, b in zip(lost(0.0, split), lost(split, 100.0), strict=True)]
    assert tuple(parts) == lost(0.0, 100.0)


@given(ended)
def test_a_request_is_lost_in_one_way_at_most(found: list[Answer]) -> None:
    lost = lost_requests(answers(found), LIMITS, start=-1.0, end=100.0)
    assert lost.failed + lost.rejected + lost.slow + lost.good <= lost.total


@given(st.integers(0, 100))
def test_billed_time_adds_up_over_windows_that_follow_each_other(split: int) -> None:
    def known(start: float, end: float) -> Decimal:
        use = gpus(samples=Samples())
        lines = gpu_lines(use, start=start, end=end, counts_recovery=True)
        return sum((line.amount or Decimal(0) for line in lines), Decimal(0))

    assert abs(known(0.0, split) + known(split, 100.0) - known(0.0, 100.0)) < Decimal("1e-9")


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 50))
def test_more_failed_requests_never_cost_less(failed: int, more: int, rejected: int) -> None:
    def total(count: int) -> Decimal | None:
        month = PeriodAvailability(Decimal(10_000), Decimal(7 + count + rejected), "measured", "Prometheus")
        return incident_cost(replace(facts(failed=count, rejected=rejected), period=month), FINANCE).total

    few, many = total(failed), total(failed + more)
    assert few is not None
    assert many is not None
    assert few < many


def test_the_total_is_the_sum_of_the_known_lines() -> None:
    found = incident_cost(replace(facts(), period=None), FINANCE)
    assert found.total == sum(line.amount for line in found.lines if line.amount is not None)
    assert [line.name for line in found.unknown] == ["SLA credits"]
