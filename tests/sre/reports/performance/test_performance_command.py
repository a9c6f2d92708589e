"""`sre report performance` as a user types it; what it makes is simulated only, in a second or two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from sre.cli.report import app
from sre.errors import SreError


def performance(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["performance", *map(str, arguments)])


def made(folder: Path, *arguments: object) -> Path:
    result = performance("--simulated", "--quick", "--only", "knee,cold_start", "--out", folder, *arguments)
    assert result.exit_code == 0, result.output
    return folder / "performance.json"


def test_the_sections_there_are_can_be_listed() -> None:
    result = performance("--only", "list")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()][:2] == ["classes", "knee"]


def test_a_section_nobody_knows_is_refused_before_anything_starts() -> None:
    assert isinstance(performance("--only", "warp").exception, SreError)


def test_it_is_written_as_page_text_and_data(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    assert {one.name for one in path.parent.iterdir()} == {
        "performance.html",
        "performance.md",
        "performance.json",
    }
    data = json.loads(path.read_text())
    assert data["machine"] is None
    assert {one["kind"] for one in data["origins"]} == {"simulated"}


def test_the_same_request_gives_the_same_bytes(tmp_path: Path) -> None:
    assert made(tmp_path / "a").read_bytes() == made(tmp_path / "b").read_bytes()


def test_it_holds_against_itself_and_not_against_another_figure(tmp_path: Path) -> None:
    path = made(tmp_path / "a")
    again = performance("--verify", path)
    assert again.exit_code == 0, again.output
    assert "holds" in again.stdout
    path.write_text(path.read_text().replace('"value": 19.4', '"value": 19.5'))
    changed = performance("--verify", path, "--json")
    assert changed.exit_code == 1
    told = json.loads(changed.stdout)
    assert told["counts"]["outside"] == 1
    assert [one["name"] for one in told["checks"] if one["verdict"] == "outside"] == [
        "cold_start/simulated/compile/seconds"
    ]


def test_what_the_report_was_made_with_cannot_be_changed_while_it_is_verified(tmp_path: Path) -> None:
    result = performance("--verify", tmp_path / "x.json", "--seed", 2)
    assert result.exit_code == 2
    assert "leave out --seed" in result.output


@pytest.mark.parametrize("text", [None, "{}"])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    assert isinstance(performance("--verify", path).exception, SreError)
