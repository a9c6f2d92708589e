"""The bill in layers: parts that add up exactly, whatever happened, however it is split."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.cost import GENERATION_WEIGHT
from sre.cost.activity import Slot, State
from sre.cost.allocation import cost_report
from sre.cost.layer_time import LayerTime, layer_time, total_time
from sre.cost.layers import SharedPrice, layers_of
from sre.cost.model import CostLayers, Price, ReplicaUse
from sre.cost.rounding import CENT, MOST_EXACT, apportioned, total
from sre.cost.shares import MULTIPLIER, shares_of
from sre.cost.work import Work
from sre.errors import NoData
from sre.incidents.codec import decode, encode

PRICE = Price("p", "H100-80GB", Decimal("4.916"), "USD", None, "a contract")
WORK = Work(
    prompt_tokens=10_000,
    generation_tokens=4_000,
    good_tokens=3_000,
    wasted_tokens=500,
    replayed_tokens=250,
    requests=40,
    good_requests=30,
    prefix_queries=10_000,
    prefix_hits=2_500,
)
LIFE = ReplicaUse("llm-0", 0.0, 10.0, 110.0)
SLOTS = (
    Slot("llm-0", 5.0, 60.0, "busy"),
    Slot("llm-0", 60.0, 70.0, "stalled"),
    Slot("llm-0", 70.0, 100.0, "vacant"),
)


def layered(
    uses: tuple[ReplicaUse, ...] = (LIFE,), slots: tuple[Slot, ...] = SLOTS, work: Work = WORK, **more: object
) -> CostLayers:
    asked = {"price": PRICE, "gpus_per_replica": 1, "start": 0.0, "end": 110.0, **more}
    return layers_of(uses, slots, work, **asked)  # type: ignore[arg-type]


seconds = st.floats(min_value=0, max_value=100_000, allow_nan=False).map(lambda s: round(s, 6))
states = st.sampled_from(("busy", "stalled", "vacant"))


@st.composite
def lives(draw: st.DrawFn) -> ReplicaUse:
    born, ready, died = sorted(draw(st.tuples(seconds, seconds, seconds)))
    return ReplicaUse(f"llm-{draw(st.integers(0, 3))}", born, draw(st.sampled_from((ready, None))), died)


@st.composite
def histories(draw: st.DrawFn) -> tuple[tuple[ReplicaUse, ...], tuple[Slot, ...]]:
    """Lives of up to four replicas, and slots of each that do not overlap."""
    slots = []
    for index in range(draw(st.integers(1, 4))):
        edges = sorted(draw(st.lists(seconds, min_size=2, max_size=8, unique=True)))
        chosen: list[State] = [draw(states) for _ in edges[1:]]
        slots += [Slot(f"llm-{index}", a, b, s) for a, b, s in zip(edges, edges[1:], chosen, strict=False)]
    return tuple(draw(st.lists(lives(), min_size=1, max_size=5))), tuple(slots)


@st.composite
def works(draw: st.DrawFn) -> Work:
    counts = st.integers(0, 10**7)
    times = st.one_of(st.none(), st.floats(min_value=0.001, max_value=1e6))
    return Work(*(draw(counts) for _ in range(9)), draw(times), draw(times))


prices = st.decimals(min_value="0.0001", max_value="999", places=4)


@given(histories(), works(), prices, st.integers(1, 8), st.one_of(st.none(), prices))
def test_used_wasted_idle_and_shared_are_the_bill_exactly(
    history: tuple[tuple[ReplicaUse, ...], tuple[Slot, ...]],
    work: Work,
    per_hour: Decimal,
    gpus: int,
    shared: Decimal | None,
) -> None:
    uses, slots = history
    if total_time(layer_time(use, slots, start=0.0, end=100_000.0) for use in uses).billed_us == 0:
        return
    found = layers_of(
        uses,
        slots,
        work,
        price=replace(PRICE, per_gpu_hour=per_hour),
        gpus_per_replica=gpus,
        start=0.0,
        end=100_000.0,
        shared=None if shared is None else SharedPrice(shared, "a bill"),
    )
    assert total((found.used, found.wasted, found.idle, found.shared)) == found.bill
    assert total(part.amount for part in found.parts) == found.bill
    assert all(part.amount >= 0 for part in found.parts)
    report = cost_report(
        uses,
        price=replace(PRICE, per_gpu_hour=per_hour),
        gpus_per_replica=gpus,
        start=0.0,
        end=100_000.0,
        tokens=None,
        good_tokens=None,
        wasted_tokens=None,
        incident_window=None,
    )
    assert abs(found.bill - found.shared - report.total) <= MOST_EXACT * 2


@given(histories(), seconds)
def test_time_is_additive_over_a_split_to_the_microsecond(
    history: tuple[tuple[ReplicaUse, ...], tuple[Slot, ...]], cut: float
) -> None:
    uses, slots = history
    for use in uses:
        whole = layer_time(use, slots, start=0.0, end=100_000.0)
        first, second = (layer_time(use, slots, start=a, end=b) for a, b in ((0.0, cut), (cut, 100_000.0)))
        assert first + second == whole


@given(histories())
def test_time_is_additive_over_replicas_and_never_negative(
    history: tuple[tuple[ReplicaUse, ...], tuple[Slot, ...]],
) -> None:
    uses, slots = history
    each = [layer_time(use, slots, start=0.0, end=100_000.0) for use in uses]
    for use, time in zip(uses, each, strict=True):
        assert time == layer_time(use, [s for s in slots if s.replica == use.replica], start=0.0, end=100_000.0)
        assert min(time.not_serving_us, time.busy_us, time.stalled_us, time.vacant_us, time.unseen_us) >= 0
        assert abs(time.billed_us - (use.end - use.start) * 1e6) <= 2
    assert total_time(each).billed_us == sum(time.billed_us for time in each)


@given(works())
def test_shares_of_the_busy_time_add_up_to_all_of_it(work: Work) -> None:
    shares = shares_of(work)
    assert shares is not None
    parts = (shares.good, shares.late, shares.failed, shares.recomputed)
    assert sum(parts) == 1
    assert all(part >= 0 for part in parts)
    assert shares.prompt + shares.generation == 1


@given(st.lists(st.decimals(min_value=0, max_value=1000, places=12), min_size=4, max_size=4))
def test_shown_in_cents_the_layers_still_add_up(amounts: list[Decimal]) -> None:
    shown = apportioned(amounts, CENT)
    assert sum(shown) == sum(amounts).quantize(CENT)


def test_each_part_is_the_time_it_says() -> None:
    found = layered()
    spans = {part.name: part.replica_s for part in found.parts if part.replica_s is not None}
    assert spans["not serving"] == 10.0
    assert spans["stalled"] == 10.0
    assert spans["vacant"] == 30.0
    assert spans["unseen"] == 10.0, "100 to 110: served, and no slot says what it did"
    busy = spans["good"] + spans["late"] + spans["failed"] + spans["recomputed"]
    assert busy == pytest.approx(50.0)
    assert found.busy_share == pytest.approx(50 / 110)
    assert found.bill == (Decimal("4.916") * 110 / 3600).quantize(MOST_EXACT)
    assert "10.0 replica-s served unseen" in " ".join(found.notes)


def test_used_and_wasted_follow_the_tokens() -> None:
    """Work: 10,000 prompt + 250 replayed + 2.5 x 4,000 generated = 20,250 prompt tokens' worth."""
    shares = shares_of(WORK)
    assert shares is not None
    assert shares.recomputed == Fraction(250, 20_250)
    delivered = 1 - shares.recomputed
    assert shares.failed == delivered * Fraction(500, 4_000)
    assert shares.late == delivered * Fraction(500, 4_000)
    assert shares.good == delivered * Fraction(3_000, 4_000)
    assert shares.generation == Fraction(10_000, 20_250)
    assert shares.method == "multiplier"


