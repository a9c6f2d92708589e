"""What vLLM is started with, whether it fits, and what a replica is told of it."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from serving.engine.metrics import EngineMetrics
from serving.engine.vllm import VllmConfig, VllmPlan, find_vllm_env, prepare_vllm
from serving.engine.vllm.bookkeeping import honest
from serving.engine.vllm.capacity import GIB, Capacity, read_model, require_fits
from serving.engine.vllm.environment import VLLM_PYTHON
from serving.engine.vllm.prepare import with_tiny_model
from serving.engine.vllm.repository import VllmParameters, parse_vllm_parameters, write_vllm_repository
from serving.engine.vllm.scratch import PREFIX, Scratch
from serving.errors import BadInput, EnvironmentLacks

LLAMA_8B = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}


def model_directory(root: Path, shape: dict[str, Any] = LLAMA_8B, *, weights_bytes: int = 0) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / "config.json").write_text(json.dumps(shape), encoding="utf-8")
    if weights_bytes:
        with (root / "model-00001.safetensors").open("wb") as file:
            file.truncate(weights_bytes)
    return root


def test_it_survives_the_way_through_json() -> None:
    config = VllmConfig(model="/m", device="cuda", tensor_parallel_size=4, quantization="fp8", max_model_len=8192)
    assert VllmConfig.from_json(config.to_json()) == config


def test_a_document_of_a_few_keys_leaves_the_rest_at_their_defaults() -> None:
    assert VllmConfig.from_json('{"max_num_seqs": 8}') == VllmConfig(max_num_seqs=8)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "list instead of an object"),
        ('{"tensor_paralel_size": 2}', r"unknown keys \(tensor_paralel_size\): known are model, "),
        ('{"tensor_parallel_size": 0}', "tensor_parallel_size is 0: use 1 to 1024"),
        ('{"device": "tpu", "max_num_seqs": "8"}', "device is 'tpu': use cpu or cuda; max_num_seqs is '8'"),
        ('{"device": "cuda", "gpu_memory_utilization": 0}', "gpu_memory_utilization is 0"),
        ('{"gpu_memory_utilization": 0.9}', "no effect on a cpu: set kv_cache_gib"),
        ('{"block_size": 16}', "multiple of 32 on a cpu"),
        ('{"kv_cache_gib": 0.5}', "whole number of GiB"),
    ],
)
def test_a_wrong_document_is_one_line_with_every_fault(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        VllmConfig.from_json(text, path="v.json")
    assert str(caught.value).startswith("v.json: ")
    assert "\n" not in str(caught.value)


def test_the_cpu_gets_float32_and_no_compiler_the_gpu_what_vllm_chooses() -> None:
    on_cpu, on_gpu = (VllmConfig(device=device).engine_arguments() for device in ("cpu", "cuda"))
    assert (on_cpu["dtype"], on_cpu["enforce_eager"]) == ("float32", True)
    assert (on_gpu["dtype"], on_gpu["enforce_eager"]) == ("auto", False)
    assert on_cpu["scheduling_policy"] == "priority", "or priorities would be refused"
    assert not {"device", "stall_timeout_s", "kv_cache_gib", "max_model_len"} & set(on_cpu)


def test_sizes_of_a_model_come_from_its_configuration(tmp_path: Path) -> None:
    model = read_model(model_directory(tmp_path), VllmConfig(device="cuda"))
    assert model.kv_bytes_per_token == 2 * 32 * 8 * 128 * 2, "K and V, layers, heads, head size, bytes"
    assert model.weights_bytes == pytest.approx(16.06e9, rel=0.001), "8.03e9 parameters of 2 bytes"
    assert model.max_length == 131072


def test_weight_files_count_at_the_type_they_are_loaded_in(tmp_path: Path) -> None:
    directory = model_directory(tmp_path, weights_bytes=1000)
    assert read_model(directory, VllmConfig()).weights_bytes == 2000, "bfloat16 loaded as float32"
    assert read_model(directory, VllmConfig(device="cuda", quantization="fp8")).weights_bytes == 1000


def test_latent_attention_caches_its_rank(tmp_path: Path) -> None:
    shape = {**LLAMA_8B, "kv_lora_rank": 512, "qk_rope_head_dim": 64}
    assert read_model(model_directory(tmp_path, shape), VllmConfig(device="cuda")).kv_bytes_per_token == 32 * 576 * 2


def test_what_no_model_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"config.json: not a model's configuration .*No such file"):
        read_model(tmp_path, VllmConfig())
    with pytest.raises(BadInput, match="'num_attention_heads' is missing"):
        read_model(model_directory(tmp_path, {"hidden_size": 1}), VllmConfig())


def test_a_model_too_large_for_its_gpu_is_refused_with_the_numbers(tmp_path: Path) -> None:
    config = VllmConfig(device="cuda", max_model_len=8192)
    model = read_model(model_directory(tmp_path), config)
    with pytest.raises(BadInput, match=r"weights 14\.96 = 14\.96 GiB needed, 14\.72 GiB there: .*tensor_parallel"):
        require_fits(model, config, memory_bytes=16 * GIB)
    assert require_fits(model, config, memory_bytes=24 * GIB).kv_tokens == int(
        (int(24 * GIB * 0.92) - model.weights_bytes) // 131072
    )
    two = dataclasses.replace(config, tensor_parallel_size=2)
    assert require_fits(model, two, memory_bytes=16 * GIB).kv_tokens > 100_000, "two GPUs hold it"


def test_a_cache_smaller_than_one_sequence_is_refused(tmp_path: Path) -> None:
    config = VllmConfig(device="cuda")
    model = read_model(model_directory(tmp_path), config)
    with pytest.raises(BadInput, match="less than one sequence of max_model_len 131072: lower max_model_len"):
        require_fits(model, config, memory_bytes=24 * GIB)


def test_host_memory_holds_weights_cache_and_the_engine_itself(tmp_path: Path) -> None:
    config = VllmConfig(kv_cache_gib=2, max_model_len=4096)
    model = read_model(model_directory(tmp_path, weights_bytes=GIB), config)
    with pytest.raises(BadInput, match=r"weights 2\.00 \+ KV cache 2\.00 \+ engine 1\.40 = 5\.40 GiB needed, 5\.00"):
        require_fits(model, config, memory_bytes=5 * GIB)
    assert require_fits(model, config, memory_bytes=6 * GIB) == Capacity(32, 2 * GIB // model.kv_bytes_per_token, 4096)


def test_the_tiny_model_s_defaults_give_way_to_what_is_asked_for() -> None:
    assert with_tiny_model(VllmConfig(), Path("/t")).num_gpu_blocks_override == 128
    asked = with_tiny_model(VllmConfig(num_gpu_blocks_override=24, max_model_len=512), Path("/t"))
    assert (asked.model, asked.num_gpu_blocks_override, asked.max_model_len) == ("/t", 24, 512)


def test_preparing_writes_the_configuration_and_tells_what_a_replica_holds(tmp_path: Path) -> None:
    model = model_directory(tmp_path / "m", {**LLAMA_8B, "num_hidden_layers": 1}, weights_bytes=1 << 20)
    config = VllmConfig(model=str(model), max_model_len=4096, num_gpu_blocks_override=100)
    plan = prepare_vllm(tmp_path / "v", config, python=Path("/v/python"), memory_bytes=8 * GIB)
    assert VllmConfig.from_json(plan.config_path.read_text(encoding="utf-8")) == plan.config
    assert plan.capacity == Capacity(32, 12_800, 4096)
    with pytest.raises(BadInput, match="does not fit"):
        prepare_vllm(tmp_path / "v", config, python=Path("/v/python"), memory_bytes=8 * GIB, replicas=6)


def environment(root: Path, *, has_vllm: bool) -> Path:
    """A stand-in for an environment's Python, which answers whether it has vLLM."""
    python = root / ".venv-vllm" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nexit {0 if has_vllm else 9}\n", encoding="utf-8")
    python.chmod(0o755)
    return python


