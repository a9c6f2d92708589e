"""JUnit XML of judged runs, held to the two schemas in use: Apache Ant's (the narrower one) and Jenkins'."""

import re
from xml.etree import ElementTree as ET

import pytest

from sre.chaos.verdict import Evidence, examine
from sre.chaos.verdict.junit import to_junit

SUITE = ("id", "package", "name", "timestamp", "hostname", "tests", "failures", "errors", "skipped", "time")
DECIMAL = re.compile(r"\d+\.\d{3}")


def require_schema(root):
    """What both schemas ask: element order, attributes and their types, one result a case at most."""
    assert (root.tag, root.attrib) == ("testsuites", {})
    (suite,) = root
    assert suite.tag == "testsuite"
    assert set(suite.attrib) == set(SUITE)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
    assert DECIMAL.fullmatch(suite.get("time"))
    assert suite.get("name")
    assert suite.get("hostname")
    tags = [child.tag for child in suite]
    assert tags == ["properties", *["testcase"] * (len(tags) - 3), "system-out", "system-err"]
    assert all(set(p.attrib) == {"name", "value"} and p.get("name") for p in suite.find("properties"))
    for case in suite.iter("testcase"):
        require_case(case)
    for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(count)) == len(list(suite.iter(tag)))
    assert int(suite.get("tests")) == len(list(suite.iter("testcase")))


def require_case(case):
    assert set(case.attrib) == {"name", "classname", "time"}
    assert DECIMAL.fullmatch(case.get("time"))
    for name in (case.get("name"), case.get("classname")):
        assert name == " ".join(name.split()) != ""
    assert len(case) <= 1
    for result in case:
        assert result.tag in ("failure", "error", "skipped")
        assert set(result.attrib) == ({"message"} if result.tag == "skipped" else {"type", "message"})
        assert len(result) == 0


def parsed(examination):
    root = ET.fromstring(to_junit(examination))  # noqa: S314  (we wrote it)
    require_schema(root)
    return root


def results(examination):
    """The result of each case by (group, name)."""
    return {
        (case.get("classname").removeprefix("sre.chaos."), case.get("name")): case[0].tag if len(case) else "passed"
        for case in parsed(examination).iter("testcase")
    }


def test_a_passed_run_has_a_case_for_everything_that_was_looked_at(a):
    assert results(a.examined()) == {
        ("run", "it was let in, ran to its end and left its records"): "passed",
        ("steady state before", "availability"): "passed",
        ("method", "crash it"): "passed",
        ("method", "heal it"): "passed",
        ("guard", "the guard let it go on"): "passed",
        ("fault", "replica-crash on llm-1 is proven, undone and over"): "passed",
        ("steady state after", "availability"): "passed",
        ("rollbacks", "heal all"): "passed",
        ("steady state after rollbacks", "availability"): "passed",
        ("verdict", "the run passed"): "passed",
    }


def test_a_deviation_fails_its_probe_and_the_verdict(a):
    found = results(a.examined(a.journal(steady_states=a.states(after=a.unmet()), deviated=True), returncode=1))
    failed = {case for case, result in found.items() if result == "failure"}
    assert failed == {("steady state after", "availability"), ("verdict", "the run passed")}


def test_a_void_drill_fails_and_is_not_skipped(a):
    other = a.activity("look", module="toy", kind="probe")
    journal = a.journal([a.played(other, output=1)], experiment=a.experiment(method=[other]))
    found = results(a.examined(journal, a.ledger(faults=[])))
    assert found["fault", "a fault is proven"] == "failure"
    assert found["verdict", "the run passed"] == "failure"


def test_a_failed_action_is_an_error_and_what_was_not_played_is_skipped(a):
    unmet = a.states(before=a.unmet()) | {"after": None}
    found = results(a.examined(a.journal([], steady_states=unmet), a.ledger(faults=[], after=False)))
    assert found["steady state before", "availability"] == "failure"
    assert found["method", "crash it"] == "skipped"
    assert found["steady state after", "availability"] == "skipped"
    broken = a.journal([a.failed(a.METHOD[0], "no"), a.played(a.METHOD[1])])
    assert results(a.examined(broken))["method", "crash it"] == "error"


def test_a_guard_abort_fails_the_guard(a):
    abort = a.record(105, "guard_abort", pid=7, reason="burns")
    journal = a.journal(status="interrupted", steady_states={**a.states(), "after": None})
    found = results(a.examined(journal, a.ledger(more=[abort]), returncode=1))
    assert found["guard", "the guard let it go on"] == "failure"


def test_rollbacks_that_were_never_played_are_an_error(a):
    assert results(a.examined(a.journal(rollbacks=[])))["rollbacks", "heal all"] == "error"


def test_a_run_without_journal_is_one_error(a):
    found = results(examine(Evidence(None, a.ledger(faults=[], after=False, end=None), -9, began_at=100.0)))
    assert found["run", "it was let in, ran to its end and left its records"] == "error"


def test_the_same_run_gives_the_same_bytes(a):
    assert to_junit(a.examined()) == to_junit(a.examined())


@pytest.mark.parametrize("name", ["\x1b[31mred\x1b[0m", "a\x00b", "\ud800", "<&>\"'", " two\n lines ", "\ufffe"])
def test_no_name_breaks_the_document(a, name):
    said = a.failed(a.activity(name, module="toy"), f"{name} broke")
    journal = a.journal([said], experiment=a.experiment(method=[a.activity(name, module="toy")]))
    examination = a.examined(journal)
    parsed(examination)
    to_junit(examination).encode("utf-8")


def test_control_characters_are_spelt_out(a):
    journal = a.journal([a.failed(a.METHOD[0], "\x1b[31mred"), a.played(a.METHOD[1])])
    assert r"\x1b[31mred" in to_junit(a.examined(journal))
