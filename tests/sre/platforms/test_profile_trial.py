"""`sre profile test`: a profile as it is against a request log, what is said of other engines, and exit codes."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from serving.batching import SchedulerConfig
from sre.cli.app import app
from sre.errors import SreError
from sre.platforms.local.profile_trial import TrialOptions, try_profile

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("SRE_PUBLIC_DATA", ROOT.parent / "shared" / "data"))
REAL_RUN = DATA / "vllm_runs" / "RTX4090_Llama-3.1-8B_vllm_requests.jsonl"


def _maker() -> ModuleType:
    path = Path(__file__).parents[2] / "serving" / "profiles" / "synthetic_run.py"
    spec = importlib.util.spec_from_file_location("trial_synthetic_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


made: Any = _maker()
TRAFFIC = made.Traffic(requests=40, rate_rps=6, prompt_median=200, output_median=20)
STEP_TIME = "step_time: {{kind: linear, base_ms: {base_ms}, per_sequence_ms: 0, per_token_ms: 0.05}}"


def step_ms(plan: Any) -> float:
    """9 ms for the decodes, and 9 ms and 0.05 ms a token for what is prefilled."""
    return (9.0 if plan.decode_seqs else 0.0) + (9 + 0.05 * plan.prefill_tokens if plan.prefill_tokens else 0.0)


def hardware(**more: Any) -> Any:
    """Without noise; a request takes no time to its queue."""
    return made.Hardware(step_ms, plans_ahead=False, noise=0.0, front_ms=0.0, **more)


def profile(folder: Path, *, base_ms: float = 9.0, gpu: str = "H100-80GB", tensor: int = 4) -> Path:
    """What served the run, unless said otherwise."""
    shipped = (ROOT / "serving" / "profiles" / "h100-llama3-70b-tp4.yaml").read_text(encoding="utf-8")
    head, _, rest = shipped.partition("# Step times follow")
    cold_start = "cold_start:" + rest.partition("cold_start:")[2]
    text = head.replace("h100-llama3-70b-tp4", "mine", 1).replace("gpu: H100-80GB", f"gpu: {gpu}")
    text = text.replace("tensor_parallel: 4", f"tensor_parallel: {tensor}")
    path = folder / "mine.yaml"
    path.write_text(text + STEP_TIME.format(base_ms=base_ms) + "\n\n" + cold_start, encoding="utf-8")
    return path


def told(*arguments: str | Path) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["profile", "test", *map(str, arguments), "--json"])
    return result.exit_code, json.loads(result.stdout)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("run")
    path: Path = made.write_run(folder, hardware(), TRAFFIC)
    return path


def test_the_profile_that_made_a_run_replays_it(log: Path, tmp_path: Path) -> None:
    code, found = told(profile(tmp_path), log)
    assert (code, found["ok"], found["profile"]) == (0, True, "mine")
    assert found["mean_error_pct"] < 2
    tried = found["logs"][0]
    assert (tried["judged"], tried["is_exact"], tried["warnings"]) == ("all 40 requests", True, [])
    rows = [(row["measure"], row["statistic"]) for row in tried["compared"]]
    assert rows == [(m, s) for m in ("e2e_s", "ttft_s", "tpot_ms") for s in ("mean", "p50", "p90", "p99")]


def test_one_that_is_too_slow_is_told_from_it_by_the_exit_code(log: Path, tmp_path: Path) -> None:
    slow = profile(tmp_path, base_ms=11)
    code, found = told(slow, log)
    assert (code, found["ok"]) == (1, False)
    assert all(row["error_pct"] > 5 for row in found["logs"][0]["compared"] if row["measure"] == "tpot_ms")
    code, found = told(slow, log, "--mean-pct", "40", "--p99-pct", "60")
    assert (code, found["within"]) == (0, True)


@pytest.mark.parametrize(
    ("part", "judged"),
    [
        (("last", "--share", "0.25"), "the last 10 of 40 requests by arrival"),
        (("odd",), "every second one of 40 requests by arrival"),
    ],
)
def test_a_part_of_the_requests_is_judged_when_asked(
    log: Path, tmp_path: Path, part: tuple[str, ...], judged: str
) -> None:
    mine = profile(tmp_path)
    whole, found = told(mine, log)[1], told(mine, log, "--part", *part)[1]
    assert found["logs"][0]["judged"] == judged
    assert found["logs"][0]["compared"] != whole["logs"][0]["compared"]


def test_the_limits_of_the_run_hold_unless_the_profile_s_are_asked_for(tmp_path: Path) -> None:
    limits = SchedulerConfig(kv_blocks=60, max_num_seqs=4, max_num_batched_tokens=512, max_model_len=900)
    traffic = made.Traffic(requests=30, rate_rps=12, prompt_median=200, output_median=40, longest=400)
    run, mine = made.write_run(tmp_path, hardware(scheduler=limits), traffic), profile(tmp_path)
    asked = TrialOptions(str(mine), (run,))
    found = try_profile(asked, on_progress=lambda _: None)
    assert found.within
    assert found.logs[0].preemptions > 0
    assert found.logs[0].notes[0].startswith("limits of the run were used: kv_blocks 60 in the run, ")
    assert "max_num_seqs 4 in the run, 256 in the profile" in found.logs[0].notes[0]
    other = try_profile(TrialOptions(str(mine), (run,), limits="profile"), on_progress=lambda _: None)
    assert (other.within, other.logs[0].preemptions) == (False, 0)
    assert other.logs[0].notes[0].startswith("limits of the profile were used")


def test_a_profile_of_another_engine_is_tried_with_a_warning(log: Path, tmp_path: Path) -> None:
    found = told(profile(tmp_path, gpu="A100-80GB", tensor=8), log)[1]
    assert found["logs"][0]["warnings"] == [
        "another GPU: A100-80GB in the profile, H100-80GB in the run",
        "another tensor parallelism: 8 in the profile, 4 in the run",
    ]
    found = told("h100-llama3-8b-tp1", log)[1]
    assert "another model: Llama-3-8B in the profile, Llama-3.1-70B in the run" in found["logs"][0]["warnings"]


def test_a_long_log_is_replayed_fast_and_says_what_that_leaves_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("serving.profiles.fitting.trial.MOST_EXACT", 29)
    limits = SchedulerConfig(kv_blocks=60, max_model_len=900)
    traffic = made.Traffic(requests=30, rate_rps=12, prompt_median=200, output_median=40, longest=400)
    run = made.write_run(tmp_path, hardware(scheduler=limits), traffic)
    found = try_profile(TrialOptions(str(profile(tmp_path)), (run,)), on_progress=lambda _: None)
    assert not found.logs[0].is_exact
    assert "found nothing of itself in the prefix cache" in found.logs[0].notes[-1]


def test_what_is_printed_has_the_table_and_the_verdict(log: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["profile", "test", str(profile(tmp_path, gpu="L40S")), str(log)])
    assert result.exit_code == 0
    assert "warning: another GPU: L40S in the profile" in result.stdout
    assert "first token, s        p99" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("within 5 % and 8 %")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--part", "middle"),
        ("--limits", "mine"),
        ("--share", "1.5"),
        ("--mean-pct", "-1"),
        ("--p99-pct", "nan"),
    ],
)
def test_wrong_use_is_told_before_anything_is_read(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, ["profile", "test", "h100-llama3-8b-tp1", "x_requests.jsonl", *arguments])
    assert result.exit_code == 2


def test_bad_input_is_refused_in_one_line(log: Path, tmp_path: Path) -> None:
    def refused(profile: str | Path, run: Path, **more: Any) -> str:
        with pytest.raises(SreError) as caught:
            try_profile(TrialOptions(str(profile), (run,), **more), on_progress=lambda _: None)
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no-such" in refused("no-such", log)
    assert "absent" in refused(profile(tmp_path), tmp_path / "absent.jsonl")
    short = profile(tmp_path).read_text(encoding="utf-8").replace("max_model_len: 32768", "max_model_len: 64")
    (tmp_path / "mine.yaml").write_text(short, encoding="utf-8")
    assert "limits of the engine allow 64" in refused(tmp_path / "mine.yaml", log, limits="profile")


@pytest.mark.skipif(not REAL_RUN.is_file(), reason="the run is not there: set SRE_PUBLIC_DATA")
def test_the_shipped_profile_holds_on_its_run_and_another_gpu_s_does_not() -> None:
    code, found = told("rtx4090-llama3.1-8b", REAL_RUN)
    assert (code, found["logs"][0]["warnings"]) == (0, [])
    code, found = told("h100-llama3-8b-tp1", REAL_RUN)
    assert (code, found["logs"][0]["warnings"]) == (1, ["another GPU: H100-80GB in the profile, RTX-4090 in the run"])