def test_measured_prefill_and_decode_times_replace_the_multiplier() -> None:
    """2 s of prefill for 10,000 tokens and 8 s of decode for 4,000: a generated token takes ten times as long."""
    shares = shares_of(replace(WORK, replayed_tokens=0, prefill_s=2.0, decode_s=8.0))
    assert shares is not None
    assert shares.method == "compute_time"
    assert shares.generation == Fraction(8, 10)


def test_busy_time_that_generated_nothing_was_wasted() -> None:
    shares = shares_of(Work(prompt_tokens=0, generation_tokens=0, good_tokens=0, wasted_tokens=0))
    assert shares is not None
    assert (shares.failed, shares.good) == (1, 0)


def test_unit_costs_divide_the_bill_or_what_was_busy() -> None:
    found = layered()
    blended, usage = found.unit("million tokens"), found.unit("million tokens", basis="usage")
    assert blended.amount is not None
    assert usage.amount is not None
    assert blended.amount == pytest.approx(found.bill * 1_000_000 / 14_000)
    assert usage.amount == pytest.approx((found.used + found.wasted) * 1_000_000 / 14_000)
    assert found.unit("million good tokens").amount == pytest.approx(found.bill * 1_000_000 / 3_000)
    assert found.unit("request").amount == pytest.approx(found.bill / 40)
    assert found.unit("good request").amount == pytest.approx(found.bill / 30)


