"""The table of severities says what the code does, in the module and in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sre.webhook import severity

ROOT = Path(__file__).resolve().parents[3]
LABEL = re.compile(r"`(\w+)`")


@pytest.mark.parametrize("text", [severity.__doc__, (ROOT / "docs" / "incidents.md").read_text("utf-8")])
def test_each_label_stands_in_the_row_of_its_severity_and_in_no_other(text):
    table = text.split("| severity |\n", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    rows = {row.split("|")[2].strip()[:4]: row.split("|")[1] for row in table}
    for asked, cell in rows.items():
        assert {severity.severity_of(label) for label in LABEL.findall(cell)} == {asked}
    assert "no label" in rows[severity.severity_of("")]
    assert not any(re.search(r"\bnone\b", LABEL.sub("", cell)) for cell in rows.values())
