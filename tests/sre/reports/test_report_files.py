"""report.json round trip, the manifest, and the folder as a whole."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from sre.errors import BadDocument, EnvironmentLacks
from sre.reports.atomic import write_text
from sre.reports.html import render_html
from sre.reports.json_report import from_json, load_report, to_json
from sre.reports.manifest import verify, write_manifest
from sre.reports.write import write_report


def test_json_gives_back_the_same_report(drill):
    again = from_json(to_json(drill))
    assert to_json(again) == to_json(drill)
    assert replace(again, results=()) == replace(drill, results=())
    for ours, theirs in zip(drill.results, again.results, strict=True):
        assert replace(ours, curves=()).slo == theirs.slo
        for mine, yours in zip(ours.curves, theirs.curves, strict=True):
            np.testing.assert_array_equal(mine.long_burn, yours.long_burn)
            assert mine.tier == yours.tier


def test_the_page_can_be_rendered_again_from_json(drill, page):
    assert render_html(from_json(to_json(drill)), ["journal.json"]) == page


def test_nan_is_null_and_decimal_is_text(drill):
    curve = replace(drill.results[0].curves[0], long_burn=np.array([np.nan, 1.5, np.inf]))
    result = replace(drill.results[0], curves=(curve,))
    document = json.loads(to_json(replace(drill, results=(result,))))
    assert document["results"][0]["curves"][0]["long_burn"] == [None, 1.5, "inf"]
    assert document["cost"]["total"] == "0.251160"
    again = from_json(to_json(replace(drill, results=(result,))))
    np.testing.assert_array_equal(again.results[0].curves[0].long_burn, curve.long_burn)
    assert again.cost.total == Decimal("0.251160")
    assert str(again.cost.total) == "0.251160"


def test_every_fault_of_a_bad_report_is_named_with_its_path(drill, tmp_path):
    document = json.loads(to_json(drill))
    document["verdict"] = "fine"
    del document["incident"]["id"]
    document["requests"][3]["e2e_s"] = "slow"
    document["requests"][4]["at"] = None
    document["cost"]["total"] = 1.5
    document["surprise"] = 1
    path = tmp_path / "report.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BadDocument) as caught:
        load_report(path)
    told = "\n".join(caught.value.faults)
    for where in (".verdict", ".incident.id", ".requests[3].e2e_s", ".requests[4].at", ".cost.total", ".surprise"):
        assert f"{path}{where}: " in told
    assert len(caught.value.faults) == 6


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"schema": 2}', '{"schema": 1}', '{"schema": 1, "ended_at": NaN}', "\0"]
)
def test_what_is_no_report_is_one_line_with_its_path(tmp_path, text):
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(BadDocument) as caught:
        load_report(path)
    assert all(str(path) in fault and "\n" not in fault for fault in caught.value.faults)


def test_a_missing_or_binary_report_is_one_line_too(tmp_path):
    (tmp_path / "bin.json").write_bytes(b"\xff\xfe\x00")
    for name in ("none.json", "bin.json", "."):
        with pytest.raises(BadDocument):
            load_report(tmp_path / name)


@pytest.fixture
def folder(drill, tmp_path):
    root = tmp_path / "reports" / "one"
    (root / "samples").mkdir(parents=True)
    (root / "journal.json").write_text("{}")
    (root / "samples" / "a.jsonl").write_text("{}\n")
    write_report(drill, root)
    return root


def test_the_manifest_lists_every_file_but_itself(folder):
    document = json.loads((folder / "manifest.json").read_text())
    names = {"report.html", "report.md", "report.json", "journal.json", "samples/a.jsonl"}
    assert document["schema"] == 1
    assert set(document["files"]) == names
    for name in names:
        content = (folder / name).read_bytes()
        assert document["files"][name] == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert verify(folder) == []


def test_writing_twice_gives_the_same_bytes_and_leaves_nothing_else(drill, folder):
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    write_report(drill, folder)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_artefacts_are_listed_on_the_page(folder):
    assert "samples/a.jsonl" in (folder / "report.html").read_text()


def test_tampering_is_found(folder):
    html = folder / "report.html"
    html.write_text(html.read_text().replace("Passed", "Failed", 1))
    (folder / "report.md").write_text("short")
    (folder / "journal.json").unlink()
    (folder / "extra.txt").write_text("hello")
    problems = verify(folder)
    assert [p.split(":")[0] for p in problems] == ["journal.json", "extra.txt", "report.html", "report.md"]
    assert "sha256 differs" in problems[2]
    assert "5 bytes" in problems[3]


def test_links_are_refused_even_when_their_content_is_right(folder, tmp_path):
    outside = tmp_path / "outside.json"
    (folder / "report.json").replace(outside)
    (folder / "report.json").symlink_to(outside)
    assert verify(folder) == ["report.json: is a symbolic link"]
    with pytest.raises(BadDocument, match="symbolic link"):
        write_manifest(folder)


def test_a_linked_folder_is_not_followed(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret").write_text("x")
    (folder / "more").symlink_to(tmp_path / "elsewhere")
    assert verify(folder) == ["more: is a symbolic link"]


@pytest.mark.parametrize("name", ["../escape", "/etc/hostname", "samples/../../x", "", "./report.html", "a\\b"])
def test_a_manifest_that_names_paths_outside_is_refused(folder, name):
    path = folder / "manifest.json"
    document = json.loads(path.read_text())
    document["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    path.write_text(json.dumps(document))
    assert verify(folder) == [f"{name}: the manifest names a path outside the folder"]


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"schema": 1}', '{"schema": 1, "files": {"a": {"bytes": 1}}}', '{"schema": 1, "files": {"a": 3}}'],
)
def test_a_broken_manifest_is_a_problem_and_no_crash(folder, text):
    (folder / "manifest.json").write_text(text)
    problems = verify(folder)
    assert len(problems) == 1
    assert problems[0].startswith("manifest.json: ")


def test_a_folder_without_manifest_cannot_be_verified(tmp_path):
    assert verify(tmp_path) == ["manifest.json: missing; nothing can be verified"]
    assert verify(tmp_path / "none") == ["no such folder"]


def test_a_failed_write_keeps_the_old_file_and_leaves_no_temporary(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    write_text(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(EnvironmentLacks, match="No space left"):
        write_text(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_report_dies_without_manifest_when_writing_fails(drill, folder, monkeypatch):
    monkeypatch.setattr("sre.reports.write.render_html", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(drill, folder)
    assert not (folder / "manifest.json").exists()
