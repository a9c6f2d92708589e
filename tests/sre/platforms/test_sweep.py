"""Sweeps: every configuration comes back whatever happened to it, in one order, whoever played it and however often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import EnvironmentLacks, SreError
from sre.platforms.local import sweep_executors
from sre.platforms.local.simulate import scenario_path
from sre.platforms.local.sweep import sweep
from sre.platforms.local.sweep_executors import Processes, executor_of
from sre.platforms.local.sweep_knobs import KNOBS, changed, drawn, grid, require_knobs, size
from sre.platforms.local.sweep_point import Task, play
from sre.platforms.local.sweep_store import POINTS, SPEC, PointStore
from sre.platforms.simulation import Knob, SimulationRequest, SimulationSummary, Sweep, SweepPoint, SweepRequest

BASE = SimulationRequest(profile="h100-llama3-8b-tp1", workload="chat", rate_rps=5, duration_s=20)
KNOBS_OF_TWO = (Knob("replicas", ("1", "2")), Knob("max_num_seqs", ("2", "64")))


def price(summary: SimulationSummary) -> float | None:
    return summary.gpu_time[0].replica_s / summary.overall.good_tokens if summary.overall.good_tokens else None


def swept(request: SweepRequest, told: Callable[[str], None] = lambda _: None) -> Sweep:
    return sweep(request, price=price, on_progress=told)


@pytest.fixture(scope="module")
def two_by_two() -> Sweep:
    return swept(SweepRequest(BASE, KNOBS_OF_TWO))


def test_a_grid_has_every_combination_in_order(two_by_two: Sweep) -> None:
    assert [point.name for point in two_by_two.points] == [
        "replicas=1 max_num_seqs=2",
        "replicas=1 max_num_seqs=64",
        "replicas=2 max_num_seqs=2",
        "replicas=2 max_num_seqs=64",
    ]
    assert all(point.summary is not None for point in two_by_two.points)


def test_processes_find_what_one_process_finds(two_by_two: Sweep) -> None:
    assert swept(SweepRequest(BASE, KNOBS_OF_TWO, jobs=2)).points == two_by_two.points


def test_what_cannot_be_is_a_point_with_its_reason() -> None:
    knobs = (Knob("profile", ("nothing", BASE.profile or "")), Knob("max_num_seqs", ("64", "4096")))

    points = swept(SweepRequest(BASE, knobs)).points

    assert [point.state for point in points] == ["failed", "failed", "simulated", "failed"]
    assert "unknown" in points[0].reason
    assert "exceeds max_num_batched_tokens" in points[3].reason


def test_a_bug_in_one_point_ends_no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("of the model")

    monkeypatch.setattr("sre.platforms.local.sweep_point._summary", broken)

    point = play(Task(BASE, (("replicas", "1"),), 20.0))

    assert point.reason == "crashed: ZeroDivisionError: of the model"


def test_a_process_that_dies_costs_its_own_point_only(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = [Task(BASE, (("replicas", str(n)),), 20.0) for n in (1, 2)]
    told: list[SweepPoint] = []

    def together(_: Processes, asked: Sequence[Task], hear: Callable[[SweepPoint], None]) -> list[Task]:
        if asked == [tasks[1]]:
            hear(SweepPoint(tasks[1].settings, "simulated", None))
            return []
        return list(asked)

    monkeypatch.setattr(Processes, "_together", together)
    Processes(2).run(tasks, told.append)

    assert [(point.settings[0][1], point.reason) for point in told] == [("1", sweep_executors.DIED), ("2", "")]


def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path: Path, two_by_two: Sweep) -> None:
    request = SweepRequest(BASE, KNOBS_OF_TWO, folder=tmp_path / "s")
    swept(request)
    whole = (tmp_path / "s" / POINTS).read_bytes()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "s" / POINTS).write_bytes(lines[2] + lines[0] + lines[3][:40])
    said: list[str] = []

    again = swept(request, said.append)

    assert again.points == two_by_two.points
    assert again.resumed == 2
    assert said[0].startswith("2 finished points")
    assert sum("of 4:" in line for line in said) == 2
    assert (tmp_path / "s" / POINTS).read_bytes() == whole


def test_a_folder_of_another_sweep_is_refused(tmp_path: Path) -> None:
    swept(SweepRequest(BASE, KNOBS_OF_TWO[:1], folder=tmp_path))
    with pytest.raises(SreError, match="holds another sweep"):
        swept(SweepRequest(replace(BASE, seed=2), KNOBS_OF_TWO[:1], folder=tmp_path))


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SreError, match="is not empty and no sweep"):
        swept(SweepRequest(BASE, KNOBS_OF_TWO, folder=tmp_path))
    assert not (tmp_path / SPEC).exists()


def test_two_sweeps_do_not_write_into_one_folder(tmp_path: Path) -> None:
    one, other = PointStore(tmp_path, {"a": 1}), PointStore(tmp_path, {"a": 1})
    with one:
        with pytest.raises(SreError, match="is being played there"):
            other.__enter__()
        assert one.found == {}
    with other:
        assert other.found == {}


def test_a_damaged_point_is_told_with_its_line(tmp_path: Path) -> None:
    request = SweepRequest(BASE, KNOBS_OF_TWO[:1], folder=tmp_path)
    swept(request)
    (tmp_path / POINTS).write_bytes(b"{}\n")
    with pytest.raises(SreError, match=r"points.jsonl:1"):
        swept(request)


def test_halving_plays_the_better_ones_to_the_end() -> None:
    knobs = (Knob("replicas", ("1", "2", "3", "4")), Knob("max_num_seqs", ("2", "64")))

    found = swept(SweepRequest(BASE, knobs, search="halving", trials=8))

    whole = [point for point in found.points if point.fidelity == 1]
    assert len(found.points) == found.grid_size == 8
    assert len(whole) == 2
    assert len({point.fidelity for point in found.points}) == 3
    assert all(dict(point.settings)["max_num_seqs"] == "64" for point in whole)


def test_a_finished_search_is_not_played_again(tmp_path: Path) -> None:
    knobs = (Knob("replicas", ("1", "2", "3", "4")),)
    request = SweepRequest(BASE, knobs, search="halving", trials=4, folder=tmp_path)
    found = swept(request)
    said: list[str] = []

    assert swept(request, said.append).points == found.points
    assert not any(" of " in line and "good" in line for line in said)


def test_a_random_search_is_the_same_again() -> None:
    knobs = (Knob("replicas", tuple("12345")), Knob("seed", tuple("12345")))

    chosen = drawn(knobs, 6, seed=4)

    assert chosen == drawn(knobs, 6, seed=4)
    assert len(set(chosen)) == 6
    assert set(chosen) <= set(grid(knobs))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.integers(0, 99))
def test_a_draw_of_all_is_the_grid(sizes: list[int], seed: int) -> None:
    knobs = [Knob(f"k{n}", tuple(str(v) for v in range(count))) for n, count in enumerate(sizes)]

    assert drawn(knobs, size(knobs), seed=seed) == grid(knobs)


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ((), "nothing varies"),
        ((Knob("colour", ("red",)),), "use one of replicas"),
        ((Knob("replicas", ()),), "has no values"),
        ((Knob("replicas", ("1", "1")),), "a value twice"),
        ((Knob("replicas", ("0",)),), "whole number above 0"),
        ((Knob("rate", ("-1",)),), "number above 0"),
        ((Knob("rate", ("fast",)),), "'fast'"),
        ((Knob("routing", ("random",)),), "write one of affinity"),
        ((Knob("policy", ("nowhere.yaml",)),), "is no file"),
        ((Knob("tp", ("two",)),), "whole number"),
    ],
)
def test_a_knob_that_cannot_be_turned_is_refused_before_anything_is_played(knobs: tuple[Knob, ...], said: str) -> None:
    with pytest.raises(SreError, match=said):
        require_knobs(knobs)


def test_too_large_a_grid_is_refused_and_the_search_named() -> None:
    many = tuple(str(n) for n in range(1, 200))
    with pytest.raises(SreError, match="--search halving"):
        swept(SweepRequest(BASE, (Knob("replicas", many), Knob("max_num_seqs", many))))


def test_a_search_needs_its_trials() -> None:
    with pytest.raises(SreError, match="--trials"):
        swept(SweepRequest(BASE, KNOBS_OF_TWO, search="random"))


def test_parallelism_is_the_profiles_name() -> None:
    base = replace(BASE, profile="h100-llama3-70b-tp2-fp8")

    assert changed(base, (("tp", "8"),)).profile == "h100-llama3-70b-tp8-fp8"
    assert changed(base, (("profile", "a-tp1"), ("tp", "4"))).profile == "a-tp4"
    assert changed(base, (("pp", "2"),)).profile == "h100-llama3-70b-tp2-pp2-fp8"
    assert changed(replace(base, profile="h100-x-tp2-pp4"), (("pp", "1"),)).profile == "h100-x-tp2"
    with pytest.raises(SreError, match="names no tensor parallelism"):
        changed(replace(BASE, profile="rtx"), (("tp", "2"),))


def test_parallelism_changes_the_profile_that_the_scenario_names() -> None:
    asked = SimulationRequest(scenario=scenario_path(Path("steady-chat")))
    assert changed(asked, (("tp", "2"),)).profile == "h100-llama3-8b-tp2"


def test_no_policy_takes_the_scenarios_away() -> None:
    assert changed(BASE, (("policy", "none"),)).no_policy
    assert set(KNOBS) >= {"replicas", "profile", "tp", "pp", "routing", "policy"}


def test_ray_that_is_not_there_is_said_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(sweep_executors, "import_module", absent)
    with pytest.raises(EnvironmentLacks, match=r"pip install 'llm-gameday\[ray\]'") as lacks:
        executor_of("ray", 1)
    assert lacks.value.exit_code == 3
