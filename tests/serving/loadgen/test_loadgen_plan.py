"""The plan file: defaults, strictness, one line that names every fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serving.errors import BadInput
from serving.loadgen.plan import Plan, load_plan


def write_plan(folder: Path, **fields: Any) -> Path:
    path = folder / "plan.json"
    path.write_text(json.dumps({"url": "http://127.0.0.1:1", "out": str(folder / "out"), **fields}))
    return path


def fault_in(path: Path) -> str:
    with pytest.raises(BadInput) as raised:
        load_plan(path)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_url_and_out_are_enough(tmp_path: Path) -> None:
    plan = load_plan(write_plan(tmp_path))
    assert plan.duration_s == 75.0
    assert plan.prompt_tokens.median == 400
    assert plan.trace is None


def test_the_contract_page_shows_a_plan_that_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "contracts.md").read_text()
    start = page.index('{"url": "http://127.0.0.1:8400", "out"')
    shown = page[start : page.index("```", start)].replace("auto|azure|mooncake", "auto")
    path = tmp_path / "plan.json"
    path.write_text(shown)
    assert set(json.loads(shown)) == set(Plan.model_fields)
    assert load_plan(path).rate_rps == 6.0


def test_a_version_path_in_the_url_is_not_doubled(tmp_path: Path) -> None:
    assert load_plan(write_plan(tmp_path, url="http://localhost:8000/v1/")).url == "http://localhost:8000"


def test_every_fault_is_named_in_one_line(tmp_path: Path) -> None:
    message = fault_in(write_plan(tmp_path, rate_rps=0, duration_s="long", ratee=3))
    for part in ("plan.json", "rate_rps", "duration_s", "ratee"):
        assert part in message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"rate_rps": 1e9}, "lower rate_rps or duration_s"),
        ({"duration_s": 1e300}, "lower rate_rps or duration_s"),
        ({"url": "localhost:8400"}, "no http:// or https:// address"),
        ({"url": "http://10.0.0.7:8000"}, "forward its port here"),
        ({"url": "https://api.example.com"}, "forward its port here"),
        ({"prompt_tokens": {"median": 5, "sigma": 1, "min": 16, "max": 64}}, "min <= median <= max"),
        ({"trace": "t.csv", "cv": 2.0}, "'trace' brings its own arrivals and lengths: remove cv"),
        ({"seed": 1.5}, "seed"),
        ({"trace_format": "csv"}, "trace_format"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, fields: dict[str, Any], expected: str) -> None:
    assert expected in fault_in(write_plan(tmp_path, **fields))


def test_a_missing_or_broken_file_is_one_line(tmp_path: Path) -> None:
    assert "No such file" in fault_in(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("{")
    assert "broken.json" in fault_in(tmp_path / "broken.json")
