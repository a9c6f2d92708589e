"""The files of a drill as typed evidence: supervisor events, journal, client records. (The ledger is `sre.chaos`'s.)

Reading is strict: a line that is no object or lacks what the contract promises is a fault with its line number, and all
faults of a file are reported at once. Only a cut last line is forgiven, because its writer may have died there.
"""

from __future__ import annotations

import gc
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, cast

from sre.errors import BadDocument
from sre.incidents.model import ChaosStep, ClientRecord, Journal, PlatformEvent

Record = Mapping[str, Any]
_BEYOND = 2**63
_NUMBER_OR_NONE = frozenset({float, type(None)})


class Line(dict[str, Any]):
    """An object of a JSON Lines file that knows its line, counted from 1: what is made of it can point back there."""

    __slots__ = ("number",)

    def __init__(self, value: Record, number: int) -> None:
        super().__init__(value)
        self.number = number


def read_jsonl(path: Path) -> list[Line]:
    """The objects of a JSON Lines file. A cut last line is ignored; any other bad line raises BadDocument."""
    return list(iter_jsonl(path))


def iter_jsonl(path: Path) -> Iterator[Line]:
    """As `read_jsonl`, one after the other: 100,000 requests need not lie in memory twice. Faults are raised at the
    end, all at once.
    """
    faults: list[str] = []
    try:
        with path.open(encoding="utf-8", newline="\n") as stream:
            for number, line in enumerate(stream, 1):
                try:
                    value = json.loads(line)
                except (ValueError, RecursionError):  # the second: thousands of opening brackets
                    if line.strip() and line.endswith("\n"):
                        faults.append(f"{path}:{number}: not JSON")
                    continue
                if isinstance(value, dict):
                    yield Line(value, number)
                else:
                    faults.append(f"{path}:{number}: expected an object")
    except OSError as error:
        raise BadDocument([_unreadable(path, error)]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8 text (byte {error.start}); run the drill again"]) from error
    if faults:
        raise BadDocument(faults)


def read_object(path: Path) -> dict[str, Any]:
    """The one JSON object in a file. Raises BadDocument when it is absent, cut short or something else."""
    try:
        value = json.loads(_text_of(path))
    except (ValueError, RecursionError) as error:
        raise BadDocument([f"{path}: not JSON ({error}): its writer was cut short; run the drill again"]) from error
    if not isinstance(value, dict):
        raise BadDocument([f"{path}: expected an object; run the drill again"])
    return value


def _text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise BadDocument([_unreadable(path, error)]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8 text (byte {error.start}); run the drill again"]) from error


def _unreadable(path: Path, error: OSError) -> str:
    return f"{path}: cannot be read ({error.strerror}); run the drill again"


def parse_platform_events(records: Sequence[Record], where: str = "events.jsonl") -> tuple[PlatformEvent, ...]:
    """The supervisor's records, in order of time, each with the line it stands in."""
    reader = _Reader(where)
    events = [
        PlatformEvent(
            at=reader.number(record, index, "at"),
            event=reader.text(record, index, "event"),
            replica=reader.text_or_none(record, index, "replica"),
            note=_words(record.get("detail")),
            evidence=f"{where}:{_line(record, index)}",
        )
        for index, record in enumerate(records)
    ]
    reader.done()
    return tuple(sorted(events, key=lambda e: e.at))


def parse_client_records(records: Iterable[Record], where: str = "requests.jsonl") -> tuple[ClientRecord, ...]:
    """The load generator's records, in order of sending. One without an end has no outcome: left out."""
    reader = _Reader(where)
    parsed = [_client_record(reader, r, i) for i, r in enumerate(records) if r.get("finished_at") is not None]
    reader.done()
    return tuple(sorted(parsed, key=lambda r: (r.sent_at, r.id)))


def read_client_records(path: Path) -> tuple[ClientRecord, ...]:
    """As `parse_client_records` of the file's objects, without holding all of them: for files of 100,000 requests."""
    reader = _Reader(path.name)
    with uncollected():
        parsed = [
            _quickly(line) or _client_record(reader, line, 0)
            for line in iter_jsonl(path)
            if line.get("finished_at") is not None
        ]
        reader.done()
        return tuple(sorted(parsed, key=attrgetter("sent_at", "id")))


def _quickly(line: Line) -> ClientRecord | None:
    """The record of a line that holds everything it should; None where it has to be looked at field by field."""
    get = line.get
    first, last, gap = get("first_token_at"), get("last_token_at"), get("max_gap_s")
    try:
        sent, finished, scheduled = line["sent_at"], line["finished_at"], line["scheduled_at"]
        name, outcome, replicas = line["id"], line["outcome"], line["replicas"]
        prompt, output = line["prompt_tokens"], line["output_tokens"]
        if {type(sent), type(finished), type(scheduled), type(first), type(last), type(gap)} - _NUMBER_OR_NONE:
            return None
        if not (type(name) is type(outcome) is str and type(prompt) is type(output) is int and type(replicas) is list):
            return None
        if not math.isfinite(sent + finished + scheduled + (first or 0.0) + (last or 0.0) + (gap or 0.0)):
            return None
        served = tuple(map(sys.intern, replicas))
    except (KeyError, TypeError):
        return None
    return ClientRecord(
        name, scheduled, sent, first, last, finished, prompt, output, gap, sys.intern(outcome), served, line.number
    )


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for garbage meanwhile: hundreds of thousands of objects are made here, and none of them is any."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


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
        value: Any = record.get(name)
        if type(value) is float and -math.inf < value < math.inf:  # nearly all of them: 800,000 in a long drill
            return value
        if type(value) is int and abs(value) < _BEYOND:
            return float(value)
        self._faults.append(f"{self._where}:{_line(record, index)}: {name} must be a number, found {value!r:.40}")
        return 0.0

    def number_or_none(self, record: Record, index: int, name: str) -> float | None:
        """None where it is absent or null."""
        return None if record.get(name) is None else self.number(record, index, name)

    def names(self, record: Record, index: int, name: str) -> tuple[str, ...]:
        """A list of names, each kept once in memory however many records hold it."""
        value = record.get(name) or ()
        if isinstance(value, list | tuple) and all(type(item) is str for item in value):
            return tuple(map(sys.intern, value))
        self._faults.append(
            f"{self._where}:{_line(record, index)}: {name} must be a list of names, found {value!r:.40}"
        )
        return ()

    def text(self, record: Record, index: int, name: str) -> str:
        value = record.get(name)
        if isinstance(value, str):
            return value
        self._faults.append(f"{self._where}:{_line(record, index)}: {name} must be text, found {value!r:.40}")
        return ""

    def text_or_none(self, record: Record, index: int, name: str) -> str | None:
        """None where it is absent or null."""
        return None if record.get(name) is None else self.text(record, index, name)

    def done(self) -> None:
        if self._faults:
            raise BadDocument(self._faults)


def _client_record(reader: _Reader, record: Record, index: int) -> ClientRecord:
    sent_at = reader.number(record, index, "sent_at" if record.get("sent_at") is not None else "scheduled_at")
    return ClientRecord(
        id=reader.text(record, index, "id"),
        scheduled_at=reader.number(record, index, "scheduled_at"),
        sent_at=sent_at,
        first_token_at=reader.number_or_none(record, index, "first_token_at"),
        last_token_at=reader.number_or_none(record, index, "last_token_at"),
        finished_at=reader.number(record, index, "finished_at"),
        prompt_tokens=int(reader.number_or_none(record, index, "prompt_tokens") or 0),
        output_tokens=int(reader.number_or_none(record, index, "output_tokens") or 0),
        max_gap_s=reader.number_or_none(record, index, "max_gap_s"),
        outcome=sys.intern(reader.text(record, index, "outcome")),
        replicas=reader.names(record, index, "replicas"),
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
