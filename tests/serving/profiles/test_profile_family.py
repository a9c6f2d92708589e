"""Planning profiles by name: GPU x model x parallelism out of the data sheets."""

from __future__ import annotations

import pytest

from serving.errors import ProfileNotFound
from serving.profiles import DoesNotFit, load, profile_names
from serving.profiles.capacity import shortfall
from serving.profiles.family import member_named, members
from serving.profiles.shapes import gpus, shape_named


def test_every_gpu_and_model_is_there_at_each_width_unless_it_does_not_fit() -> None:
    names = profile_names()
    for member in members():
        assert (member.name in names) == (shortfall(member.capacity) is None)
    assert {f"h100-llama3-8b-tp{n}" for n in (1, 2, 4, 8)} <= set(names)


@pytest.mark.parametrize("member", [one for one in members() if shortfall(one.capacity)], ids=lambda one: one.name)
def test_what_does_not_fit_is_refused_in_one_line_that_says_by_how_much(member: object) -> None:
    name = str(getattr(member, "name", ""))
    with pytest.raises(DoesNotFit, match=r"by \d+\.\d GB a GPU") as caught:
        load(name)
    assert str(caught.value).startswith(f"{name}: ")
    assert len(str(caught.value).splitlines()) == 1


def test_what_holds_no_long_request_takes_shorter_ones() -> None:
    assert load("h100-qwen3-32b-tp1").scheduler.max_model_len == 8192
    assert load("h100-qwen3-32b-tp2").scheduler.max_model_len == 32_768


def test_a_file_goes_before_the_family() -> None:
    assert member_named("h100-llama3-8b-tp1") is not None
    assert load("h100-llama3-8b-tp1").step_time.duration_of_s(decode_seqs=1, prefill_tokens=0) == pytest.approx(0.0062)


def test_the_family_s_figures_are_those_of_the_files_it_could_replace() -> None:
    file, member = load("h100-llama3-70b-tp4"), member_named("h100-llama3-70b-tp4")
    assert member is not None
    assert member.capacity.kv_blocks == file.scheduler.kv_blocks
    assert member.memory.weights_gb == pytest.approx(file.memory.weights_gb)


def test_more_gpus_never_make_a_step_longer_or_the_cache_smaller() -> None:
    for gpu in gpus():
        known = [load(name) for tp in (1, 2, 4, 8) if (name := f"{gpu.key}-qwen3-32b-tp{tp}") in profile_names()]
        times = [one.step_time.duration_of_s(decode_seqs=32, prefill_tokens=0) for one in known]
        assert times == sorted(times, reverse=True)
        assert [one.scheduler.kv_blocks for one in known] == sorted(one.scheduler.kv_blocks for one in known)


def test_pipeline_stages_add_latency_and_multiply_throughput() -> None:
    alone, staged = load("a100-llama3-70b-tp4"), load("a100-llama3-70b-tp4-pp2")
    one = [profile.step_time.duration_of_s(decode_seqs=1, prefill_tokens=0) for profile in (alone, staged)]
    assert one[1] - one[0] == pytest.approx(20e-6)
    full = [profile.step_time.duration_of_s(decode_seqs=256, prefill_tokens=0) for profile in (alone, staged)]
    assert staged.pipeline is not None
    assert full[0] / full[1] == pytest.approx(staged.pipeline.decode_throughput, rel=1e-3)
    assert 1 < staged.pipeline.decode_throughput <= 2
    assert 1 < staged.pipeline.prefill_throughput <= 2


def test_any_power_of_two_can_be_named_and_nothing_else() -> None:
    assert load("h100-qwen2.5-7b-tp1-pp2").gpus_per_replica == 2
    for name in ("h100-llama3-8b-tp3", "b300-llama3-8b-tp1", "h100-llama9-8b-tp1", "h100-llama3-8b"):
        with pytest.raises(ProfileNotFound, match="is unknown"):
            load(name)


@pytest.mark.parametrize(
    "name", ["meta-llama/Meta-Llama-3.1-70B-Instruct", "Llama-3.3-70B-Instruct-FP8-dynamic", "llama-3-70b-hf"]
)
def test_a_model_is_known_by_the_names_a_run_gives_it(name: str) -> None:
    shape = shape_named(name)
    assert shape is not None
    assert shape.key == "llama3-70b"


def test_an_unknown_model_is_no_model() -> None:
    assert shape_named("acme/secret-13b") is None
