"""The pages: every figure with its origin, the same bytes for the same report, nothing unescaped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from sre.reports.performance.model import PerformanceReport, kind_of
from sre.reports.performance.write import write_performance

Make = Callable[..., PerformanceReport]


def pages(report: PerformanceReport, folder: Path) -> tuple[str, str, str]:
    html = write_performance(report, folder)
    return html.read_text(), html.with_suffix(".md").read_text(), html.with_suffix(".json").read_text()


def test_the_same_report_gives_the_same_bytes(make: Make, tmp_path: Path) -> None:
    assert pages(make(), tmp_path / "a") == pages(make(), tmp_path / "b")


def test_every_table_says_where_its_figures_are_from(make: Make, tmp_path: Path) -> None:
    html, markdown, text = pages(make(), tmp_path)
    blocks = re.findall(r'<div class="table (\w+)">\s*<h3>.*?<span class="origin (\w+)"', html)
    assert len(blocks) == 6
    assert all(outer == inner for outer, inner in blocks)
    assert {outer for outer, _ in blocks} == {"measured", "simulated", "compared"}
    for words in ("measured on 2 x a processor", "simulated with h100 (+/-30 %)"):
        assert words in html
    assert markdown.count("[measured 1]") == markdown.count("[simulated 1]") == 4
    data = json.loads(text)
    for section in data["sections"]:
        for table in section["tables"]:
            origins = {figure["origin"] for column in table["columns"] for figure in column["figures"]}
            assert len(origins) == 1


def test_lines_of_a_chart_are_of_one_origin_each_and_drawn_apart(make: Make, tmp_path: Path) -> None:
    html, _, _ = pages(make(), tmp_path)
    (chart,) = re.findall(r"<figure>.*?</figure>", html, flags=re.DOTALL)
    assert "measured: knee, 16 clients" in chart
    assert "simulated: knee, 16 clients" in chart
    assert "stroke-dasharray" in chart


def test_too_few_requests_are_said_at_the_head_and_at_the_section(make: Make, tmp_path: Path) -> None:
    html, markdown, text = pages(make(n=120), tmp_path)
    assert "not sufficient: 50 warm-up and 120 counted requests" in html
    assert "not sufficient" in markdown
    assert json.loads(text)["insufficient"] == ["classes"]
    enough, _, _ = pages(make(), tmp_path)
    assert "not sufficient" not in enough


def test_names_from_outside_stay_text(make: Make, tmp_path: Path) -> None:
    html, _, _ = pages(make(), tmp_path)
    assert "<talk>" not in html
    assert "&lt;talk&gt;" in html


def test_what_is_absent_is_said_with_its_reason(make: Make, tmp_path: Path) -> None:
    html, markdown, _ = pages(make(), tmp_path)
    assert "real vLLM: not here" in html
    assert "real vLLM: not here" in markdown
    assert "n/a, first token p50: no first token came in the window." in html


def test_a_simulated_report_has_no_date_and_no_machine(make: Make, tmp_path: Path) -> None:
    report = make()
    kinds = {kind_of(figure.origin) for _, figure in report.figures()}
    assert kinds == {"measured", "simulated", "compared"}
    names = [name for name, _ in report.figures()]
    assert len(names) == len(set(names))
