"""`sre report approve`: who may sign what, and what the report says of it once it is built again."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from sre.cli.app import app
from sre.errors import SreError
from sre.incidents.events import Approved, Draft, Measured, Observed, Opened
from sre.incidents.store import open_store
from sre.reports.drill_case import record_drill
from sre.reports.json_report import to_json
from sre.reports.manifest import verify
from sre.reports.postincident.json_file import load_post_incident

AT = 1_790_000_000.0
ROLES = ("sre-lead", "security-grc", "finance")


@pytest.fixture
def workspace(tmp_path, monkeypatch, drill):
    """A drill (INC-0001) and an alert (INC-0002), both with their reports built."""
    monkeypatch.delenv("SRE_INCIDENTS_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "reports" / drill.id
    folder.mkdir(parents=True)
    (folder / "report.json").write_text(to_json(drill))
    store = open_store("incidents.sqlite", clock=lambda: AT + 900)
    record_drill(store, drill, folder)
    alert = Opened("Availability burns", "alertmanager", "SEV2", service="llm-gateway")
    store.open(
        Draft(AT, alert, "page", "alertmanager", "sre serve"),
        Draft(AT + 9, Measured({"requests_failed": "12"}), "counted", "prometheus", "ada"),
    )
    store.close()
    run("build", "INC-0001")
    run("build", "INC-0002")
    return tmp_path


def run(*words):
    return CliRunner().invoke(app, ["report", *map(str, words)])


def sign(which, role="finance", *more, name="Ada"):
    return run("approve", which, "--role", role, "--name", name, *more)


def note(incident, text):
    store = open_store("incidents.sqlite", clock=lambda: AT + 950)
    store.append(incident, [Draft(AT + 950, Observed("note"), text, "chat", "ada")])
    store.close()


def events(incident):
    store = open_store("incidents.sqlite", read_only=True)
    found = store.case(incident).events
    store.close()
    return found


def built(folder):
    return load_post_incident(folder / "post-incident.json")


def states(folder):
    return {row.role: row.state for row in built(folder).approvals}


def refused(done):
    assert isinstance(done.exception, SreError), done.output
    assert len(str(done.exception).splitlines()) == 1
    return str(done.exception)


def test_all_roles_sign_one_after_the_other_and_the_report_says_so_when_built_again(workspace, drill):
    folder = workspace / "reports" / drill.id
    before = built(folder)
    for role, which in zip(ROLES, ("INC-0001", "inc-1", "1"), strict=True):
        assert sign(which, role).exit_code == 0
    assert built(folder) == before
    assert run("build", "INC-0001").exit_code == 0
    after = built(folder)
    assert states(folder) == dict.fromkeys(ROLES, "approved")
    assert after.content_sha256 == before.content_sha256
    assert (after.timeline, after.anchor, after.unsigned) == (before.timeline, before.anchor, ())
    assert verify(folder) == []


def test_the_store_keeps_role_name_document_and_the_sha256_that_the_file_holds(workspace):
    done = sign("reports/INC-0002", "sre-lead", "--comment", " read twice ", "--json", name=" Ada L. ")
    told = json.loads(done.stdout)
    sha256 = built(workspace / "reports" / "INC-0002").content_sha256
    last = events("INC-0002")[-1]
    assert last.payload == Approved("sre-lead", "Ada L.", "post-incident.json", sha256, "approved", "read twice")
    assert (last.actor, last.source) == ("Ada L.", "sre report approve")
    assert told["content_sha256"] == sha256
    assert told["approvals"] == {"sre-lead": "approved", "security-grc": "missing", "finance": "missing"}


def test_a_drills_folder_and_a_copy_elsewhere_are_found_by_their_path(workspace, drill):
    assert sign(f"reports/{drill.id}").exit_code == 0
    assert run("build", "INC-0002", "--out", "copy").exit_code == 0
    done = sign("copy", "sre-lead")
    assert done.exit_code == 0, done.output
    assert "sre report build INC-0002 --out copy" in done.stdout
    assert run("build", "INC-0002", "--out", "copy").exit_code == 0
    assert states(workspace / "copy")["sre-lead"] == "approved"


def test_after_another_event_the_approval_is_shown_and_does_not_count(workspace):
    folder = workspace / "reports" / "INC-0002"
    sign("INC-0002")
    note("INC-0002", "it was the cable")
    run("build", "INC-0002")
    assert states(folder)["finance"] == "outdated"
    score = json.loads(run("lint", folder, "--json").stdout)["score"]
    assert sign("INC-0002", name="Bob").exit_code == 0
    run("build", "INC-0002")
    assert states(folder)["finance"] == "approved"
    assert json.loads(run("lint", folder, "--json").stdout)["score"] == score + 2


def test_a_rejection_is_kept_with_its_comment_and_leaves_the_role_missing(workspace):
    folder = workspace / "reports" / "INC-0002"
    assert sign("INC-0002", "finance", "--reject", "--comment", "the price is old").exit_code == 0
    run("build", "INC-0002")
    assert "Finance" in built(folder).unsigned
    assert "rejected: the price is old" in (folder / "post-incident.html").read_text()


@pytest.mark.parametrize(
    ("role", "name", "more", "said"),
    [
        ("on-call", "Ada", (), "use sre-lead, security-grc, finance"),
        ("SRE lead", "Ada", (), "approves nothing here"),
        ("finance", "  ", (), "needs a name"),
        ("finance", "Ada", ("--reject",), "needs its reason"),
        ("finance", "Ada", ("--reject", "--comment", " "), "needs its reason"),
    ],
)
def test_what_is_no_signature_is_refused_and_leaves_no_trace(workspace, role, name, more, said):
    before = events("INC-0001")
    assert said in refused(sign("INC-0001", role, *more, name=name))
    assert events("INC-0001") == before


def test_a_report_that_would_be_built_otherwise_now_is_not_approved(workspace):
    note("INC-0002", "it was the cable")
    said = refused(sign("INC-0002"))
    assert "not what would be built now" in said
    assert "sre report build INC-0002" in said


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("post-incident.json", '"text": "12"', '"text": "2"'),
        ("post-incident.json", '"content_sha256": "', '"content_sha256": "0'),
        ("post-incident.html", "Availability burns", "Nothing burns"),
        ("post-incident.md", "Availability burns", "Nothing burns"),
    ],
)
def test_a_page_that_was_edited_is_not_approved(workspace, name, old, new):
    page = workspace / "reports" / "INC-0002" / name
    assert old in page.read_text()
    page.write_text(page.read_text().replace(old, new))
    assert "build it again first" in refused(sign("INC-0002"))
    assert not any(isinstance(event.payload, Approved) for event in events("INC-0002"))


def test_a_report_that_was_never_built_is_not_approved(workspace):
    (workspace / "reports" / "INC-0002" / "post-incident.json").unlink()
    assert "there is no report to approve" in refused(sign("INC-0002"))


def test_without_a_store_nothing_is_signed_and_none_is_made(workspace, drill):
    (workspace / "incidents.sqlite").unlink()
    refused(sign(f"reports/{drill.id}"))
    assert not (workspace / "incidents.sqlite").exists()


def test_a_drill_that_the_store_does_not_know_is_not_signed(workspace, drill, tmp_path):
    store = open_store(tmp_path / "other.sqlite", clock=lambda: AT)
    store.open(Draft(AT, Opened("x", "manual", "SEV4"), "x", "x", "x"))
    store.close()
    said = refused(sign(f"reports/{drill.id}", "finance", "--store", tmp_path / "other.sqlite"))
    assert "no incident of this drill" in said


def test_a_folder_without_a_report_is_said_in_one_line(workspace, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "post-incident.json: cannot be read" in refused(sign("empty"))


def test_the_finops_briefing_names_the_roles_as_the_report_does(workspace):
    from sre.reports.finops_cases import sign_offs

    sign("INC-0002", "security-grc")
    store = open_store("incidents.sqlite", read_only=True)
    found = sign_offs([store.case("INC-0002")])
    store.close()
    assert [(one.role, one.name) for one in found] == [("SRE lead", ""), ("Security/GRC", "Ada"), ("Finance", "")]
