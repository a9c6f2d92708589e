"""Profile files: the one that is shipped, and what is said about a bad one."""

from __future__ import annotations

from pathlib import Path

import pytest

from serving.errors import BadInput, ProfileNotFound
from serving.profiles import load, profile_names, read_profile
from serving.profiles.catalogue import DIRECTORY
from serving.profiles.shapes import shape_named

H100 = "h100-llama3-8b-tp1"
SHIPPED = (DIRECTORY / f"{H100}.yaml").read_text(encoding="utf-8")


def changed(tmp_path: Path, old: str, new: str) -> Path:
    """The shipped profile with one change."""
    assert SHIPPED.count(old) == 1
    path = tmp_path / f"{H100}.yaml"
    path.write_text(SHIPPED.replace(old, new), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_loads_and_says_how_far_to_trust_it(name: str) -> None:
    profile = load(name)
    assert profile.name == name
    assert "%" in profile.source
    assert profile.error is not None
    assert profile.error.step_time_pct > 0
    assert (profile.error.basis == "planning") == (profile.error.mean_pct is None) == (profile.error.outside != "")


def test_the_kv_blocks_follow_from_the_memory_that_is_left() -> None:
    profile = load(H100)
    assert profile.memory.bytes_per_token == 128 * 1024
    assert profile.memory.kv_bytes == pytest.approx(51.9e9)
    assert profile.scheduler.kv_blocks == 24_747


@pytest.mark.parametrize("name", sorted(path.stem for path in DIRECTORY.glob("*.yaml")))
def test_the_comment_in_the_file_states_the_computed_blocks(name: str) -> None:
    blocks = load(name).scheduler.kv_blocks
    assert f"{blocks:,} blocks = {blocks * 16:,} tokens" in (DIRECTORY / f"{name}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_s_weights_are_its_parameters_at_their_precision(name: str) -> None:
    profile = load(name)
    shape = shape_named(profile.model)
    assert shape is not None
    bytes_each = 1 if profile.quantization.startswith("fp8") else 2
    assert profile.memory.weights_gb == pytest.approx(shape.parameters_b * bytes_each, rel=0.01)


def test_the_cold_start_is_the_weights_through_the_storage_and_the_stated_phases() -> None:
    assert load(H100).cold_start_s == {
        "load_weights": pytest.approx(8.05),
        "compile": 19.4,
        "capture_graphs": 15.0,
        "warmup": 5.0,
    }


def test_step_times_are_those_of_the_tables() -> None:
    step_time = load(H100).step_time
    assert step_time.duration_of_s(decode_seqs=32, prefill_tokens=0) == pytest.approx(0.0106)
    assert step_time.duration_of_s(decode_seqs=0, prefill_tokens=2048) == pytest.approx(0.069)


def test_an_unknown_profile_lists_the_known_ones() -> None:
    with pytest.raises(ProfileNotFound, match=f"profile 'b300' is unknown: use one of .*{H100}"):
        load("b300")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("hbm_gb: 80", "hbm_gb: eighty", "memory.hbm_gb: is str 'eighty': write a number of at least 0.001"),
        ("utilization: 0.9", "utilization: 90", "memory.utilization: is 90: use a share"),
        ("layers: 32", "layers: 32.5", "memory.layers: is float 32.5: write a whole number"),
        ("layers: 32", "layers: true", "memory.layers: is bool True: write a whole number"),
        (
            "weights_gb: 16.1",
            "weights_gb: 71",
            "memory: 72.0 GB usable of 80.0 - 71.0 weights - 4.0 activations = -3.0 GB a GPU for KV: "
            "at 131,072 bytes a token that is 0 tokens, less than max_model_len 32,768",
        ),
        ("tensor_parallel: 1", "tensor_parallel: 0", "tensor_parallel: is int 0: write a whole number of at least 1"),
        ("weights_gb_per_s: 2.0", "weights_gb_per_s: 0", "cold_start.weights_gb_per_s: is int 0: write a number"),
        ("compile_s: 19.4", "compile_s: -1", "cold_start.compile_s: is int -1"),
        ("block_size_tokens: 16", "block_size_tokens: 16\nenable_prefix_caching: 1", "write true or false"),
        ("decode_kv_included_tokens: 1000", "decode_kv_included_tokens: -1", "a whole number of at least 0"),
        ("host_overhead_ms: 0.0", "host_overhead_ms: 0.0\nroofline: {}", "decode_step_ms: is not a known key"),
        ("mixed_factor: 1.5", "mixed_factor: 0.5", "mixed_factor: is float 0.5: write a number of at least 1"),
        ("mixed_factor: 1.5", "mixed_factor: .nan", "mixed_factor: is float nan: write a number"),
        ("mixed_factor: 1.5", "mixd_factor: 1.5", "mixd_factor: is not a known key"),
        ("head_dim: 128", "head_dims: 128", "memory.head_dims: is not a known key"),
        ("8: 7.2", "8: 5.0", "decode_step_ms: is dict"),
        ("1: 6.2, 8", "2: 6.2, 8", "the first row for 1"),
        ("{256: 34, 2048: 69, 8192: 225}", "{256: 34}", "prefill_ms: is dict {256: 34}: write a table"),
        ("max_num_seqs: 256", "max_num_seqs: 4096", "max_num_seqs: 4096 exceeds max_num_batched_tokens 2048"),
        ("schema: 1", "schema: 2", "schema: is 2: this version reads 1"),
        (f"name: {H100}", "name: other", f"name: is 'other': must be the file's name, '{H100}'"),
        ("gpu: H100-80GB", "gpu: ''", "gpu: is str '': write text that is not empty"),
    ],
)
def test_a_fault_is_one_line_with_file_key_and_mend(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(BadInput) as caught:
        read_profile(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    assert any(words in line for line in lines)


def test_all_faults_of_a_file_come_at_once(tmp_path: Path) -> None:
    path = tmp_path / "half.yaml"
    path.write_text("schema: 1\nname: half\nmemory: {layers: -1}\n", encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        read_profile(path)
    keys = {line.removeprefix(f"{path}: ").split(":")[0] for line in str(caught.value).splitlines()}
    assert {"gpu", "memory.layers", "memory.hbm_gb", "decode_step_ms", "max_model_len"} <= keys


@pytest.mark.parametrize(
    ("content", "words"), [("- a\n", "holds list"), ("", "holds nothing"), ("a: [", "not readable")]
)
def test_what_is_no_mapping_is_refused_in_one_line(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=words) as caught:
        read_profile(path)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_is_reported_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.yaml: cannot read the profile: No such file"):
        read_profile(tmp_path / "gone.yaml")


STEP_TIMES = """step_time:
  kind: {kind}
  {curves}
  kv_ms_per_1k_tokens: 0.05
  request_overhead_ms: 4
"""


def with_step_time(tmp_path: Path, kind: str, curves: str) -> Path:
    """The shipped profile with a section `step_time` in place of its tables."""
    kept = [line for line in SHIPPED.splitlines() if not line.startswith(("decode_", "prefill_", "mixed_", "host_"))]
    path = tmp_path / f"{H100}.yaml"
    path.write_text("\n".join(kept) + "\n" + STEP_TIMES.format(kind=kind, curves=curves), encoding="utf-8")
    return path


def test_a_table_in_a_section_is_the_table_at_the_top_level(tmp_path: Path) -> None:
    curves = "decode_ms: {1: 6.2, 32: 10.6}\n  prefill_ms: {256: 34, 2048: 69}\n  mixed_factor: 1.5"
    step_time = read_profile(with_step_time(tmp_path, "table", curves)).step_time
    assert step_time.duration_of_s(decode_seqs=32, prefill_tokens=256) == pytest.approx(1.5 * (0.0106 + 0.034))
    assert step_time.request_overhead_ms == 4


def test_knots_have_a_curve_for_each_kind_of_batch(tmp_path: Path) -> None:
    curves = "decode_ms: {1: 6, 64: 12}\n  prefill_ms: {64: 8, 2048: 70}\n  mixed_ms: {64: 20, 2048: 90}"
    step_time = read_profile(with_step_time(tmp_path, "knots", curves)).step_time
    assert step_time.duration_of_s(decode_seqs=32, prefill_tokens=2016) == pytest.approx(0.090)
    assert step_time.duration_of_s(decode_seqs=64, prefill_tokens=0, context_tokens=10_000) == pytest.approx(0.0125)


def test_a_line_is_a_base_and_two_slopes(tmp_path: Path) -> None:
    curves = "base_ms: 5\n  per_sequence_ms: 0.1\n  per_token_ms: 0.03\n  mixed_factor: 0.8"
    step_time = read_profile(with_step_time(tmp_path, "linear", curves)).step_time
    assert step_time.duration_of_s(decode_seqs=50, prefill_tokens=0) == pytest.approx(0.010)
    assert step_time.duration_of_s(decode_seqs=50, prefill_tokens=1000) == pytest.approx(0.8 * (0.010 + 0.035))


def test_another_kind_of_step_time_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"step_time\.kind: is str 'cubic': write one of table, knots, linear"):
        read_profile(with_step_time(tmp_path, "cubic", "decode_ms: {1: 6, 64: 12}\n  prefill_ms: {64: 8, 2048: 70}"))


def test_a_profile_s_file_can_be_named_instead_of_a_profile(tmp_path: Path) -> None:
    path = changed(tmp_path, "compile_s: 19.4", "compile_s: 3")
    assert load(str(path)).cold_start_s["compile"] == 3


def test_error_bars_of_a_file_are_read_and_judged(tmp_path: Path) -> None:
    bars = "basis: fitted\n  mean_pct: 3\n  p99_pct: 7\n  tested_on: a run"
    found = read_profile(changed(tmp_path, "basis: planning", bars)).error
    assert found is not None
    assert found.outside.startswith("Batches of prefill beside decodes")
    assert found.in_words() == "fitted: a step within 30 %, simulated means within 3 %, p99 within 7 %, on a run"
    with pytest.raises(BadInput, match=r"error\.basis: is str 'hope': write one of planning, fitted, calibrated"):
        read_profile(changed(tmp_path, "basis: planning", "basis: hope"))
