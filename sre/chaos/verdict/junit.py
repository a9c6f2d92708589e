"""A judged run as JUnit XML: one test suite, a test case for each check. The same run gives the same bytes.

It holds to the narrower of the two schemas in use (Apache Ant's, which wants properties, both outputs, and one result a
case at most) and so to Jenkins' as well. What was not played is skipped; a drill that tested nothing is not: it fails.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from sre.chaos.exit_codes import exit_code
from sre.chaos.verdict.check_list import CheckCase, check_list
from sre.chaos.verdict.judging import Examination

PACKAGE = "sre.chaos"
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(examination: Examination) -> str:
    """The document, ending with a line break."""
    cases = check_list(examination)
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", _suite_attributes(examination, cases))
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(examination):
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
    for case in cases:
        suite.append(_case(case))
    ET.SubElement(suite, "system-out").text = _text("\n".join(examination.judgement.reasons))
    ET.SubElement(suite, "system-err").text = _text("\n".join(examination.judgement.notes))
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite_attributes(examination: Examination, cases: tuple[CheckCase, ...]) -> dict[str, str]:
    journal, results = examination.journal, [case.result for case in cases]
    started_at, ended_at = examination.started_at, None if journal is None else journal.ended_at
    took_s = 0.0 if started_at is None or ended_at is None else max(0.0, ended_at - started_at)
    return {
        "id": "0",
        "package": PACKAGE,
        "name": _token(examination.title or "a run without a journal"),
        "timestamp": datetime.fromtimestamp(started_at or 0.0, UTC).strftime("%Y-%m-%dT%H:%M:%S"),
        "hostname": _token("" if journal is None else journal.node) or "localhost",
        "tests": str(len(cases)),
        "failures": str(results.count("failed")),
        "errors": str(results.count("error")),
        "skipped": str(results.count("not played")),
        "time": f"{took_s:.3f}",
    }


def _properties(examination: Examination) -> tuple[tuple[str, str], ...]:
    verdict = examination.verdict
    return (("verdict", verdict), ("exit_code", str(int(exit_code(verdict)))), ("run", examination.trail.run_id))


def _case(case: CheckCase) -> ET.Element:
    element = ET.Element(
        "testcase",
        {"classname": f"{PACKAGE}.{case.group}", "name": _token(case.name), "time": f"{case.duration_s:.3f}"},
    )
    if case.result == "not played":
        ET.SubElement(element, "skipped", {"message": "not played"})
    elif case.reasons:
        tag = "failure" if case.result == "failed" else "error"
        first = case.reasons[0]
        found = ET.SubElement(element, tag, {"type": first.verdict, "message": _token(first.text)})
        found.text = _text("\n".join(f"{reason.verdict}: {reason.text}" for reason in case.reasons))
    return element


def _token(text: str) -> str:
    """On one line, without double blanks: what the schema's names are."""
    return " ".join(_text(text).split())


def _text(text: str) -> str:
    """Characters that XML cannot hold (a terminal's colours in an error message) as `\\x1b`."""
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
