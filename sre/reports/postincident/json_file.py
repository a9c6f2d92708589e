"""`post-incident.json`: the report whole, and back."""

from __future__ import annotations

import json
from pathlib import Path

from sre.errors import BadDocument
from sre.incidents.codec import decode, encode
from sre.reports.postincident.model import PostIncidentReport

SCHEMA = 1
KIND = "post-incident"


def post_incident_json(report: PostIncidentReport) -> str:
    """Indented by one: people read it in reviews."""
    body = {"schema": SCHEMA, "kind": KIND, **encode(report)}
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def post_incident_from_json(text: str, where: str = "post-incident.json") -> PostIncidentReport:
    """Raises BadDocument with every fault and its path."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadDocument([f"{where}: not JSON ({error}); build the report again"]) from error
    if not isinstance(document, dict) or document.pop("kind", None) != KIND or document.pop("schema", None) != SCHEMA:
        raise BadDocument([f"{where}: not a post-incident report of schema {SCHEMA}; give a post-incident.json"])
    try:
        return decode(PostIncidentReport, document, where)
    except ValueError as error:
        raise BadDocument([f"{where}: {error}; build the report again"]) from error


def load_post_incident(path: Path) -> PostIncidentReport:
    """The report in the file at `path`; raises BadDocument, also when it cannot be read."""
    try:
        return post_incident_from_json(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise BadDocument([f"{path}: cannot be read ({error.strerror}); give a post-incident.json"]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8 text; give a post-incident.json"]) from error
