"""A report as `report.json` and back, exactly: enough to render the other files from it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from json.encoder import encode_basestring_ascii as _text
from math import inf
from pathlib import Path
from typing import Any

from sre.errors import BadDocument
from sre.incidents.codec import decode, encode
from sre.incidents.evidence import uncollected
from sre.incidents.older import renamed
from sre.reports.model import DrillReport, RequestPoint

SCHEMA = 1


def to_json(report: DrillReport) -> str:
    """One field a line, and one line an element in lists of records: small, diffable, quick to write."""
    body = {"schema": SCHEMA, **encode(replace(report, requests=()))}
    fields = (
        f"{json.dumps(name)}: {_requests(report.requests) if name == 'requests' else _lines(value)}"
        for name, value in body.items()
    )
    return "{\n" + ",\n".join(fields) + "\n}\n"


def from_json(text: str, where: str = "report.json") -> DrillReport:
    """Raises BadDocument with every fault and its path."""
    try:
        document = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadDocument([f"{where}: not JSON ({error}); write the report again"]) from error
    if not isinstance(document, dict):
        raise BadDocument([f"{where}: expected an object; write the report again"])
    schema = document.pop("schema", None)
    if schema != SCHEMA:
        raise BadDocument([f"{where}: schema {schema!r} is not {SCHEMA}; read it with the version that wrote it"])
    report = decode(DrillReport, document, where)
    return replace(report, incident=renamed(report.incident))


def load_report(path: Path) -> DrillReport:
    """The report in the file at `path`; raises BadDocument, also when it cannot be read."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadDocument([f"{path}: cannot be read ({error.strerror}); give the path of a report.json"]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8 text; give the path of a report.json"]) from error
    with uncollected():
        return from_json(text, str(path))


def _requests(points: Sequence[RequestPoint]) -> str:
    """As `_lines(encode(points))`, written out by hand: 100,000 rows took longer than all the rest of a report."""
    if not points:
        return "[]"
    return "[\n" + ",\n".join(map(_request, points)) + "\n]"


def _request(p: RequestPoint) -> str:
    replicas = ", ".join(map(_text, p.replicas))
    return (
        f'{{"at": {_number(p.at)}, "ttft_s": {_number(p.ttft_s)}, "e2e_s": {_number(p.e2e_s)}, '
        f'"max_gap_s": {_number(p.max_gap_s)}, "outcome": {_text(p.outcome)}, "replicas": [{replicas}], '
        f'"output_tokens": {int(p.output_tokens)}}}'
    )


def _number(value: float | None) -> str:
    return repr(value) if type(value) is float and -inf < value < inf else json.dumps(encode(value))


def _lines(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(json.dumps(item, allow_nan=False) for item in value) + "\n]"
    return json.dumps(value, allow_nan=False)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a JSON number")
