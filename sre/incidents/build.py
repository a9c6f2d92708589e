"""From evidence to an incident record. Pure: what was observed comes in, nothing is read or timed here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sre.errors import BadDocument
from sre.incidents.codec import decode, encode
from sre.incidents.durations import durations
from sre.incidents.impact import measure
from sre.incidents.milestones import milestones, no_fault
from sre.incidents.model import (
    ClientRecord,
    FaultWindow,
    Incident,
    Journal,
    Observation,
    PlatformEvent,
)
from sre.incidents.older import renamed
from sre.incidents.severity import judge_severity, severity_facts
from sre.incidents.timeline import timeline
from sre.slo.model import SloResult


def build_incident(
    *,
    incident_id: str,
    title: str,
    faults: Sequence[FaultWindow],
    events: Sequence[PlatformEvent],
    journal: Journal | None,
    results: Sequence[SloResult],
    records: Sequence[ClientRecord],
    observation: Observation,
    clock_factor: float = 1.0,
) -> Incident:
    """The incident of the drill's first fault; the timeline holds every fault.

    Definitions of milestones, impact and severity: `sre.incidents.milestones`, `.impact`, `.severity`. `clock_factor`
    is how many times faster than in production the drill's alert windows and budgets pass.
    """
    first = min(faults, key=lambda f: (f.begin, f.fault_id), default=None)
    if first is None:
        marks = no_fault()
    else:
        marks = milestones(first, events=events, results=results, records=records, observation=observation)
    impact = measure(records, first, observation)
    primary = [r for r in results if r.source == observation.primary_source]
    return Incident(
        id=incident_id,
        title=title,
        fault="none" if first is None else first.fault,
        target="none" if first is None else first.target,
        severity=judge_severity(severity_facts(impact, marks, primary, clock_factor=clock_factor)).severity,
        timeline=timeline(
            faults=faults, events=events, journal=journal, results=results, records=records, observation=observation
        ),
        milestones=marks,
        durations=durations(marks),
        impact=impact,
    )


def incident_to_json(incident: Incident) -> str:
    """The text of `incident.json`."""
    return json.dumps({"schema": 1, **encode(incident)}, indent=1, allow_nan=False) + "\n"


def incident_from_json(text: str, where: str = "incident.json") -> Incident:
    """The record back from its text; raises BadDocument with every fault."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadDocument([f"{where}: not JSON ({error}); build the report again"]) from error
    if not isinstance(document, dict) or document.pop("schema", None) != 1:
        raise BadDocument([f"{where}: not an incident of schema 1; build the report again"])
    return renamed(decode(Incident, document, where))


def load_incident(path: Path) -> Incident:
    """The record in the file at `path`; raises BadDocument, also when it cannot be read."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDocument([f"{path}: cannot be read ({error})"]) from error
    return incident_from_json(text, str(path))
