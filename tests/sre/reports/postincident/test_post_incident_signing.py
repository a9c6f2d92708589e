"""What is signed does not change by signing, and changes with everything else."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.incidents.approvals import APPROVER_IDS
from sre.incidents.codec import encode
from sre.incidents.events import Approved, ItemSet, Linked, Measured, MilestoneMark, Observed
from sre.reports.postincident.build import post_incident
from sre.reports.postincident.json_file import post_incident_from_json
from sre.reports.postincident.lint import lint_file
from sre.reports.postincident.lint.from_report import reading_of_report
from sre.reports.postincident.signing import DOCUMENT, approval_rows
from sre.reports.postincident.write import whole_report, write_post_incident
from sre.reports.rebuild import without_store

WORDS = st.builds(
    Approved,
    st.sampled_from(APPROVER_IDS) | st.text(min_size=1, max_size=8),
    st.text(min_size=1, max_size=8),
    st.sampled_from([DOCUMENT, "post-incident.html", "finops.html"]),
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.sampled_from(["approved", "rejected"]),
    st.text(max_size=8),
)


@pytest.fixture(scope="session")
def built(alert_drafts, tmp_path_factory):
    """The report of the alert's incident after more drafts."""
    nothing = tmp_path_factory.mktemp("records")

    def build(*more):
        case = without_store((*alert_drafts, *more), "INC-0007")
        return whole_report(post_incident(case), nothing, case=case)

    return build


@pytest.fixture(scope="session")
def by(make_draft):
    def sign(role, sha256, decision="approved", comment="", at=400):
        return make_draft(at, Approved(role, "Ada", DOCUMENT, sha256, decision, comment))

    return sign


def states(report):
    return {row.role: row.state for row in report.approvals if row.is_asked}


@given(st.lists(WORDS, max_size=5))
def test_no_signature_changes_what_is_signed(built, make_draft, words):
    signed = built(*(make_draft(300 + n, word) for n, word in enumerate(words)))
    assert signed.content_sha256 == built().content_sha256


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (Observed("note"), "it was the cable"),
        (Measured({"requests_failed": "13"}), ""),
        (MilestoneMark("resolved", 1_790_000_300.0), ""),
        (ItemSet("A1", "Alert on flat counters", "bob", None, "2026-10-01", "open"), ""),
        (Linked("ticket", "https://tickets.example/1"), ""),
    ],
)
def test_any_other_event_outdates_an_approval(built, by, make_draft, payload, text):
    signed = by("finance", built().content_sha256)
    assert states(built(signed))["finance"] == "approved"
    later = built(signed, make_draft(500, payload, text))
    row = next(row for row in later.approvals if row.role == "finance")
    assert (row.state, row.name) == ("outdated", "Ada")
    assert row.shown == "outdated: approved an earlier version"
    assert later.unsigned == ("SRE lead", "Security/GRC", "Finance")


def test_another_figure_of_the_drill_changes_the_content(drill, drill_case, tmp_path):
    def sha256(report):
        told = post_incident(drill_case, drill=report)
        return whole_report(told, tmp_path, case=drill_case, drill=report).content_sha256

    lost = replace(drill.incident.impact, failed=drill.incident.impact.failed + 1)
    assert sha256(drill) == sha256(drill)
    assert sha256(drill) != sha256(replace(drill, incident=replace(drill.incident, impact=lost)))


def test_a_link_to_the_report_itself_outdates_nothing(built, by, make_draft):
    signed = by("finance", built().content_sha256)
    link = make_draft(450, Linked("report", "reports/INC-0007", "Report", "a" * 64))
    assert states(built(signed, link))["finance"] == "approved"


def test_the_newest_word_of_a_role_holds(built, by):
    sha256 = built().content_sha256
    report = built(by("finance", sha256), by("finance", sha256, "rejected", "the price is old", at=410))
    row = next(row for row in report.approvals if row.role == "finance")
    assert (row.state, row.shown) == ("rejected", "rejected: the price is old")
    assert "Finance" in report.unsigned


def test_a_word_of_somebody_who_need_not_sign_is_shown_and_asks_for_nothing(built, by):
    sha256 = built().content_sha256
    report = built(*(by(role, sha256) for role in APPROVER_IDS), by("intern", sha256, "rejected", "hm"))
    assert report.unsigned == ()
    assert next(row for row in report.approvals if row.role == "intern").comment == "hm"


def test_before_it_is_sealed_no_approval_counts(alert_drafts, by):
    case = without_store((*alert_drafts, by("finance", "a" * 64)), "INC-0007")
    assert "unchecked" in {row.state for row in approval_rows(case.events)}
    assert "Finance" in post_incident(case).unsigned


def test_the_sha256_can_be_computed_from_the_file_alone(alert_drafts, by, tmp_path, built):
    """As the contract says it, without this program's own functions."""
    case = without_store((*alert_drafts, by("finance", built().content_sha256)), "INC-0007")
    report = write_post_incident(post_incident(case), tmp_path, case=case)
    document = json.loads((tmp_path / "post-incident.json").read_text())
    sources = [row["source"] for row in document["approvals"] if row["source"]]
    only = [{key: one[key] for key in ("where", "at", "pick")} for one in sources]
    kept = [e for e in document["evidence"] if {key: e["source"][key] for key in ("where", "at", "pick")} not in only]
    bare = {**document, "approvals": [], "content_sha256": "", "evidence": kept}
    text = json.dumps(bare, indent=1, ensure_ascii=False) + "\n"
    assert hashlib.sha256(text.encode()).hexdigest() == report.content_sha256 == document["content_sha256"]


def test_pages_show_what_was_signed_and_who_is_missing(alert_drafts, by, tmp_path, built):
    sha256 = built().content_sha256
    case = without_store((*alert_drafts, by("finance", sha256), by("sre-lead", "0" * 64)), "INC-0007")
    write_post_incident(post_incident(case), tmp_path, case=case)
    for name in ("post-incident.html", "post-incident.md"):
        page = (tmp_path / name).read_text()
        assert f"sha256 {sha256[:12]}" in page
        assert "Missing: SRE lead, Security/GRC." in page
        assert "outdated: approved an earlier version" in page


def test_the_markdown_page_counts_for_the_lint_what_the_json_counts(alert_drafts, by, make_draft, tmp_path, built):
    sha256 = built().content_sha256
    words = (by("finance", sha256), by("sre-lead", "0" * 64), by("security-grc", sha256, "rejected", "not approved"))
    case = without_store((*alert_drafts, *words), "INC-0007")
    write_post_incident(post_incident(case), tmp_path, case=case)
    for name in ("post-incident.json", "post-incident.md"):
        found = next(one for one in lint_file(tmp_path / name).findings if one.rule == "approvals")
        assert "Finance" not in found.text
        assert "SRE lead, Security/GRC" in found.text


def test_a_report_of_before_there_were_signatures_is_read_and_counts_none(built):
    body = {"schema": 1, "kind": "post-incident", **encode(built())}
    del body["content_sha256"]
    old = ("role", "name", "decision", "when", "document", "source")
    body["approvals"] = [{key: row[key] for key in old} | {"decision": "approved"} for row in body["approvals"]]
    report = post_incident_from_json(json.dumps(body))
    assert len(report.unsigned) == len(report.approvals)
    assert not any(signed for _, signed in reading_of_report(report).approvals)
