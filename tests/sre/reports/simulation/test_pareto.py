"""The front of a sweep, the cheapest that meets the target, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.cost.prices import shipped_prices
from sre.errors import BadDocument
from sre.platforms.simulation import Knob, Simulation, Sweep, SweepPoint
from sre.reports.simulation.pareto import SweepReport, front_of, judge_sweep, price_in
from sre.reports.simulation.sweep_file import is_sweep_file, knob_of, read_sweep
from sre.reports.simulation.sweep_page import page, write_sweep
from sre.reports.simulation.sweep_tables import missing_table, points_table, sweep_json, verdict_of

PAIRS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=12)


def dominates(a: tuple[Decimal, float], b: tuple[Decimal, float]) -> bool:
    return a[0] <= b[0] and a[1] >= b[1] and a != b


@given(PAIRS)
def test_nobody_on_the_front_is_dominated_and_everybody_else_is_dominated_or_a_twin(
    pairs: list[tuple[int, int]],
) -> None:
    points = [(Decimal(cost), share / 9) for cost, share in pairs]
    front = front_of([(*pair, 0.0) for pair in points])

    for number, point in enumerate(points):
        beaten = any(dominates(other, point) for other in points)
        assert (number in front) <= (not beaten)
        if number not in front:
            assert beaten or point in [points[one] for one in front]


def test_points_without_cost_or_goodness_are_no_candidates() -> None:
    assert front_of([(None, 1.0, 0.0), (Decimal(1), None, 0.0), (Decimal(2), 0.5, 0.0)]) == {2}


def test_of_equals_the_one_with_earlier_first_tokens_stays() -> None:
    assert front_of([(Decimal(1), 0.9, 0.5), (Decimal(1), 0.9, 0.2), (Decimal(1), 0.9, 0.2)]) == {1}


def point(simulation: Simulation, replicas: int, share: float, *, fidelity: float = 1.0) -> SweepPoint:
    """A point whose fleet is `replicas` large and of whose requests `share` were good."""
    summary = simulation.summary
    good = round(summary.overall.counted * share)
    overall = replace(summary.overall, good=good, good_tokens=good * 100)
    time = tuple(replace(one, replica_s=100.0 * replicas, starting_s=0.0, vacant_s=0.0) for one in summary.gpu_time)
    settings = (("replicas", str(replicas)),)
    return SweepPoint(settings, "simulated", replace(summary, overall=overall, gpu_time=time), "", fidelity)


def judged(points: Sequence[SweepPoint], target: float = 0.9) -> SweepReport:
    sweep = Sweep(
        title="t",
        workload="w",
        knobs=(Knob("replicas", tuple(dict(one.settings)["replicas"] for one in points)),),
        search="grid",
        target=target,
        seed=1,
        ttft_threshold_s=1.0,
        tpot_threshold_s=0.05,
        points=tuple(points),
        resumed=0,
        grid_size=len(points),
        profiles=(),
    )
    return judge_sweep(sweep, shipped_prices())


@pytest.fixture
def report(simulation: Simulation) -> SweepReport:
    failed = SweepPoint((("replicas", "9"),), "failed", None, "does not fit")
    left = point(simulation, 5, 0.99, fidelity=0.25)
    tried = [point(simulation, 1, 0.5), point(simulation, 2, 0.95), point(simulation, 4, 0.95)]
    return judged([*tried, left, failed])


def test_the_cheapest_that_meets_the_target_is_named_with_its_margin(report: SweepReport) -> None:
    assert report.cheapest is not None
    assert report.cheapest.point.name == "replicas=2"
    assert report.margin == pytest.approx(0.05, abs=0.001)
    assert "replicas=2" in verdict_of(report)
    assert "margin 5.0" in verdict_of(report)


def test_failures_are_kept_with_their_reason(report: SweepReport) -> None:
    reasons = [one.reason for one in report.points]

    assert reasons[0].startswith("misses the target: 50")
    assert reasons[1:3] == ["", ""]
    assert "left by the search after 25%" in reasons[3]
    assert reasons[4] == "does not fit"
    assert [row.cells[-1] for row in missing_table(report).rows] == reasons[3:]


def test_the_front_is_marked_and_the_rest_is_faint(report: SweepReport) -> None:
    rows = points_table(report).rows

    assert [one.point.name for one in report.front] == ["replicas=2"] or len(report.front) == 2
    assert all((row.cells[0] == "*") == (row.tone == "") for row in rows)
    assert sum(row.cells[-1] == "cheapest that meets the target" for row in rows) == 1


def test_when_none_meets_the_target_the_closest_is_named(simulation: Simulation) -> None:
    report = judged([point(simulation, 1, 0.5), point(simulation, 2, 0.8)])

    assert report.cheapest is None
    assert report.margin is None
    assert "none of 2 configurations meets 90 %" in verdict_of(report)
    assert "replicas=2 comes closest" in verdict_of(report)
    assert page(report).tone == "bad"


def test_a_sweep_in_which_nothing_could_be_played_has_a_page(simulation: Simulation) -> None:
    report = judged([SweepPoint((("replicas", "1"),), "failed", None, "does not fit")])

    assert page(report).charts == ()
    assert "none of 1 configuration meets" in verdict_of(report)


def test_page_and_result_are_the_same_again_and_say_simulated(report: SweepReport, tmp_path: Path) -> None:
    for name in ("one", "other"):
        write_sweep(report, tmp_path / name)

    for name in ("sweep.html", "result.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()
    assert "Simulated: target met" in (tmp_path / "one" / "sweep.html").read_text()
    assert sweep_json(report)["simulated"] is True


def test_a_search_is_told_the_price_of_a_good_token(simulation: Simulation) -> None:
    assert (price_in(shipped_prices(), simulation.summary) or 0) > 0
    assert price_in((), simulation.summary) is None


def test_a_sweep_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("groups: []\n")
    path = tmp_path / "sweep.yaml"
    path.write_text("scenario: s.yaml\nvary: {replicas: [1, 2], routing: [affinity]}\nsearch: random\ntrials: 3\n")

    found = read_sweep(path)

    assert found.scenario == tmp_path / "s.yaml"
    assert found.knobs == (Knob("replicas", ("1", "2")), Knob("routing", ("affinity",)))
    assert (found.search, found.trials, found.target) == ("random", 3, None)
    assert is_sweep_file(path)
    assert not is_sweep_file(tmp_path / "s.yaml")


def test_every_fault_of_a_sweep_file_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "sweep.yaml"
    path.write_text("scenario: none.yaml\nvary: {replicas: 3}\nsearch: luck\ntrials: 0\ntarget: 2\ncolour: red\n")

    with pytest.raises(BadDocument) as refused:
        read_sweep(path)

    assert sorted(fault.split(":")[1] for fault in refused.value.faults) == ["1", "2", "3", "4", "5", "6"]


def test_a_knob_of_the_command_line() -> None:
    assert knob_of("replicas=1, 2") == Knob("replicas", ("1", "2"))
    with pytest.raises(BadDocument, match="write NAME=VALUE"):
        knob_of("replicas")
