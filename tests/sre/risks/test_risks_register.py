"""The risk list is read strictly: what excuses a drill must be written down without a doubt."""

import pytest

from sre.errors import BadDocument
from sre.risks.register import load_risks, risk_named

GOOD = """risks:
  - id: RISK-001
    title: A hung stub is noticed late
    status: open
    owner: serving
    found_by: [EXP-003]
    shows: [alert, recovery]
    measured: 14 s instead of 5 s
    mend: ask each replica for a token every second
    issue: 12
"""


def written(workspace, text):
    (workspace / "risks.yaml").write_text(text)
    return workspace


def test_a_workspace_without_a_list_has_no_known_weakness(tmp_path):
    assert load_risks(tmp_path) == ()


def test_a_list_is_read_in_its_order(tmp_path):
    (risk,) = load_risks(written(tmp_path, GOOD))
    assert (risk.id, risk.status, risk.found_by, risk.shows, risk.issue) == (
        *("RISK-001", "open", ("EXP-003",), ("alert", "recovery"), "12"),
    )
    assert risk_named((risk,), "RISK-001", where=tmp_path) is risk


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("RISK-001", "R1", r"risks.yaml:2: risks\[0\].id: 'R1' is no id: write one like RISK-001"),
        ("EXP-003", "crash", "'crash' is no id: write one like EXP-001"),
        ("status: open", "status: opn", "did you mean `open`"),
        ("alert, recovery", "xyz", "write one of steady-state, alert, recovery, requests, cost"),
        ("    owner: serving\n", "", "owner: missing: say who looks after it"),
        ("    mend:", "    mends:", "did you mean `mend`"),
    ],
)
def test_what_is_wrong_with_a_risk_is_told_with_its_place(tmp_path, old, new, said):
    with pytest.raises(BadDocument, match=said):
        load_risks(written(tmp_path, GOOD.replace(old, new)))


def test_an_id_is_never_used_again(tmp_path):
    with pytest.raises(BadDocument, match="RISK-001 is there twice"):
        load_risks(written(tmp_path, GOOD + GOOD.partition("\n")[2]))
