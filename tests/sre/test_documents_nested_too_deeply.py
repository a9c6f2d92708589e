"""A document of thousands of opening brackets is refused in one line, whatever reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sre.cost.policies import read_policies
from sre.cost.price_book import parse_book
from sre.errors import BadDocument
from sre.incidents.build import incident_from_json
from sre.incidents.evidence import read_jsonl, read_object
from sre.incidents.payloads import payload_of
from sre.reports.json_report import from_json
from sre.reports.manifest import NAME, read_anchors
from sre.reports.postincident.json_file import post_incident_from_json
from sre.reports.suite import load_suite
from sre.tabletop.closing import read_review

DEEP = '{"a":' + "[" * 100_000 + "\n"


def _written(folder: Path, name: str = "some.json") -> Path:
    path = folder / name
    path.write_text(DEEP)
    return path


READERS: dict[str, Callable[[Path], object]] = {
    "price book": lambda folder: parse_book(DEEP, where="book.yaml"),
    "incident": lambda folder: incident_from_json(DEEP),
    "drill report": lambda folder: from_json(DEEP),
    "post-incident report": lambda folder: post_incident_from_json(DEEP),
    "after-action report": lambda folder: read_review(DEEP, "after-action.json"),
    "payload of an event": lambda folder: payload_of("opened", DEEP, "event 1"),
    "evidence": lambda folder: read_object(_written(folder)),
    "lines of evidence": lambda folder: read_jsonl(_written(folder)),
    "comparison of policies": lambda folder: read_policies(_written(folder), "USD"),
    "suite": lambda folder: load_suite(_written(folder)),
    "manifest": lambda folder: read_anchors(_written(folder, NAME).parent),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_it_is_one_line_and_no_traceback(reader: Callable[[Path], object], tmp_path: Path) -> None:
    with pytest.raises(BadDocument) as raised:
        reader(tmp_path)
    assert "\n" not in str(raised.value)
