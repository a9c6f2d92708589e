"""The files of a drill as typed evidence: supervisor events, journal, client records. (The ledger is `sre.chaos`'s.)

Reading is strict: a line that is no object or lacks what the contract promises is a fault with its line number, and all
faults of a file are reported at once. Only a cut last line is forgiven, because its writer may have died there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sre.errors import BadDocument
from sre.incidents.model import ChaosStep, ClientRecord, Journal, PlatformEvent

Record = Mapping[str, Any]


class Line(dict[str, Any]):
    """An object of a JSON Lines file that knows its line, counted from 1: what is made of it can point back there."""

    __slots__ = ("number",)

    def __init__(self, value: Record, number: int) -> None:
        super().__init__(value)
        self.number = number


def read_jsonl(path: Path) -> list[Line]:
    """The objects of a JSON Lines file. A cut last line is ignored; any other bad line raises BadDocument."""
    lines = _text_of(path).split("\n")
    records: list[Line] = []
    faults: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError:
            if number < len(lines):
                faults.append(f"{path}:{number}: not JSON")
            continue
        if isinstance(value, dict):
            records.append(Line(value, number))
        else:
            faults.append(f"{path}:{number}: expected an object")
    if faults:
        raise BadDocument(faults)
    return records


def read_object(path: Path) -> dict[str, Any]:
    """The one JSON object in a file. Raises BadDocument when it is absent, cut short or something else."""
    try:
        value = json.loads(_text_of(path))
    except ValueError as error:
        raise BadDocument([f"{path}: not JSON ({error}): its writer was cut short; run the drill again"]) from error
    if not isinstance(value, dict):
        raise BadDocument([f"{path}: expected an object; run the drill again"])
    return value


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise BadDocument([f"{path}: cannot be read ({error.strerror}); run the drill again"]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8 text (byte {error.start}); run the drill again"]) from error


def parse_platform_events(records: Sequence[Record], where: str = "events.jsonl") -> tuple[PlatformEvent, ...]:
    """The supervisor's records, in order of time, each with the line it stands in."""
    reader = _Reader(where)
    events = [
        PlatformEvent(
            at=reader.number(record, index, "at"),
            event=reader.text(record, index, "event"),
            replica=record.get("replica"),
            note=_words(record.get("detail")),
            evidence=f"{where}:{_line(record, index)}",
        )
        for index, record in enumerate(records)
    ]
    reader.done()
    return tuple(sorted(events, key=lambda e: e.at))


def parse_client_records(records: Sequence[Record], where: str = "requests.jsonl") -> tuple[ClientRecord, ...]:
    """The load generator's records, in order of sending. One without an end has no outcome: left out."""
    reader = _Reader(where)
    parsed = [_client_record(reader, r, i) for i, r in enumerate(records) if r.get("finished_at") is not None]
    reader.done()
    return tuple(sorted(parsed, key=lambda r: (r.sent_at, r.id)))


def parse_journal(journal: Record, where: str = "journal.json") -> Journal:
    """Chaos Toolkit's journal; raises BadDocument when it is not one."""
    if "status" not in journal:
        raise BadDocument([f"{where}: not a Chaos Toolkit journal (no status); run the experiment again"])
    states = journal.get("steady_states") or {}
    before, after = states.get("before") or {}, states.get("after") or {}
    groups = (
        ("before", "steady_states/before/probes", before.get("probes")),
        ("method", "run", journal.get("run")),
        ("after", "steady_states/after/probes", after.get("probes")),
        ("rollback", "rollbacks", journal.get("rollbacks")),
    )
    steps = (
        _step(phase, run, f"{where}#/{pointer}/{index}")
        for phase, pointer, runs in groups
        for index, run in enumerate(runs or ())
        if run.get("start")
    )
    return Journal(
        status=str(journal["status"]),
        deviated=bool(journal.get("deviated")),
        before_met=before.get("steady_state_met"),
        after_met=after.get("steady_state_met"),
        steps=tuple(sorted(steps, key=lambda s: (s.start, s.end))),
    )


class _Reader:
    """Reads typed values out of records and collects every fault, each with its line."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._faults: list[str] = []

    def number(self, record: Record, index: int, name: str) -> float:
        value = record.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        self._faults.append(f"{self._where}:{_line(record, index)}: {name} must be a number, found {value!r:.40}")
        return 0.0

    def text(self, record: Record, index: int, name: str) -> str:
        value = record.get(name)
        if isinstance(value, str):
            return value
        self._faults.append(f"{self._where}:{_line(record, index)}: {name} must be text, found {value!r:.40}")
        return ""

    def done(self) -> None:
        if self._faults:
            raise BadDocument(self._faults)


def _client_record(reader: _Reader, record: Record, index: int) -> ClientRecord:
    sent_at = reader.number(record, index, "sent_at" if record.get("sent_at") is not None else "scheduled_at")
    return ClientRecord(
        id=reader.text(record, index, "id"),
        scheduled_at=reader.number(record, index, "scheduled_at"),
        sent_at=sent_at,
        first_token_at=record.get("first_token_at"),
        last_token_at=record.get("last_token_at"),
        finished_at=reader.number(record, index, "finished_at"),
        prompt_tokens=int(record.get("prompt_tokens") or 0),
        output_tokens=int(record.get("output_tokens") or 0),
        max_gap_s=record.get("max_gap_s"),
        outcome=reader.text(record, index, "outcome"),
        replicas=tuple(record.get("replicas") or ()),
        line=_line(record, index),
    )


def _line(record: Record, index: int) -> int:
    """Where it stood in its file; records that were never in one are counted."""
    return record.number if isinstance(record, Line) else index + 1


def _step(phase: str, run: Record, evidence: str) -> ChaosStep:
    activity = run.get("activity") or {}
    start = _unix(run["start"])
    return ChaosStep(
        phase=phase,
        name=str(activity.get("name", "unnamed")),
        kind=str(activity.get("type", "activity")),
        status=str(run.get("status", "unknown")),
        start=start,
        end=_unix(run["end"]) if run.get("end") else start,
        tolerance_met=cast("bool | None", run.get("tolerance_met")),
        evidence=evidence,
    )


def _unix(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _words(detail: Any) -> str:
    if isinstance(detail, Mapping):
        return ", ".join(f"{key}={_word(value)}" for key, value in detail.items() if value is not None)
    return "" if detail is None else str(detail)


def _word(value: Any) -> str:
    """A table within a detail (the phases of a start) on one line."""
    return "; ".join(f"{key} {part}" for key, part in value.items()) if isinstance(value, Mapping) else str(value)
