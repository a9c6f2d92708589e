"""What a finished drill leaves in its folder, and what a page that fails costs the others: nothing."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from sre.cost.finance_reader import read_finance
from sre.errors import SreError
from sre.gameday import leaving
from sre.gameday.leaving import Left, leave
from sre.incidents.store import STORE_VARIABLE
from sre.reports.json_report import load_report
from sre.reports.manifest import read_anchors, verify

REPOSITORY = Path(__file__).parents[3]
EXAMPLE = REPOSITORY / "reports" / "example"
PAGES = ("finops.html", "post-incident.html", "report.html")


class Told:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(STORE_VARIABLE, raising=False)
    made = tmp_path / "reports" / "drill"
    shutil.copytree(EXAMPLE, made)
    for page in (*PAGES, "manifest.json"):
        (made / page).unlink(missing_ok=True)
    return made


def left_by(folder: Path, told: Told, *, faultless: bool = False) -> Left:
    report = load_report(EXAMPLE / "report.json")
    if faultless:
        report = replace(report, faults=())
    prepared = SimpleNamespace(
        folder=folder,
        options=SimpleNamespace(workspace=folder.parents[1]),
        finance=read_finance(REPOSITORY / "finance.yaml"),
    )
    return leave(prepared, report, runbook=None, gone_at=None, progress=told)


def test_a_drill_leaves_every_page_its_incident_and_a_manifest_that_knows_the_store(folder):
    told = Told()
    left = left_by(folder, told)
    assert told.notes == []
    assert all((folder / page).is_file() for page in PAGES)
    assert left.recorded is not None
    assert verify(folder) == []
    assert read_anchors(folder) == (left.recorded.anchor,)


def test_the_same_drill_left_twice_is_one_incident_with_the_same_pages(folder):
    first = left_by(folder, Told())
    bytes_of = {page: (folder / page).read_bytes() for page in PAGES}
    again = left_by(folder, Told())
    assert again.recorded == first.recorded
    assert {page: (folder / page).read_bytes() for page in PAGES} == bytes_of


@pytest.mark.parametrize(
    ("part", "lost"),
    [
        ("write_finops", "finops.html"),
        ("write_drill_documents", "post-incident.html"),
        ("rank_folder", None),
        ("costs_of_drill", None),
    ],
)
def test_a_page_that_cannot_be_made_is_told_and_costs_no_other(folder, monkeypatch, part, lost):
    def broken(*_: object, **__: object) -> None:
        raise SreError("it broke")

    monkeypatch.setattr(leaving, part, broken)
    told = Told()
    left_by(folder, told)
    assert [note.endswith(": it broke") for note in told.notes] == [True]
    assert [page for page in PAGES if not (folder / page).is_file()] == ([lost] if lost else [])
    assert verify(folder) == []


def test_a_drill_that_injected_nothing_is_no_incident(folder):
    told = Told()
    left = left_by(folder, told, faultless=True)
    assert left.recorded is None
    assert not (folder.parents[1] / "incidents.sqlite").exists()
    assert (folder / "report.html").is_file()
    assert not (folder / "post-incident.html").exists()