def test_the_environment_is_the_workspace_s_or_the_one_named(tmp_path: Path) -> None:
    python = environment(tmp_path, has_vllm=True)
    assert find_vllm_env(tmp_path, {}) == python
    named = environment(tmp_path / "other", has_vllm=True)
    assert find_vllm_env(tmp_path, {VLLM_PYTHON: str(named)}) == named


@pytest.mark.parametrize("named", [None, "/nowhere/python", sys.executable])
def test_a_missing_environment_is_one_line_with_the_mend(tmp_path: Path, named: str | None) -> None:
    environment(tmp_path, has_vllm=False)
    with pytest.raises(EnvironmentLacks, match=r"vLLM: .* run `make setup-vllm`, or set SRE_VLLM_PYTHON") as caught:
        find_vllm_env(tmp_path, {VLLM_PYTHON: named} if named else {})
    assert "\n" not in str(caught.value)


def plan_at(config_path: str) -> VllmPlan:
    return VllmPlan(Path("/v/bin/python"), Path(config_path), VllmConfig(), None)


def test_a_replica_s_repository_carries_where_vllm_and_its_configuration_are(tmp_path: Path) -> None:
    repository = write_vllm_repository(tmp_path / "r", plan_at("/s/vllm.json"), replica="llm-3")
    text = (repository / "llm" / "config.pbtxt").read_text(encoding="utf-8")
    assert 'parameters { key: "vllm_python" value { string_value: "/v/bin/python" } }' in text
    assert 'name: "token_ids" data_type: TYPE_INT32' in text
    assert 'name: "llm"' not in text, "Triton takes the folder's name"
    assert (repository / "llm" / "1" / "model.py").is_file()


