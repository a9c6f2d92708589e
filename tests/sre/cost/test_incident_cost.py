"""An incident in money: hand-computed, additive over windows, nothing twice, unknown never 0."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from sre.cost.allocation import cost_report
from sre.cost.credits import PeriodAvailability
from sre.cost.drill import drill_cost
from sre.cost.finance import CreditStep, DrillPolicy, DrillTeam, Finance, Role, ServiceCredits, no_finance
from sre.cost.fleet_history import FleetHistory
from sre.cost.incident import IncidentFacts, incident_cost, lost_lines
from sre.cost.incident_gpus import CUT_OFF, NOT_SERVING, RECOMPUTED, RECOVERY, STALLED, WASTED, GpuUse, gpu_lines
from sre.cost.lost_requests import Answer, Limits, answers, lost_requests
from sre.cost.measured import Measure, measured
from sre.cost.model import CostLayers, LayerPart, Price, ReplicaUse
from sre.cost.provenance import CostSum, Input

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


def gpus(history: FleetHistory | None = HISTORY, wasted: int | None = 500) -> GpuUse:
    cost = cost_report(
        USES,
        price=PRICE,
        gpus_per_replica=1,
        start=0.0,
        end=100.0,
        tokens=10_000,
        good_tokens=9_000,
        wasted_tokens=wasted,
        incident_window=None,
    )
    return GpuUse(cost, USES, history, PRICE)


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
        WASTED: Decimal("0.01075"),  # 500 of 10,000 tokens x 215 serving s x 0.001
        "labour: SRE, response": Decimal(200),  # 2 x 1 h x 100, measured hours before assumed ones
        "labour: SRE, follow-up": Decimal(600),  # 2 x 3 h x 100
        "labour: Finance, follow-up": Decimal("40.0"),
    }
    assert found.total == Decimal("940.24025")
    assert found.part(is_billed=True) == Decimal("0.04025")
    assert found.part(is_billed=False) == Decimal("940.2")


def test_bounds_of_inputs_become_bounds_of_the_total() -> None:
    found = incident_cost(facts(), FINANCE)
    assert found.lines[0].low == Decimal("0.03")
    assert found.lines[0].high == Decimal("0.12")
    assert found.bounds == (Decimal("940.14025"), Decimal("940.44025"))


def test_the_billed_parts_of_an_incident_are_never_more_than_the_bill() -> None:
    use = gpus(wasted=10_000)
    lines = gpu_lines(use, start=0.0, end=100.0, counts_recovery=True)
    assert sum(line.amount or 0 for line in lines) <= use.cost.total
    assert next(line for line in lines if line.name == RECOVERY).amount == 0  # every token was wasted: counted there


def test_without_finance_only_what_is_billed_can_be_told() -> None:
    found = incident_cost(facts(), no_finance("USD"))
    assert [line.name for line in found.lines if line.amount is not None] == [NOT_SERVING, RECOVERY, WASTED]
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


def layered(use: GpuUse) -> GpuUse:
    """The same bill in layers: of 0.235 USD 0.03 failed, 0.02 recomputed, 0.01 stalled."""
    parts = (
        LayerPart("used", "good", Decimal("0.130"), None, ""),
        LayerPart("wasted", "failed", Decimal("0.030"), None, "tokens of failed requests"),
        LayerPart("wasted", "recomputed", Decimal("0.020"), None, "tokens computed again"),
        LayerPart("idle", "not serving", Decimal("0.020"), 20.0, ""),
        LayerPart("idle", "stalled", Decimal("0.010"), 10.0, "work waits"),
        LayerPart("idle", "vacant", Decimal("0.025"), 25.0, ""),
    )
    totals = [Decimal(text) for text in ("0.130", "0.050", "0.055", "0", "0.235")]
    layers = CostLayers("USD", *totals, parts=parts, units=(), busy_share=None)
    return replace(use, cost=replace(use.cost, layers=layers))


def test_layers_take_the_place_of_counted_tokens_and_nothing_is_in_two_lines() -> None:
    lines = {line.name: line for line in gpu_lines(layered(gpus()), start=0.0, end=100.0, counts_recovery=True)}
    assert {name: line.amount for name, line in lines.items() if name != RECOVERY} == {
        NOT_SERVING: Decimal("0.02"),
        STALLED: Decimal("0.010"),
        WASTED: Decimal("0.030"),
        RECOMPUTED: Decimal("0.020"),
    }
    counted = Decimal("0.06") / Decimal("0.215")  # of the serving time's bill
    assert lines[RECOVERY].amount is not None
    assert abs(lines[RECOVERY].amount - Decimal("0.03") * (1 - counted)) < Decimal(
        "1e-12"
    )  # three ready from 70 to 100
    assert sum(line.amount or 0 for line in lines.values()) <= Decimal("0.235")


def test_another_price_is_another_bill_for_every_line() -> None:
    dear = replace(layered(gpus()), price=replace(PRICE, per_gpu_hour=PRICE.per_gpu_hour * 3))
    for one, three in zip(
        gpu_lines(layered(gpus()), start=0.0, end=100.0, counts_recovery=True),
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
        use = gpus(wasted=0)
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
