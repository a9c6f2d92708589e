"""What is found wrong with a register on a given day, and what drills demonstrate."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sre.errors import BadDocument
from sre.risks.check import Judged, Known, check, unlinked
from sre.risks.evidence import evidence_of
from sre.risks.matrix import load_matrix
from sre.risks.model import Drilled
from sre.risks.register import load_risks, risk_named

TODAY = date(2026, 2, 1)
KNOWN = Known(frozenset({"EXP-001", "EXP-002"}), frozenset({"availability"}), frozenset({"replica-crash"}))


def drilled(day, outcome="passed", experiment="EXP-001"):
    at = datetime.fromisoformat(day).replace(hour=23, tzinfo=UTC).timestamp()
    return Drilled(experiment, outcome, f"{day}-{experiment}", at, f"reports/{day}/report.json")


def findings(register, *drills, today=TODAY, known=KNOWN):
    entries = register.read()
    evidence = {entry.id: evidence_of(entry, drills, today=today) for entry in entries}
    found = check(entries, Judged("risks.yaml", load_matrix(register.folder), known, evidence, today))
    return [finding.text for finding in found]


def test_a_register_in_order_has_no_findings(register):
    assert findings(register.with_lines()) == []
    assert findings(register.with_lines(accepted=True)) == []


def test_an_acceptance_holds_through_its_last_day_and_not_beyond(register):
    register.with_lines(accepted=True)
    assert findings(register, today=date(2026, 3, 31)) == []
    (told,) = findings(register, today=date(2026, 4, 1))
    assert (
        told == "risks.yaml:18: RISK-001.acceptance: expired on 2026-03-31: treat the risk, or have it accepted again"
    )


def test_an_acceptance_is_given_by_a_role_the_band_allows_and_not_for_longer(register):
    register.with_lines(accepted=True)
    text = register.path.read_text()
    register.path.write_text(text.replace("role: SRE lead", "role: intern").replace("2026-03-31", "2027-03-31"))
    who, how_long = findings(register)
    assert "a moderate risk may be accepted by SRE lead, head of engineering, not by the intern" in who
    assert "lasts 454 days: a moderate risk is accepted for 183 at most" in how_long
    register.path.write_text(text.replace("impact: 2", "impact: 5").replace("impact: 4", "impact: 5"))
    assert "a critical risk may be accepted by nobody" in findings(register)[0]


def test_an_acceptance_from_the_future_is_told(register):
    assert (
        "is dated 2026-01-01, after today" in findings(register.with_lines(accepted=True), today=date(2025, 12, 31))[0]
    )


def test_links_lead_somewhere(register):
    register.with_lines(("EXP-001", "EXP-009"), ("[availability]", "[availabilty]"), ("[replica-crash]", "[x]"))
    experiment, slo, runbook = findings(register)
    assert experiment == (
        "risks.yaml:15: RISK-001.experiments: EXP-009 is no experiment of this workspace: did you mean EXP-002?"
    )
    assert "did you mean availability?" in slo
    assert "x is no runbook of this workspace: remove it, or write what it names" in runbook


def test_the_band_may_not_rise_where_the_score_falls(register):
    """Of two levels with nearly the same score one may be judged graver."""
    register.with_lines(("inherent: {likelihood: 4, impact: 4}", "inherent: {likelihood: 5, impact: 2}"))
    register.path.write_text(
        register.path.read_text().replace("{likelihood: 4, impact: 2}", "{likelihood: 2, impact: 5}")
    )
    (told,) = findings(register)
    assert told == "risks.yaml:11: RISK-001.current: 2 x 5 high is above inherent, 5 x 2 moderate: lower it"


def test_a_treatment_by_acceptance_needs_somebody_who_accepts(register):
    assert "nobody has accepted it" in findings(register.with_lines(("treatment: mitigate", "treatment: accept")))[0]


def test_a_claim_of_evidence_needs_a_drill(register):
    register.with_lines(("treatment: mitigate", "treatment: mitigate\n    evidence: demonstrated"))
    assert "is only asserted: no drill of EXP-001 is recorded" in findings(register)[0]
    assert findings(register, drilled("2026-01-20")) == []


def test_a_weakness_alone_is_not_an_assessment(register):
    row = "{id: RISK-001, title: t, status: open, owner: o, found_by: [EXP-001], shows: [alert], measured: m, mend: n}"
    register.path.write_text(f"risks:\n  - {row}\n")
    (told,) = findings(register)
    assert told.startswith("risks.yaml:2: RISK-001.inherent: is not assessed: write cause, event, consequence, levels")


def test_experiments_without_a_risk_are_named(register):
    assert unlinked(register.with_lines().read(), KNOWN.experiments) == ("EXP-002",)


@pytest.mark.parametrize(
    ("drills", "standing", "words"),
    [
        ([], "asserted", "no drill of EXP-001 is recorded"),
        ([drilled("2026-02-01")], "demonstrated", ""),
        ([drilled("2025-11-03")], "demonstrated", ""),
        ([drilled("2025-11-02")], "asserted", "EXP-001 passed 91 days ago, more than 90"),
        ([drilled("2026-01-20", "deviated")], "asserted", "the newest drill of EXP-001 deviated"),
        ([drilled("2026-01-20", "known")], "asserted", "deviated as its known weakness says"),
        (
            [drilled("2026-01-10"), drilled("2026-01-20", "deviated")],
            "asserted",
            "the newest drill of EXP-001 deviated",
        ),
        ([drilled("2026-01-20"), drilled("2026-01-10", "deviated")], "demonstrated", ""),
        ([drilled("2026-01-20", experiment="EXP-002")], "asserted", "no drill of EXP-001"),
        ([drilled("2026-02-02")], "asserted", "is dated after that day"),
    ],
)
def test_only_a_passed_drill_that_is_young_enough_demonstrates(register, drills, standing, words):
    found = evidence_of(register.with_lines().one, drills, today=TODAY)
    assert found.standing == standing
    assert words in found.reason


def test_one_experiment_of_two_demonstrates_and_the_other_is_named(register):
    entry = register.with_lines(("[EXP-001]", "[EXP-001, EXP-002]")).one
    found = evidence_of(entry, [drilled("2026-01-20"), drilled("2026-01-25", "deviated", "EXP-002")], today=TODAY)
    assert (found.standing, found.proven, found.by.experiment, found.age_days) == (
        "demonstrated",
        ("EXP-001",),
        "EXP-001",
        12,
    )
    assert found.reason == "the newest drill of EXP-002 deviated"


def test_a_weakness_can_only_name_a_risk_that_says_what_it_shows(register):
    risks = load_risks(register.with_lines().folder)
    with pytest.raises(BadDocument, match="RISK-001 names no weakness: write found_by, shows, measured, mend"):
        risk_named(risks, "RISK-001", where=register.path)
