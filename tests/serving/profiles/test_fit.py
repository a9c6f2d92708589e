"""A fit finds the step times that a log was made with, and says how far off it is on what it was not shown."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from serving.batching import SchedulerConfig, StepPlan, StepTimeModel
from serving.errors import BadInput
from serving.profiles import read_profile
from serving.profiles.fitting import (
    Fit,
    FitSettings,
    Part,
    ReplayTimes,
    RequestLog,
    Run,
    fit,
    profile_document,
    read_run,
)
from serving.profiles.fitting.parts import MOST_FITTED
from serving.profiles.fitting.search import descend, minimise
from serving.simulator.log_replay import LogReplay


def _sibling(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fit_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


made: Any = _sibling("synthetic_run")
QUICK = FitSettings(Part("odd"), rounds=2, descents=3, simplex=20)


def step_ms(plan: StepPlan) -> float:
    """Weights for 9 ms, arithmetic beyond 150 tokens, reading of the contexts."""
    return float(
        9 + 0.06 * max(0, plan.total_tokens - 150) + 0.04 * plan.decode_seqs + 0.05e-3 * plan.decode_context_tokens
    )


def replay(log: RequestLog, scheduler: SchedulerConfig, step_time: StepTimeModel, *, exact: bool) -> ReplayTimes:
    served = LogReplay(scheduler, step_time, exact=exact)
    first_s, last_s = served.serve(log.arrival_s, log.prompt_tokens, log.output_tokens)
    return ReplayTimes(first_s, last_s, served.preemptions)


def a_run(folder: Path, traffic: Any = None, **hardware: Any) -> Run:
    traffic = traffic or made.Traffic(requests=80, rate_rps=8, prompt_median=400, output_median=40)
    return read_run(made.write_run(folder, made.Hardware(step_ms, **hardware), traffic))


def quiet(_: str) -> None:
    """Progress nobody watches."""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Fit]:
    run = a_run(tmp_path_factory.mktemp("run"))
    return run, fit([run], QUICK, replay, on_progress=quiet)


def test_the_part_that_was_not_fitted_is_foretold(fitted: tuple[Run, Fit]) -> None:
    _, found = fitted
    assert found.mean_error < 0.08
    assert found.step_error < 0.05


def test_the_step_times_found_are_those_the_log_was_made_with(fitted: tuple[Run, Fit]) -> None:
    _, found = fitted
    decode_ms = found.step_time.duration_of_s(decode_seqs=4, prefill_tokens=0, context_tokens=2000) * 1000
    assert decode_ms == pytest.approx(9 + 0.16 + 0.1, rel=0.1)
    prefill_ms = found.step_time.duration_of_s(decode_seqs=4, prefill_tokens=600) * 1000
    assert prefill_ms == pytest.approx(9 + 0.06 * 454 + 0.16, rel=0.25)


def test_the_same_log_gives_the_same_fit(fitted: tuple[Run, Fit]) -> None:
    run, found = fitted
    once = FitSettings(Part("odd"), rounds=1, descents=1, simplex=4)
    assert fit([run], once, replay, on_progress=quiet) == fit([run], once, replay, on_progress=quiet)
    assert "every second one of 80 requests" in found.runs[0].part


def test_the_times_of_the_tested_part_are_never_looked_at(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    part = Part("first", 0.5)
    hidden = ~part.mask(len(run.log))
    spoiled = RequestLog(
        run.log.arrival_s,
        run.log.queued_s,
        np.where(hidden, run.log.first_s * 7 + 100, run.log.first_s),
        np.where(hidden, run.log.last_s * 7 + 200, run.log.last_s),
        run.log.prompt_tokens,
        run.log.output_tokens,
    )
    settings = FitSettings(part, rounds=1, descents=1, simplex=4)
    other = Run(run.title, run.facts, spoiled)
    plain = fit([run], settings, replay, on_progress=quiet)
    assert fit([other], settings, replay, on_progress=quiet).parameters == plain.parameters


def test_the_file_of_a_fit_is_a_profile_with_its_source_part_and_error_bars(
    fitted: tuple[Run, Fit], tmp_path: Path
) -> None:
    run, found = fitted
    path = tmp_path / "mine.yaml"
    path.write_text(profile_document("mine", [run], found), encoding="utf-8")
    profile = read_profile(path)
    assert profile.step_time == found.step_time
    assert profile.scheduler == run.facts.scheduler
    assert profile.gpu == "H100-80GB"
    assert profile.error is not None
    assert profile.error.mean_pct == round(found.mean_error * 100, 1)
    assert "every second one of 80 requests" in profile.source
    assert "every second one of 80 requests" in profile.error.tested_on


def test_a_model_nobody_knows_still_gets_a_profile_that_loads(fitted: tuple[Run, Fit], tmp_path: Path) -> None:
    _, found = fitted
    run = a_run(tmp_path, model="acme/Zed's #1: 13B", name="A GPU: of 'ours'", tensor_parallel=1)
    path = tmp_path / "zed.yaml"
    path.write_text(profile_document("zed", [run], found), encoding="utf-8")
    profile = read_profile(path)
    assert profile.model == "Zed's #1: 13B"
    assert profile.scheduler.kv_blocks == run.facts.scheduler.kv_blocks
    assert "shape is not known" in profile.source
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["memory"]["weights_gb"] == 26


def test_runs_of_two_engines_are_not_fitted_together(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b")]
    for folder in folders:
        folder.mkdir()
    runs = [a_run(folders[0]), a_run(folders[1], tensor_parallel=2)]
    with pytest.raises(BadInput, match=r"another engine than .*: fit runs of the same model"):
        fit(runs, QUICK, replay, on_progress=quiet)


@given(requests=st.integers(20, 5000), share=st.floats(0.05, 0.95), name=st.sampled_from(["odd", "first", "last"]))
def test_a_part_leaves_something_to_test_and_says_what_it_is(requests: int, share: float, name: Any) -> None:
    part = Part(name, share)
    fitted_count = int(part.mask(requests).sum())
    assert 1 <= fitted_count <= min(requests - 1, MOST_FITTED)
    if name != "odd":
        assert f"the {name} {fitted_count:,} of {requests:,} requests" in part.in_words(requests)


def test_both_searches_find_the_lowest_point_of_a_valley() -> None:
    target = np.array([0.3, -1.2, 2.0])

    def residuals(point: Any) -> Any:
        return np.array([1.0, 3.0, 0.5]) * (point - target) + 0.1 * (point - target) ** 2

    def valley(point: Any) -> float:
        return float(residuals(point) @ residuals(point))

    steps = np.full(3, 0.4)
    point, value, evaluations = descend(residuals, np.zeros(3), steps, rounds=8)
    assert point == pytest.approx(target, abs=0.05)
    assert value < 1e-2
    assert evaluations == 1 + 8 * (3 + 4)
    point, _ = minimise(valley, np.zeros(3), steps, evaluations=200)
    assert point == pytest.approx(target, abs=0.01)
