"""`sre report build` and `sre report lint`: from the store, from a folder, and from what is left of either."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import SreError
from sre.incidents.events import Draft, Measured, MilestoneMark, Opened
from sre.incidents.store import open_store
from sre.reports.drill_case import record_drill
from sre.reports.json_report import to_json
from sre.reports.manifest import read_anchors, verify
from sre.reports.postincident.json_file import load_post_incident
from sre.reports.rebuild import find, rebuild

AT = 1_790_000_000.0


def no_costs(*_):
    return ()


@pytest.fixture
def workspace(tmp_path, monkeypatch, drill, factory):
    """A workspace with one drill's folder and a store that knows the drill and an alert."""
    monkeypatch.delenv("SRE_INCIDENTS_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "reports" / drill.id
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(to_json(drill))
    (folder / "chaos.jsonl").write_text("".join(json.dumps(row) + "\n" for row in factory.ledger_rows()))
    store = open_store(tmp_path / "incidents.sqlite", clock=lambda: AT + 900)
    record_drill(store, drill, folder)
    alert = Opened("Availability burns", "alertmanager", "SEV2", service="llm-gateway")
    store.open(
        Draft(AT, alert, "page", "alertmanager", "sre serve"),
        Draft(AT, MilestoneMark("alerted", AT), "paged", "alertmanager", "sre serve"),
        Draft(AT + 9, Measured({"requests_failed": "12"}), "counted", "prometheus", "ada"),
    )
    store.close()
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["report", *map(str, words)])


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_an_incident_of_a_drill_is_built_into_the_drills_folder(workspace, drill):
    done = run("build", "INC-0001", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["incident"], told["drill"]) == ("INC-0001", True)
    folder = workspace / "reports" / drill.id
    assert verify(folder) == []
    assert len(read_anchors(folder)) == 1
    assert "post-incident.html" in (folder / "report.html").read_text()
    assert load_post_incident(folder / "post-incident.json").anchor.split(":")[0].isdigit()


def test_by_id_and_by_folder_it_is_the_same_and_again_the_same(workspace, drill):
    folder = workspace / "reports" / drill.id
    assert run("build", "INC-0001").exit_code == 0
    first = contents(folder)
    assert run("build", f"reports/{drill.id}").exit_code == 0
    assert contents(folder) == first
    assert run("build", "INC-0001").exit_code == 0
    assert contents(folder) == first
    assert run("build", "1").exit_code == 0
    assert contents(folder) == first


def test_an_alert_without_a_drill_gets_a_folder_of_its_own(workspace):
    done = run("build", "INC-0002")
    assert done.exit_code == 0, done.output
    report = load_post_incident(workspace / "reports" / "INC-0002" / "post-incident.json")
    assert "12" in report.summary[1].text
    assert not report.is_drill
    assert verify(workspace / "reports" / "INC-0002") == []


def test_without_a_store_a_folder_is_enough(workspace, drill):
    (workspace / "incidents.sqlite").unlink()
    done = run("build", f"reports/{drill.id}")
    assert done.exit_code == 0, done.output
    assert "note: no incident store" in done.stderr
    assert load_post_incident(workspace / "reports" / drill.id / "post-incident.json").id == drill.id


def test_a_drill_the_store_does_not_know_is_built_from_its_folder(workspace, drill):
    other = replace(drill, id="20260922-other")
    folder = workspace / "reports" / other.id
    folder.mkdir()
    (folder / "report.json").write_text(to_json(other))
    done = run("build", str(folder))
    assert done.exit_code == 0, done.output
    assert "the store has no incident of drill 20260922-other" in done.stderr


@pytest.mark.parametrize("content", [None, b"{", b"\xff\xfe", b'{"schema": 1}'])
def test_a_lost_or_damaged_report_json_leaves_what_the_store_knows(workspace, drill, content):
    place = workspace / "reports" / drill.id / "report.json"
    place.unlink()
    if content is not None:
        place.write_bytes(content)
    done = run("build", "INC-0001")
    assert done.exit_code == 0, done.output
    assert len([line for line in done.stderr.splitlines() if "built from the store alone" in line]) == 1
    report = load_post_incident(workspace / "reports" / "INC-0001" / "post-incident.json")
    assert {row.name for row in report.milestones} >= {"fault injected", "recovered"}
    assert any("built from the store alone" in limit for limit in report.limits)


