"""The appendix: at each source of a report, what stands there word for word, so that the file can be checked offline.

Reads the report folder and the case's own events. What cannot be read is said in the entry; it stops nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sre.incidents.case import Case
from sre.incidents.codec import encode
from sre.reports.model import DrillReport
from sre.reports.postincident.model import Evidence, PostIncidentReport, Quote, Source
from sre.reports.postincident.record_files import cleaned, count_lines, inside, line, lines_at, picked
from sre.reports.postincident.sources import sources_of

_EVENT = re.compile(r"([\w-]+)#(\d+)")
_LINE = re.compile(r"([\w./-]+):(\d+)")
_POINTER = re.compile(r"([\w./-]+\.json)#/(.*)")
_FILE = re.compile(r"[\w./-]+\.(?:jsonl|json|ya?ml|md|log|html)")
_URL = re.compile(r"https?://[^\s<>\"']+")
_JSON_LIMIT_BYTES = 32 * 1024 * 1024
_SAMPLES = "samples.jsonl"
Found = tuple[str, tuple[Quote, ...], str]
"""Where it leads, what stands there, and what has to be said of it."""


def with_evidence(
    report: PostIncidentReport, folder: Path, case: Case, drill: DrillReport | None = None, *, prefix: str = ""
) -> PostIncidentReport:
    """The report with its appendix. `prefix` leads from where the report is written to `folder` (`../drill/`)."""
    entries = []
    for number, source in enumerate(sources_of(report), 1):
        href, quotes, note = _look_up(source, folder, case, drill)
        is_file = href and not _URL.fullmatch(href)
        entries.append(Evidence(number, source, prefix + href if is_file else href, quotes, note))
    return replace(report, evidence=tuple(entries))


def _look_up(source: Source, folder: Path, case: Case, drill: DrillReport | None) -> Found:
    where = source.where
    if event := _EVENT.fullmatch(where):
        return _event(case, event.group(1), int(event.group(2)))
    if _URL.fullmatch(where):
        return where, (), ""
    if pointer := _POINTER.fullmatch(where):
        return _value(pointer.group(1), pointer.group(2), folder, drill)
    if numbered := _LINE.fullmatch(where):
        return _in_file(numbered.group(1), folder, int(numbered.group(2)), source)
    if _FILE.fullmatch(where):
        return _in_file(where, folder, 0, source)
    return _in_words(source, folder)


def _event(case: Case, incident: str, seq: int) -> Found:
    event = next((e for e in case.events if e.incident == incident and e.seq == seq), None)
    if event is None:
        return "", (), "the case has no such event"
    body = json.dumps(encode(replace(event)), ensure_ascii=False)
    kept = f"event {event.position} of the store" if event.position else "not kept in a store"
    return "", (Quote(0, cleaned(body)),), f"{kept}; see: sre incident show {incident}"


def _value(name: str, pointer: str, folder: Path, drill: DrillReport | None) -> Found:
    told = drill if name == "report.json" else None
    root: Any = told if told is not None else _document(folder, name)
    href = name if told is not None or inside(folder, name) is not None else ""
    if root is None:
        return href, (), f"{name} is not in the report folder, or no JSON"
    try:
        value = _follow(root, [part for part in pointer.split("/") if part])
    except (KeyError, IndexError, AttributeError, ValueError, TypeError):
        return href, (), f"{name} holds nothing at /{pointer}"
    text = json.dumps(_shortened(value), ensure_ascii=False)
    return href, (Quote(0, cleaned(f"/{pointer}: {text}")),), ""


def _document(folder: Path, name: str) -> Any:
    path = inside(folder, name)
    if path is None or path.stat().st_size > _JSON_LIMIT_BYTES:
        return None
    try:
        return json.loads(path.read_bytes())
    except (ValueError, OSError, RecursionError):
        return None


def _follow(root: Any, parts: Sequence[str]) -> Any:
    for part in parts:
        if isinstance(root, list | tuple):
            root = root[int(part)]
        elif isinstance(root, dict):
            root = root[part]
        else:
            root = getattr(root, part)
    return root


def _shortened(value: Any) -> Any:
    """A list of records is said by its length: 100,000 of them are no quote."""
    if isinstance(value, list | tuple) and len(value) > 12:
        return f"{len(value)} entries"
    return encode(value)


def _in_file(name: str, folder: Path, number: int, source: Source) -> Found:
    path = inside(folder, name)
    if path is None:
        return "", (), f"{name} is not in the report folder"
    if number:
        found = line(path, number)
        return name, found, "" if found else f"{name} has no line {number}"
    if source.pick:
        quotes, total = picked(path, source.pick)
        return name, quotes, _more(total, len(quotes))
    if source.at is not None:
        quotes = lines_at(path, source.at)
        return (
            name,
            quotes,
            "" if quotes else f"no line of {name} holds this very instant; it was computed from several",
        )
    return name, (), f"{count_lines(path):,} lines" if name.endswith(".jsonl") else "the whole file"


def _more(total: int, shown: int) -> str:
    if total == 0:
        return "no line is like that"
    return f"{total:,} lines in all" if total == shown else f"{total:,} lines in all, the first {shown} shown"


def _in_words(source: Source, folder: Path) -> Found:
    """A query, a metric, a person: nothing to quote, but the samples it was computed from may lie beside the report."""
    samples = _SAMPLES if inside(folder, _SAMPLES) is not None else ""
    if source.where in ("scraper", "prometheus") or "{" in source.where:
        return samples, (), f"computed from the counters in {_SAMPLES}" if samples else "its samples were not kept"
    return "", (), ""
