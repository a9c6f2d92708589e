"""The assessed half of an entry: what it holds, and each fault with its line."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import BadDocument
from sre.risks.model import Level
from sre.risks.register import load_register, load_risks


def test_an_entry_is_read_whole(register):
    entry = register.with_lines().one
    found = entry.assessment
    assert found.statement == "Because engines crash, a replica stops answering; then streams are cut."
    assert (found.inherent, found.current, found.residual) == (Level(4, 4), Level(4, 2), Level(3, 2))
    assert (found.treatment, found.controls, found.slos, found.runbooks) == (
        *("mitigate", ("failover",), ("availability",), ("replica-crash",)),
    )
    assert (entry.experiments, entry.risk.shows, entry.lines["status"]) == (("EXP-001",), (), 5)


def test_an_acceptance_is_read_with_its_days(register):
    accepted = register.with_lines(accepted=True).one.assessment.acceptance
    assert (accepted.approver, accepted.role) == ("Ann Example", "SRE lead")
    assert (accepted.on, accepted.expires) == (date(2026, 1, 1), date(2026, 3, 31))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{likelihood: 4, impact: 2}", "{likelihood: 5, impact: 5}", ":11: .*5 x 5 is above inherent, 4 x 4"),
        ("{likelihood: 3, impact: 2}", "{likelihood: 5, impact: 2}", ":12: .*5 x 2 is above current, 4 x 2"),
        ("impact: 4}", "impact: 6}", r":10: .*impact: is 6: write a whole number from 1 to 5"),
        ("likelihood: 4, impact: 4", "likelihood: true, impact: 4", "write a whole number from 1 to 5"),
        ("likelihood: 4, impact: 4", "impact: 4", "inherent.likelihood: missing"),
        ("treatment: mitigate", "treatment: ignore", "write one of avoid, mitigate, transfer, accept"),
        ("    cause: engines crash\n", "", "cause: missing: say why it may happen"),
        ("EXP-001", "crash", "'crash' is no id"),
        ("status: open  ", "status: accepted", "acceptance: missing: an accepted risk needs approver, role, on"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_its_line(register, old, new, said):
    with pytest.raises(BadDocument, match=said):
        register.with_lines((old, new)).read()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("expires: 2026-03-31", "expires: 2026-01-01", "is 2026-01-01: write a day after 2026-01-01"),
        ("expires: 2026-03-31", "expires: soon", "is 'soon': write a day like 2026-01-31"),
        ("expires: 2026-03-31", "expires: 20260331", "write a day like 2026-01-31"),
        ("      approver: Ann Example\n", "", "approver: missing: name the person"),
        ("status: accepted", "status: mended  ", "the status is mended: write `status: accepted`, or remove it"),
    ],
)
def test_an_acceptance_is_whole_or_refused(register, old, new, said):
    register.with_lines(accepted=True)
    text = register.path.read_text()
    assert old in text
    register.path.write_text(text.replace(old, new))
    with pytest.raises(BadDocument, match=said):
        register.read()


def test_an_entry_that_is_neither_assessed_nor_a_weakness_is_refused(tmp_path):
    (tmp_path / "risks.yaml").write_text("risks:\n  - {id: RISK-001, title: t, status: open, owner: o}\n")
    with pytest.raises(BadDocument, match="found_by: missing"):
        load_risks(tmp_path)


STEPS = st.integers(1, 5)


@given(st.tuples(STEPS, STEPS), st.tuples(STEPS, STEPS), st.tuples(STEPS, STEPS))
def test_levels_are_taken_exactly_when_they_do_not_rise(tmp_path_factory, inherent, current, residual):
    folder = tmp_path_factory.mktemp("levels")
    rows = [
        f"    {n}: {{likelihood: {a}, impact: {b}}}"
        for n, (a, b) in zip(("inherent", "current", "residual"), (inherent, current, residual), strict=True)
    ]
    words = ("title: t", "status: open", "owner: o", "cause: c", "event: e", "consequence: k", "controls: []")
    head = ["risks:", "  - id: RISK-001", *(f"    {word}" for word in words), "    treatment: mitigate"]
    (folder / "risks.yaml").write_text("\n".join([*head, *rows]))
    falls = inherent[0] * inherent[1] >= current[0] * current[1] >= residual[0] * residual[1]
    try:
        load_register(folder)
        taken = True
    except BadDocument:
        taken = False
    assert taken == falls
