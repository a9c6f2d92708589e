"""The fault ledger `chaos.jsonl`: what we did to the platform, written down before it is done.

It outlives the chaos process, so after a `kill -9` anyone can still see which faults are open, and it is the label
every alert is scored against. One record is one line, written under a lock and synced to the disk; a writer killed in
the middle leaves a cut last line, which was never acted on, and which the next writer removes. `run_*` records, written
by our control, carry an empty fault_id.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from sre.errors import BadDocument, PlatformError

LEDGER_FILE = "chaos.jsonl"
_BLOCK = 4096
_LOCK_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """One line of the ledger. `at` is Unix time, seconds; `line` where it was read, from 1, 0 for one not read yet."""

    at: float
    event: str
    fault_id: str = ""
    fault: str = ""
    target: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class LedgerFault:
    """One fault as the ledger tells it. `proven` is None while nobody has said; `proof` is how, or why not, and
    `proven_at` when. `undone` is when its cause was taken away (by whom: `undone_by`), `end` when its effect was over:
    None while that has not happened. `replicas` and `components` are what its plan names; `lines` where each of its
    records stands in the file, by event.
    """

    fault_id: str
    fault: str
    target: str
    begin: float
    proven: bool | None
    end: float | None
    undone: float | None = None
    undone_by: str | None = None
    proof: str = ""
    proven_at: float | None = None
    replicas: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict, compare=False)

    @property
    def is_open(self) -> bool:
        """Whether somebody still has to undo it."""
        return self.undone is None and self.end is None


class NotWritten(PlatformError):  # noqa: N818  (reads as a sentence)
    """The ledger took no record: a full disk, no permission, no directory."""


@dataclass(frozen=True, slots=True)
class Salvage:
    """What a ledger says, damaged or not: the records that can be read, and a line for each that cannot.

    `unread`: the file is there and could not be read at all, so nobody knows what it holds.
    """

    records: tuple[LedgerRecord, ...]
    damage: tuple[str, ...] = ()
    unread: bool = False


class Ledger:
    """The ledger of one state directory."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / LEDGER_FILE

    def append(self, record: LedgerRecord) -> None:
        """Write one record through to the disk. Raises NotWritten; then nothing of it stays in the file."""
        line = json.dumps(
            {
                "at": record.at,
                "event": record.event,
                "fault_id": record.fault_id,
                "fault": record.fault,
                "target": record.target,
                "detail": dict(record.detail),
            },
            allow_nan=False,
        )
        try:
            with self.path.open("a+b", buffering=0) as file:
                _lock(file)
                _drop_cut_line(file)
                _write(file, line.encode() + b"\n")
        except OSError as error:
            raise NotWritten(
                f"{self.path}: {record.event} cannot be written ({error.strerror}): make room, or make it writable"
            ) from error

    def read(self) -> tuple[LedgerRecord, ...]:
        """Every record, in the order written; none when there is no ledger yet. Raises BadDocument for a bad line."""
        return read_ledger(self.path)

    def salvage(self) -> Salvage:
        """Every record that can be read, and what is wrong with the others."""
        return salvage_ledger(self.path)

    def has_fault(self) -> bool:
        """Whether a fault was ever begun here."""
        return any(record.event == "fault_begin" for record in self.read())

    def open_faults(self) -> tuple[LedgerFault, ...]:
        """Faults that were begun and neither undone nor over, oldest first."""
        return tuple(fault for fault in fault_windows(self.read()) if fault.is_open)


def new_fault_id() -> str:
    return f"f-{uuid.uuid4().hex[:8]}"


def read_ledger(path: Path) -> tuple[LedgerRecord, ...]:
    """The records of a ledger file; none when it does not exist. A cut last line is left out."""
    found = salvage_ledger(path)
    if found.damage:
        raise BadDocument(list(found.damage))
    return found.records


