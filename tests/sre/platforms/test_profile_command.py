"""`sre profile`: the list with its error bars, one profile with its picture, and what is said of bad input."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import EnvironmentLacks, SreError
from sre.platforms.local.profile import FitOptions, fit_profile, list_profiles, profile_from_tables, show_profile
from sre.reports.profile import show_lines, write_picture

PROFILE = "h100-llama3-70b-tp4"


def _maker() -> ModuleType:
    path = Path(__file__).parents[2] / "serving" / "profiles" / "synthetic_run.py"
    spec = importlib.util.spec_from_file_location("command_synthetic_run", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


made: Any = _maker()


def told(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["profile", *arguments])
    return result.exit_code, result.stdout


def test_the_list_has_a_line_a_profile_with_its_error_bars() -> None:
    code, text = told("list")
    assert code == 0
    line = next(line for line in text.splitlines() if line.startswith(PROFILE + " "))
    assert "4 x H100-80GB" in line
    assert "planning: a step within 30 %, not tested" in line
    assert "does not fit" not in text


def test_what_does_not_fit_is_listed_when_asked_with_the_reason() -> None:
    _, text = told("list", "--refused", "--json")
    entries = {entry["name"]: entry for entry in json.loads(text)["profiles"]}
    assert "GB a GPU" in entries["rtx4090-llama3-70b-tp1"]["refusal"]
    assert entries[PROFILE]["refusal"] == ""
    assert entries[PROFILE]["error"]["basis"] == "planning"
    assert "about 70 % longer" in entries[PROFILE]["error"]["outside"]
    assert len([entry for entry in entries.values() if not entry["refusal"]]) == len(list_profiles())


def test_a_profile_is_shown_with_step_times_by_batch_and_context(tmp_path: Path) -> None:
    code, text = told("show", PROFILE, "--out", str(tmp_path / "p.png"))
    assert code == 0
    assert "decode step, ms, by sequences (down) and context tokens of each (across)" in text
    assert "outside of them    Batches of few prefill tokens beside decodes" in text
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    _, text = told("show", PROFILE, "--json")
    steps = json.loads(text)["steps"]
    assert len(steps["decode_ms"]) == len(steps["sequences"])
    assert steps["prefill_ms"] == sorted(steps["prefill_ms"])


def test_the_page_of_a_profile_has_its_chart_source_and_error_bars(tmp_path: Path) -> None:
    write_picture(show_profile("a100-llama3-70b-tp4-pp2"), tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert "planning: a step within 30" in page
    assert "Outside of it: Batches of few prefill tokens" in page
    assert "2 stages" in page


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SreError, match=r"name a \.png, \.svg or \.html file"):
        write_picture(show_profile(PROFILE), tmp_path / "p.gif")


def test_a_profile_that_does_not_fit_is_refused_in_one_line() -> None:
    with pytest.raises(SreError, match=r"^rtx4090-llama3-70b-tp2: .*by 50\.5 GB a GPU: use more") as caught:
        show_profile("rtx4090-llama3-70b-tp2")
    assert caught.value.exit_code == 2


def test_a_fit_says_both_parts_and_writes_a_profile_that_can_be_shown(tmp_path: Path) -> None:
    def step_ms(plan: Any) -> float:
        return float(9 + 0.05 * plan.total_tokens)

    traffic = made.Traffic(requests=24, rate_rps=8, prompt_median=200, output_median=12)
    log = made.write_run(tmp_path, made.Hardware(step_ms), traffic)
    out = tmp_path / "mine.yaml"
    code, text = told("fit", str(log), "--out", str(out), "--json")
    assert code == 0
    found = json.loads(text)
    assert found["logs"][0]["part"] == "every second one of 24 requests by arrival"
    assert {row["measure"] for row in found["logs"][0]["tested"]} == {"e2e_s", "ttft_s", "tpot_ms"}
    assert found["file"] == str(out)
    shown = show_profile(str(out))
    assert shown.entry.name == "mine"
    assert any("request overhead" in line for line in show_lines(shown))


def test_a_bad_log_is_refused_by_file_and_line(tmp_path: Path) -> None:
    log = made.write_run(tmp_path, made.Hardware(lambda _: 9.0), made.Traffic(requests=24, output_median=10))
    log.write_text(log.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    options = FitOptions((log,), "mine")
    with pytest.raises(SreError, match=rf"^{log}:24: is no JSON object") as caught:
        fit_profile(options, on_progress=lambda _: None)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit",),
        ("fit", "x_requests.jsonl", "--part", "middle"),
        ("fit", "x_requests.jsonl", "--out", "mine.json"),
        ("fit", "x_requests.jsonl", "--share", "1.5"),
        ("fit", "--aiconfigurator", "h100_sxm"),
        ("fit", "x_requests.jsonl", "--aiconfigurator", "h100_sxm", "--model", "Qwen/Qwen3-32B"),
    ],
)
def test_wrong_use_is_told_before_anything_is_read(arguments: tuple[str, ...]) -> None:
    assert told(*arguments)[0] == 2


def test_tables_need_the_package_in_an_environment_of_its_own() -> None:
    with pytest.raises(EnvironmentLacks, match="aiconfigurator-core"):
        profile_from_tables(
            "t", model="Qwen/Qwen3-32B", system="h100_sxm", tensor=2, pipeline=1, python="/absent/python"
        )
    with pytest.raises(EnvironmentLacks, match="has no aiconfigurator-core, which needs numpy 2"):
        profile_from_tables("t", model="Qwen/Qwen3-32B", system="h100_sxm", tensor=2, pipeline=1, python=sys.executable)


def test_an_unknown_model_has_no_tables() -> None:
    with pytest.raises(SreError, match="its shape is not known"):
        profile_from_tables("t", model="acme/x", system="h100_sxm", tensor=2, pipeline=1, python=sys.executable)
