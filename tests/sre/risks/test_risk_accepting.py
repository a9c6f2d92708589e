"""An acceptance goes into the register and nothing else changes, comments least of all."""

from __future__ import annotations

from datetime import date

import pytest

from sre.errors import SreError
from sre.risks.accepting import accepted_register, difference
from sre.risks.model import Acceptance

NEW = Acceptance('Bo "B" O\'Hara', "SRE lead", date(2026, 2, 1), date(2026, 5, 1), "cheap: it heals # itself")


def test_only_the_status_and_the_acceptance_change(register):
    register.with_lines()
    text = accepted_register(register.path, "RISK-001", NEW)
    changed = [
        line
        for line in difference(register.path, text).splitlines()
        if line[0] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert changed[0] == "-    status: open                     # open, accepted, mended"
    assert changed[1] == "+    status: accepted                     # open, accepted, mended"
    assert all(line.startswith("+") for line in changed[1:])
    assert "# why we keep this list" in text
    register.path.write_text(text)
    assert register.one.assessment.acceptance == NEW
    assert register.one.risk.status == "accepted"


def test_an_older_acceptance_is_replaced(register):
    register.with_lines(accepted=True)
    register.path.write_text(accepted_register(register.path, "RISK-001", NEW))
    assert register.one.assessment.acceptance == NEW
    assert register.path.read_text().count("acceptance:") == 1
    assert accepted_register(register.path, "RISK-001", NEW) == register.path.read_text()


def test_other_risks_stay_as_they_are(register):
    register.with_lines()
    second = register.entry.partition("list\n")[2].replace("RISK-001", "RISK-002")
    register.path.write_text(register.entry + "\n  # the second\n" + second)
    register.path.write_text(accepted_register(register.path, "RISK-002", NEW))
    first, other = register.read()
    assert (first.risk.status, other.risk.status) == ("open", "accepted")
    assert "# the second" in register.path.read_text()


def test_what_cannot_be_edited_safely_is_left_to_a_person(register):
    flow = register.entry.partition("- ")[2]
    rows = [line.partition("#")[0].strip() for line in flow.splitlines()]
    register.path.write_text("risks:\n  - {" + ", ".join(rows) + "}\n")
    before = register.path.read_text()
    with pytest.raises(SreError, match=r"cannot be edited safely: put in by hand: approver: .* expires: 2026-05-01"):
        accepted_register(register.path, "RISK-001", NEW)
    assert register.path.read_text() == before


def test_a_risk_that_is_not_there_is_named_with_those_that_are(register):
    with pytest.raises(SreError, match=r"RISK-009 is not in risks\.yaml: it has RISK-001"):
        accepted_register(register.with_lines().path, "RISK-009", NEW)
