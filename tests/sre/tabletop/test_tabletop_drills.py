"""Which drill an exercise is built from, and what is said of those that were not taken."""

from __future__ import annotations

import shutil

import pytest

from sre.chaos.experiment import load_drill
from sre.tabletop.drills import find_drill

from .conftest import EXAMPLE, ROOT


@pytest.fixture
def workspace(tmp_path):
    for name in ("20261125T150729Z-replica-crash", "20261126T090000Z-replica-crash", "example"):
        shutil.copytree(EXAMPLE, tmp_path / "reports" / name)
    return tmp_path


@pytest.fixture(scope="module")
def drill():
    return load_drill(ROOT / "experiments" / "replica-crash.yaml")


def test_the_newest_is_taken(workspace, drill):
    found = find_drill(drill, workspace, None)
    assert found.evidence.folder == "20261126T090000Z-replica-crash"
    assert found.passed_over == ()


def test_one_that_was_changed_is_passed_over_and_named(workspace, drill):
    newest = workspace / "reports" / "20261126T090000Z-replica-crash"
    (newest / "report.md").write_text("all was well")
    found = find_drill(drill, workspace, None)
    assert found.evidence.folder == "20261125T150729Z-replica-crash"
    (reason,) = found.passed_over
    assert "20261126T090000Z-replica-crash: is not as its manifest says" in reason


def test_one_that_cannot_be_read_is_passed_over_and_named(workspace, drill):
    (workspace / "reports" / "20261126T090000Z-replica-crash" / "report.json").write_text("{")
    (reason,) = find_drill(drill, workspace, None).passed_over
    assert "not JSON" in reason


def test_a_drill_that_tested_nothing_is_passed_over_and_named(workspace, drill):
    for name in ("20261125T150729Z-replica-crash", "20261126T090000Z-replica-crash"):
        path = workspace / "reports" / name / "report.json"
        path.write_text(path.read_text("utf-8").replace('"verdict": "passed"', '"verdict": "void"', 1), "utf-8")
    found = find_drill(drill, workspace, None)
    assert found.evidence.folder == "example"
    assert all("is void and tested nothing" in reason for reason in found.passed_over)


def test_samples_that_are_not_there_are_said_to_be_so(workspace, drill):
    folder = workspace / "reports" / "20261126T090000Z-replica-crash"
    (folder / "samples.jsonl").unlink()
    from sre.reports.manifest import write_manifest

    write_manifest(folder)
    recording = find_drill(drill, workspace, None).recording
    assert recording.samples is None
    assert recording.no_samples == "n/a (samples.jsonl is not in the drill's folder)"