def salvage_ledger(path: Path) -> Salvage:
    """What can be read of a ledger file; nothing when it does not exist. A cut last line is no damage."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return Salvage(())
    except OSError as error:
        why = f"{path}: cannot be read ({error.strerror}): restore it, or remove it with `sre down`"
        return Salvage((), (why,), unread=True)
    records, damage = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            records.append(_record(json.loads(line), number))
        except (TypeError, KeyError, ValueError, RecursionError) as error:
            if number < len(lines):
                damage.append(f"{path}:{number}: no ledger record ({type(error).__name__}: {error}): remove the line")
    return Salvage(tuple(records), tuple(damage))


def fault_windows(records: Iterable[LedgerRecord]) -> tuple[LedgerFault, ...]:
    """The faults of a ledger, by begin. Of several ends (undo is idempotent) the first counts."""
    begins: dict[str, LedgerRecord] = {}
    later: dict[str, dict[str, LedgerRecord]] = {}
    for record in records:
        if record.event == "fault_begin":
            begins.setdefault(record.fault_id, record)
        elif record.event.startswith("fault_"):
            later.setdefault(record.fault_id, {}).setdefault(record.event, record)
    windows = [_window(begin, later.get(fault_id, {})) for fault_id, begin in begins.items()]
    return tuple(sorted(windows, key=lambda w: (w.begin, w.fault_id)))


def since(records: Sequence[LedgerRecord], at: float) -> tuple[LedgerRecord, ...]:
    """The records written at or after `at`."""
    return tuple(record for record in records if record.at >= at)


def _lock(file: IO[bytes]) -> None:
    """Raises OSError when another writer, stopped in the middle, keeps it: nobody may wait for ever to undo a fault."""
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise OSError(errno.EAGAIN, f"another writer keeps it for {_LOCK_WAIT_S:g} s") from None
            time.sleep(0.01)


def _write(file: IO[bytes], line: bytes) -> None:
    """All of the line, through to the disk, or nothing of it. The file is unbuffered and at its end."""
    size = file.tell()
    try:
        while line:
            line = line[file.write(line) :]
        os.fsync(file.fileno())
    except OSError:
        file.truncate(size)
        raise


def _drop_cut_line(file: IO[bytes]) -> None:
    """Cut a half-written last line off; the file is locked and its position is at the end afterwards."""
    size = file.seek(0, os.SEEK_END)
    while size > 0:
        start = max(0, size - _BLOCK)
        file.seek(start)
        newline = file.read(size - start).rfind(b"\n")
        if newline >= 0:
            size = start + newline + 1
            break
        size = start
    file.truncate(size)
    file.seek(0, os.SEEK_END)


def _window(begin: LedgerRecord, later: Mapping[str, LedgerRecord]) -> LedgerFault:
    end, undone, proven = later.get("fault_end"), later.get("fault_undone"), later.get("fault_proven")
    said = proven or later.get("fault_not_proven")
    stated = begin.detail.get("plan")
    plan = stated if isinstance(stated, Mapping) else {}
    return LedgerFault(
        fault_id=begin.fault_id,
        fault=begin.fault,
        target=begin.target,
        begin=begin.at,
        proven=None if said is None else proven is not None,
        end=None if end is None else end.at,
        undone=None if undone is None else undone.at,
        undone_by=None if undone is None else str(undone.detail.get("by")),
        proof="" if said is None else _words(said),
        proven_at=None if proven is None else proven.at,
        replicas=tuple(plan.get("replicas") or ()),
        components=tuple(plan.get("components") or ()),
        lines={record.event: record.line for record in (begin, *later.values()) if record.line},
    )


def _words(said: LedgerRecord) -> str:
    """How it was proven, in the fault's own words; the whole detail where it has no words."""
    how = said.detail.get("how") or said.detail.get("reason")
    return str(how) if how else ", ".join(f"{key}={value}" for key, value in said.detail.items())


def _record(value: Mapping[str, Any], number: int) -> LedgerRecord:
    return LedgerRecord(
        at=float(value["at"]),
        event=str(value["event"]),
        fault_id=str(value["fault_id"]),
        fault=str(value["fault"]),
        target=str(value["target"]),
        detail=dict(value["detail"]),
        line=number,
    )
