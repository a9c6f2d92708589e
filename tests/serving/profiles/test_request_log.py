"""Reading a run: one clock for all stamps, and what is said of a bad line or a run that cannot be fitted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serving.errors import BadInput
from serving.profiles.fitting import read_run

META: dict[str, Any] = {
    "model": "meta-llama/Llama-3.1-8B",
    "vllm_version": "0.19.0",
    "engine_kwargs": {
        "tensor_parallel_size": 1,
        "max_num_seqs": 64,
        "max_num_batched_tokens": 1024,
        "max_model_len": 8192,
    },
    "kv_cache": {"num_gpu_blocks": 2000, "block_size": 16, "enable_prefix_caching": False},
    "hardware": {"device_name": "NVIDIA H100 80GB HBM3", "device_total_memory_bytes": 85_000_000_000},
}


def row(number: int, **changes: Any) -> dict[str, Any]:
    """Arrivals each 0.5 s by the wall clock, queued 2 ms later and more by another one."""
    queued = 500 + number / 2 + 0.002 + (number % 3) * 0.01
    stamps = {
        "request_id": f"bench-{number}",
        "input_toks": 100,
        "output_toks": 10,
        "arrival_time": 1_700_000_000 + number / 2,
        "queued_ts": queued,
        "scheduled_ts": queued,
        "first_token_ts": queued + 0.05,
        "last_token_ts": queued + 0.2,
    }
    return {**stamps, **changes}


def written(folder: Path, lines: list[str] | None = None, meta: Any = META) -> Path:
    log = folder / "x_requests.jsonl"
    log.write_text("\n".join(lines or [json.dumps(row(n)) for n in range(30)]) + "\n", encoding="utf-8")
    if meta is not None:
        (folder / "x_meta.json").write_text(json.dumps(meta), encoding="utf-8")
    return log


def with_line(number: int, text: str) -> list[str]:
    lines = [json.dumps(row(n)) for n in range(30)]
    lines[number - 1] = text
    return lines


def test_two_clocks_are_joined_at_the_quickest_request(tmp_path: Path) -> None:
    log = read_run(written(tmp_path)).log
    assert log.arrival_s[:3] == pytest.approx([0, 0.5, 1.0])
    assert log.queued_s[:3] == pytest.approx([0, 0.51, 1.02], abs=1e-5)
    assert log.last_s[0] == pytest.approx(0.2, abs=1e-5)


def test_stamps_of_one_clock_are_believed_as_they_are(tmp_path: Path) -> None:
    lines = [json.dumps(row(n, arrival_time=500 + n / 2)) for n in range(30)]
    log = read_run(written(tmp_path, lines)).log
    assert log.queued_s[0] == pytest.approx(0.002)


def test_a_folder_or_the_name_without_its_ending_is_enough(tmp_path: Path) -> None:
    written(tmp_path)
    assert len(read_run(tmp_path).log) == len(read_run(tmp_path / "x").log) == 30


def test_requests_that_all_come_at_once_have_no_rate(tmp_path: Path) -> None:
    log = read_run(written(tmp_path, [json.dumps(row(n, arrival_time=1_700_000_000.0)) for n in range(30)])).log
    assert log.rate_rps is None


def test_the_only_settings_in_the_folder_will_do(tmp_path: Path) -> None:
    (written(tmp_path).parent / "x_meta.json").rename(tmp_path / "meta.json")
    assert read_run(tmp_path).facts.path == tmp_path / "meta.json"


def test_settings_come_from_the_resolved_configuration_first(tmp_path: Path) -> None:
    resolved = {
        "scheduler_config": {"max_num_batched_tokens": 4096, "max_num_seqs": 128},
        "parallel_config": {"tensor_parallel_size": 4, "is_moe_model": True},
    }
    facts = read_run(written(tmp_path, meta={**META, "resolved_config": resolved})).facts
    assert (facts.scheduler.max_num_batched_tokens, facts.scheduler.max_num_seqs) == (4096, 128)
    assert (facts.tensor_parallel, facts.is_moe, facts.scheduler.enable_prefix_caching) == (4, True, False)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (json.dumps(row(6))[:60], "is no JSON object: it may be cut off"),
        ("[1, 2]", "is list: write one JSON object a request"),
        (json.dumps({k: v for k, v in row(6).items() if k != "scheduled_ts"}), "lacks scheduled_ts"),
        (json.dumps(row(6, first_token_ts=None)), "lacks first_token_ts"),
        (json.dumps(row(6, queued_ts=-1.0)), "queued_ts is -1.0: write seconds, 0 or more"),
        (json.dumps(row(6, arrival_time="noon")), "arrival_time is 'noon'"),
        (json.dumps(row(6, queued_ts=float("nan"))), "queued_ts is nan"),
        (json.dumps(row(6, output_toks=0)), "output_toks is 0: write a whole number of at least 1"),
        (json.dumps(row(6, last_token_ts=502.0)), "last_token_ts 502.0 is before first_token_ts"),
    ],
)
def test_a_bad_line_is_named_with_its_number(tmp_path: Path, line: str, words: str) -> None:
    path = written(tmp_path, with_line(7, line))
    with pytest.raises(BadInput) as caught:
        read_run(path)
    assert str(caught.value).startswith(f"{path}:7: {words}")
    assert len(str(caught.value).splitlines()) == 1
    run = read_run(path, skip_bad=True)
    assert (len(run.log), run.skipped) == (29, 1)


def test_of_many_bad_lines_the_first_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    path = written(tmp_path, ["{"] * 30)
    with pytest.raises(BadInput) as caught:
        read_run(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == f"{path}: 10 more bad lines"


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        (None, "No such file or directory"),
        ([], "is list: the engine's settings are one JSON object"),
        ({**META, "kv_cache": {}}, "does not say how many KV blocks there were: give --kv-blocks"),
        ({**META, "kv_cache": {"num_gpu_blocks": 2}}, "a request has 110 tokens, but the engine's settings allow 32"),
        ({**META, "engine_kwargs": {"data_parallel_size": 2}}, "data_parallel_size is above 1"),
        ({**META, "engine_kwargs": {"tensor_parallel_size": 0}}, "tensor_parallel_size is 0: a whole number"),
        ({**META, "resolved_config": {"speculative_config": {"n": 3}}}, "speculative decoding"),
    ],
)
def test_settings_that_cannot_be_those_of_the_run_are_refused(tmp_path: Path, meta: Any, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_run(written(tmp_path, meta=meta))
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_blocks_that_the_run_does_not_say_can_be_given(tmp_path: Path) -> None:
    path = written(tmp_path, meta={**META, "kv_cache": {}})
    assert read_run(path, kv_blocks=900).facts.scheduler.kv_blocks == 900


def test_too_few_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="19 usable requests: a fit needs 20"):
        read_run(written(tmp_path, [json.dumps(row(n)) for n in range(19)]))


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.jsonl", tmp_path / "gone"):
        with pytest.raises(BadInput):
            read_run(path)
