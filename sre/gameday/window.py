"""What of a platform's evidence belongs to one drill, when several were played on it.

Counters need nothing here: they are read as increases between the drill's own ends. Events and ledger records are
chosen by time and by run, so that the fault of an earlier drill is neither judged again nor billed again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.incidents.evidence import read_jsonl
from sre.reports.atomic import write_text

_OF_A_LIFE = ("replica_started", "replica_ready")
_ENDS_A_LIFE = "replica_exited"


def own_records(records: Sequence[LedgerRecord], *, since: float) -> tuple[LedgerRecord, ...]:
    """The records of runs that began at or after `since`: an earlier run's fault, undone late, is not ours."""
    recent = [record for record in records if record.at >= since]
    runs = {record.detail.get("run") for record in recent if record.event == "run_begin"}
    ours = {r.fault_id for r in recent if r.event == "fault_begin" and r.detail.get("run") in runs | {None, ""}}
    return tuple(record for record in recent if not record.fault_id or record.fault_id in ours)


def write_own_ledger(state_dir: Path, folder: Path, *, since: float) -> None:
    """The drill's ledger, in its folder; none where nothing was written down."""
    ledger = Ledger(folder)
    ledger.path.unlink(missing_ok=True)
    for record in own_records(Ledger(state_dir).read(), since=since):
        ledger.append(record)


def write_own_events(source: Path, target: Path, *, since: float, until: float) -> None:
    """The platform's events of [since, until), led by how each replica that lived at `since` had started."""
    events = own_events(read_jsonl(source), since=since, until=until)
    write_text(target, "".join(json.dumps(event) + "\n" for event in events))


def own_events(events: Sequence[dict[str, Any]], *, since: float, until: float) -> list[dict[str, Any]]:
    """Bills and charts need to know that a replica lived when the drill began; its earlier lives are others'."""
    inside = [event for event in events if since <= float(event["at"]) < until]
    return [*_lives(event for event in events if float(event["at"]) < since), *inside]


def _lives(events: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    lives: dict[str, list[dict[str, Any]]] = {}
    for event in events:
        name, what = event.get("replica"), event.get("event")
        if name and what in _OF_A_LIFE:
            begun = [] if what == _OF_A_LIFE[0] else lives.get(name, [])
            lives[name] = [*begun, event]
        elif name and what == _ENDS_A_LIFE:
            lives.pop(name, None)
    return sorted((event for life in lives.values() for event in life), key=lambda event: float(event["at"]))