def test_names_and_paths_triton_could_not_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="replica name"):
        write_vllm_repository(tmp_path, plan_at("/s"), replica='x" }')
    with pytest.raises(BadInput, match=r"vllm_config is .* without quotes"):
        write_vllm_repository(tmp_path, plan_at('/s"/vllm.json'), replica="llm-0")


def test_the_model_reads_its_parameters_and_says_what_is_missing() -> None:
    given = {"replica": "llm-0", "vllm_python": "/p", "vllm_config": "/c"}
    document = {"parameters": {key: {"string_value": value} for key, value in given.items()}}
    assert parse_vllm_parameters(json.dumps(document)) == VllmParameters("llm-0", Path("/p"), Path("/c"))
    with pytest.raises(BadInput, match="parameters: replica, vllm_python, vllm_config missing"):
        parse_vllm_parameters("{}")


@pytest.mark.parametrize(
    ("open_requests", "running", "waiting", "kv"),
    [(0, 0, 0, 0.0), (1, 1, 0, 0.5), (2, 2, 0, 0.5), (5, 2, 3, 0.5)],
)
def test_no_request_is_lost_between_running_and_waiting(
    open_requests: int, running: int, waiting: int, kv: float
) -> None:
    stale = EngineMetrics(requests_running=2, requests_waiting=0, kv_cache_usage=0.5)
    told = honest(stale, {"stop": 3}, open_requests=open_requests)
    assert (told.requests_running, told.requests_waiting, told.kv_cache_usage) == (running, waiting, kv)
    assert told.finished == {"stop": 3}


def test_what_a_killed_owner_left_is_removed_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    dead, other = tmp_path / f"{PREFIX}4194305-a", tmp_path / "someone-else"
    for left in (dead, other):
        left.mkdir()
    mine = Scratch.make()
    again = Scratch.make()
    assert not dead.exists()
    assert other.exists()
    assert mine.path.exists(), "its owner lives"
    for scratch in (mine, again):
        scratch.remove()