def test_the_phases_of_a_basis_cost_what_the_basis_does() -> None:
    found = layered()
    for basis, amount in (("allocation", found.bill), ("usage", found.used + found.wasted)):
        prompt = found.unit("million tokens", basis=basis, phase="prompt").amount  # type: ignore[arg-type]
        generation = found.unit("million tokens", basis=basis, phase="generation").amount  # type: ignore[arg-type]
        assert prompt is not None
        assert generation is not None
        assert (prompt * 10_000 + generation * 4_000) / 1_000_000 == pytest.approx(amount)


def test_a_unit_nobody_counted_is_unknown_with_the_reason() -> None:
    found = layered(work=replace(WORK, requests=None, good_requests=0))
    assert found.unit("request").amount is None
    assert found.unit("request").reason == "nobody counted them"
    assert found.unit("good request").reason == "there were none"


def test_what_runs_beside_the_gpus_is_paid_by_the_hour() -> None:
    found = layered(shared=SharedPrice(Decimal("0.36"), "the gateway's machine"))
    assert found.shared == Decimal("0.36") * 110 / 3600
    assert found.bill == layered().bill + found.shared
    assert "0.36 an hour, the gateway's machine" in " ".join(found.notes)
    assert "GPUs alone" in " ".join(layered().notes)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"slots": ()}, "no sample shows what the replicas did"),
        ({"uses": ()}, "no replica was paid for"),
        ({"work": Work(None, None, None, None)}, "nobody counted the tokens"),
    ],
)
def test_what_is_not_known_is_said_and_not_zero(more: dict[str, object], reason: str) -> None:
    with pytest.raises(NoData, match=reason):
        layered(**more)  # type: ignore[arg-type]


def test_an_empty_interval_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no bill"):
        layered(start=5.0, end=5.0)


def test_the_cache_savings_are_the_engines_own() -> None:
    assert layered().cache_savings_fraction == 0.25
    assert layered(work=replace(WORK, prefix_queries=0)).cache_savings_fraction is None


def test_layers_survive_the_way_through_json() -> None:
    found = layered(shared=SharedPrice(Decimal("0.36"), "x"))
    assert decode(CostLayers, encode(found), "layers") == found


def test_a_layer_or_a_unit_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="used: tea"):
        layered().part("used", "tea")
    with pytest.raises(KeyError, match="cup of tea"):
        layered().unit("cup of tea")
    assert layered().part("idle", "vacant").replica_s == 30.0


def test_time_of_a_life_that_never_served_is_all_start_up() -> None:
    assert layer_time(ReplicaUse("llm-0", 0, None, 5), SLOTS, start=0, end=10) == LayerTime(not_serving_us=5_000_000)


def test_the_gateways_gauges_weigh_tokens_as_the_ledger_does() -> None:
    assert Fraction(GENERATION_WEIGHT) == MULTIPLIER