def test_half_written_records_stop_nothing(workspace, drill):
    folder = workspace / "reports" / drill.id
    (folder / "journal.json").write_text('{"status": "comp')
    (folder / "requests.jsonl").write_text('{"id": "r1", "sent_at": 17')
    (folder / "samples.jsonl").write_bytes(b"\xff\x00")
    done = run("build", "INC-0001")
    assert done.exit_code == 0, done.output
    assert all(line.startswith("note: ") for line in done.stderr.splitlines())
    assert verify(folder) == []


def test_elsewhere_it_leads_back_to_the_records(workspace, drill):
    done = run("build", "INC-0001", "--out", "copy")
    assert done.exit_code == 0, done.output
    report = load_post_incident(workspace / "copy" / "post-incident.json")
    hrefs = {entry.href for entry in report.evidence if entry.href}
    assert hrefs
    assert all(href.startswith(f"../reports/{drill.id}/") for href in hrefs)


def test_a_folder_with_other_things_in_it_is_not_taken_over(workspace):
    (workspace / "mine").mkdir()
    (workspace / "mine" / "letter.txt").write_text("dear")
    done = run("build", "INC-0002", "--out", "mine")
    assert isinstance(done.exception, SreError)
    assert "holds other files" in str(done.exception)
    assert contents(workspace / "mine") == {"letter.txt": b"dear"}


def test_what_is_neither_folder_nor_incident_is_said_in_one_line(workspace):
    unknown = run("build", "INC-9999").exception
    assert isinstance(unknown, SreError)
    assert "INC-9999" in str(unknown)
    (workspace / "incidents.sqlite").unlink()
    missing = run("build", "INC-0001").exception
    assert "there is no incident store" in str(missing)


def test_costs_that_cannot_be_told_are_a_note_and_no_end(workspace):
    def broken(*_):
        raise SreError("finance.yaml:3: no such currency")

    with_store = open_store(workspace / "incidents.sqlite", read_only=True)
    found = find("INC-0002", with_store, workspace)
    with_store.close()
    built = rebuild(found, out=None, workspace=workspace, costs_of=broken)
    assert built.notes == ("no cost: finance.yaml:3: no such currency",)


def test_a_linked_report_does_not_change_what_is_built(workspace, drill):
    """Where the report lies is written into the store after it was built: building again gives the same."""
    from sre.incidents.events import Linked

    folder = workspace / "reports" / drill.id
    run("build", "INC-0001")
    before = contents(folder)["post-incident.json"]
    store = open_store(workspace / "incidents.sqlite", clock=lambda: AT + 950)
    store.append("INC-0001", [Draft(AT + 950, Linked("report", f"reports/{drill.id}", "x", "a" * 64), "", "", "sre")])
    store.close()
    run("build", "INC-0001")
    assert contents(folder)["post-incident.json"] == before


def test_lint_says_what_is_missing_and_fails_below_the_score_that_was_asked(workspace, drill):
    run("build", "INC-0001")
    folder = f"reports/{drill.id}"
    good = run("lint", folder)
    assert good.exit_code == 0
    assert "of 100" in good.stdout
    told = json.loads(run("lint", folder, "--json").stdout)
    assert {"score", "findings", "ok"} <= set(told)
    assert all({"rule", "weight", "lost", "text", "mend"} == set(one) for one in told["findings"])
    assert run("lint", folder, "--min-score", "100").exit_code == 1


def test_a_pdf_without_playwright_is_one_line(workspace, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    done = run("build", "INC-0002", "--pdf")
    assert type(done.exception).__name__ == "EnvironmentLacks"
    assert "llm-gameday[pdf]" in str(done.exception)
    assert (workspace / "reports" / "INC-0002" / "post-incident.html").is_file()


def test_the_dates_and_ids_of_a_pdf_are_taken_out_byte_for_byte():
    from sre.reports.pdf import undated

    document = b"/CreationDate (D:20261125171839+00'00')\n/ModDate (D:20261125171839+00'00')/ID [<AB12><CD34>] rest"
    found = undated(document, AT)
    assert len(found) == len(document)
    assert found.count(b"D:20260921") == 2
    assert b"<0000><0000>" in found
    assert undated(found, AT) == found
