"""The generator keeps what it states: rate, burstiness, quantiles; and a rescaled trace keeps its shape."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.loadgen.arrivals import gamma_arrivals, lognormal_lengths, rescale
from serving.loadgen.plan import LengthPlan
from serving.loadgen.workload import gap_cv

LONG_S = 20_000.0


@pytest.mark.parametrize("cv", [0.0, 0.5, 1.0, 2.0])
def test_rate_and_burstiness_are_as_stated(cv: float) -> None:
    times = gamma_arrivals(rate_rps=2.0, cv=cv, duration_s=LONG_S, seed=3)
    assert len(times) / LONG_S == pytest.approx(2.0, rel=0.03)
    assert gap_cv(times) == pytest.approx(cv, rel=0.05, abs=1e-6)


def test_poisson_counts_scatter_as_poisson() -> None:
    times = gamma_arrivals(rate_rps=4.0, cv=1.0, duration_s=LONG_S, seed=5)
    counts = [0] * int(LONG_S)
    for at in times:
        counts[int(at)] += 1
    mean = sum(counts) / len(counts)
    variance = sum((count - mean) ** 2 for count in counts) / len(counts)
    assert variance / mean == pytest.approx(1.0, rel=0.05)


def test_arrivals_lie_in_the_half_open_duration_in_order() -> None:
    times = gamma_arrivals(rate_rps=1.0, cv=0.0, duration_s=5.0, seed=1)
    assert times == (1.0, 2.0, 3.0, 4.0)


def test_the_seed_decides_everything() -> None:
    def draw(seed: int) -> tuple[float, ...]:
        return gamma_arrivals(rate_rps=5.0, cv=1.0, duration_s=20.0, seed=seed)

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


def test_lengths_have_the_stated_quantiles() -> None:
    plan = LengthPlan(median=400, sigma=0.7, min=1, max=100_000)
    ordered = sorted(lognormal_lengths(plan, n=20_000, seed=1, stream="prompt").tokens)
    assert ordered[10_000] == pytest.approx(400, rel=0.02)
    assert ordered[int(0.8413 * 20_000)] == pytest.approx(400 * math.exp(0.7), rel=0.03)  # one sigma up
    assert ordered[int(0.9772 * 20_000)] == pytest.approx(400 * math.exp(1.4), rel=0.05)  # two


def test_clipping_is_counted() -> None:
    plan = LengthPlan(median=100, sigma=0.5, min=100, max=150)
    lengths = lognormal_lengths(plan, n=2_000, seed=1, stream="output")
    assert min(lengths.tokens) == 100
    assert max(lengths.tokens) == 150
    inside = sum(100 < tokens < 150 for tokens in lengths.tokens)
    assert 2_000 - inside >= lengths.clipped > 1_000


def test_prompts_and_outputs_are_drawn_apart() -> None:
    plan = LengthPlan(median=400, sigma=0.7, min=16, max=2048)
    prompt = lognormal_lengths(plan, n=50, seed=1, stream="prompt")
    output = lognormal_lengths(plan, n=50, seed=1, stream="output")
    assert prompt.tokens != output.tokens
    assert lognormal_lengths(plan, n=80, seed=1, stream="prompt").tokens[:50] == prompt.tokens


def test_rescaling_gives_the_rate_over_the_used_span() -> None:
    times = [0.0, 1.0, 5.0, 6.0, 10.0, 100.0]
    scaled = rescale(times, rate_rps=2.0, n=4)  # four gaps, 10 s long, are to last 2 s
    assert scaled == pytest.approx((0.0, 0.2, 1.0, 1.2))


def test_a_trace_shorter_than_asked_keeps_the_rate() -> None:
    assert rescale([0.0, 3.0, 4.0], rate_rps=1.0, n=10) == pytest.approx((0.0, 1.5, 2.0))


def test_a_single_row_is_sent_at_once() -> None:
    assert rescale([0.0], rate_rps=1.0, n=10) == (0.0,)


def test_rows_of_one_instant_have_no_rate() -> None:
    with pytest.raises(ValueError, match="same timestamp"):
        rescale([0.0, 0.0, 0.0, 9.0], rate_rps=1.0, n=2)


@given(
    gaps=st.lists(st.floats(0.001, 100.0), min_size=1, max_size=40),
    rate_rps=st.floats(0.1, 50.0),
    n=st.integers(1, 60),
)
def test_rescaling_keeps_the_shape_and_meets_the_rate(gaps: list[float], rate_rps: float, n: int) -> None:
    times = [0.0]
    for gap in gaps:
        times.append(times[-1] + gap)
    scaled = rescale(times, rate_rps=rate_rps, n=n)
    used = min(n, len(gaps))
    factor = used / rate_rps / times[used]
    assert len(scaled) == min(n, len(times))
    assert scaled == pytest.approx([at * factor for at in times[: len(scaled)]])
    assert times[used] * factor * rate_rps == pytest.approx(used)


def test_a_burstiness_too_small_for_the_gamma_law_is_a_metronome() -> None:
    tiny = gamma_arrivals(rate_rps=2.0, cv=1e-200, duration_s=2.0, seed=1)
    assert tiny == gamma_arrivals(rate_rps=2.0, cv=0.0, duration_s=2.0, seed=1)
