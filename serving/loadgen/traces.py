"""Reads request traces: the Azure LLM inference CSV and Mooncake's JSON Lines.

Only the rows a run will use are read: public traces run to millions of rows. A bad row is an error with its line, never
skipped, since a trace with holes is another workload.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from serving.errors import BadInput
from serving.loadgen.model import TraceRow
from serving.loadgen.plan import TraceFormat

MOONCAKE_BLOCK_TOKENS = 512
_AZURE_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_MOONCAKE_KEYS = ("timestamp", "input_length", "output_length", "hash_ids")
_MAX_TOKENS = 10_000_000
_MAX_MS = 1e15
_MAX_FAULTS = 5

Parsed = tuple[int, TraceRow | str]
"""A line number and its row, or what is wrong with it. `at_s` is still absolute."""


def read_trace(
    path: Path, trace_format: TraceFormat = "auto", *, max_rows: int | None = None, span_s: float | None = None
) -> tuple[TraceRow, ...]:
    """Rows from the start of the trace, their times counted from the first.

    Stops after `max_rows` rows, or before the first row `span_s` or more seconds in. Raises BadInput with file:line.
    """
    with open_rows(path, trace_format) as parsed:
        return _collect(path, parsed, max_rows=max_rows, span_s=span_s)


@contextmanager
def open_rows(path: Path, trace_format: TraceFormat = "auto") -> Iterator[Iterator[Parsed]]:
    """Every line of the trace, one at a time, bad ones included; for who counts them. Raises BadInput as `read_trace`
    does where the file as a whole cannot be read.
    """
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):
            raise BadInput(f"{path}: cannot read the trace: it is no regular file")
        with path.open(encoding="utf-8-sig", newline="") as file:
            name = detect_format(file, path) if trace_format == "auto" else trace_format
            yield _READERS[name](file, path)
    except OSError as error:
        raise BadInput(f"{path}: cannot read the trace: {error.strerror}") from error
    except UnicodeDecodeError as error:
        how = "unpack it first" if path.suffix in (".gz", ".zst", ".bz2", ".xz", ".zip") else "save it as UTF-8"
        raise BadInput(f"{path}: not a text file in UTF-8 (byte {error.start}): {how}") from error


def detect_format(file: TextIO, path: Path) -> TraceFormat:
    """`azure` or `mooncake` by the first line; the file is left at its start."""
    first = next((line for line in file if line.strip()), "").strip()
    file.seek(0)
    if not first:
        raise BadInput(f"{path}: the trace is empty")
    if first.startswith("{"):
        return "mooncake"
    if "ContextTokens" in first:
        return "azure"
    azure = f"an Azure LLM trace (header {','.join(_AZURE_COLUMNS)})"
    raise BadInput(f"{path}:1: neither {azure} nor Mooncake JSON Lines: {first[:60]!r}")


def _collect(
    path: Path, parsed: Iterator[Parsed], *, max_rows: int | None, span_s: float | None
) -> tuple[TraceRow, ...]:
    rows: list[TraceRow] = []
    faults: list[str] = []
    previous = -math.inf
    for line, row in parsed:
        if isinstance(row, str) or row.at_s < previous:
            faults.append(f"{path}:{line}: {row if isinstance(row, str) else 'timestamp lies before the row above'}")
            if len(faults) == _MAX_FAULTS:
                faults.append("stopped reading there")
                break
            continue
        previous = row.at_s
        if span_s is not None and rows and row.at_s - rows[0].at_s >= span_s:
            break
        rows.append(row)
        if len(rows) == max_rows:
            break
    if faults:
        raise BadInput("; ".join(faults))
    if not rows:
        raise BadInput(f"{path}: the trace has no rows")
    return _from_first(rows)


def _from_first(rows: list[TraceRow]) -> tuple[TraceRow, ...]:
    start = rows[0].at_s
    return tuple(TraceRow(row.at_s - start, row.prompt_tokens, row.output_tokens, row.hash_ids) for row in rows)


def _azure_rows(file: TextIO, path: Path) -> Iterator[Parsed]:
    reader = csv.reader(file)
    try:
        header = next(reader, [])
        missing = [name for name in _AZURE_COLUMNS if name not in header]
        if missing:
            raise BadInput(f"{path}:1: column {', '.join(missing)} is missing from the header")
        at, prompt, output = (header.index(name) for name in _AZURE_COLUMNS)
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(header):
                yield reader.line_num, f"{len(cells)} fields, the header has {len(header)}"
            else:
                yield reader.line_num, _azure_row(cells[at], cells[prompt], cells[output])
    except csv.Error as error:
        raise BadInput(f"{path}:{reader.line_num}: not CSV: {error}") from error


def _azure_row(timestamp: str, prompt: str, output: str) -> TraceRow | str:
    try:
        moment = datetime.fromisoformat(timestamp.strip())
    except ValueError:
        return f"TIMESTAMP {timestamp!r} is no date and time"
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    counts: list[int] = []
    for name, text in (("ContextTokens", prompt), ("GeneratedTokens", output)):
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not 1 <= value <= _MAX_TOKENS:
            return f"{name} {text!r} is no whole number from 1 to {_MAX_TOKENS}"
        counts.append(value)
    return TraceRow(aware.timestamp(), counts[0], counts[1])


def _mooncake_rows(file: TextIO, path: Path) -> Iterator[Parsed]:
    for number, line in enumerate(file, start=1):
        if line.strip():
            yield number, _mooncake_row(line)


def _mooncake_row(line: str) -> TraceRow | str:
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg} at column {error.colno}"
    except (ValueError, RecursionError) as error:
        return f"not JSON that can be read: {error}"
    if not isinstance(data, dict):
        return "not a JSON object"
    missing = [key for key in _MOONCAKE_KEYS if key not in data]
    if missing:
        return f"{', '.join(missing)} is missing"
    at_ms, prompt, output, hash_ids = (data[key] for key in _MOONCAKE_KEYS)
    if isinstance(at_ms, bool) or not isinstance(at_ms, int | float) or not abs(at_ms) < _MAX_MS:
        return f"timestamp {at_ms!r} is no number of milliseconds"
    for key, value in (("input_length", prompt), ("output_length", output)):
        if type(value) is not int or not 1 <= value <= _MAX_TOKENS:
            return f"{key} {value!r} is no whole number from 1 to {_MAX_TOKENS}"
    blocks = math.ceil(prompt / MOONCAKE_BLOCK_TOKENS)
    if not isinstance(hash_ids, list) or any(type(item) is not int for item in hash_ids):
        return "hash_ids is no list of whole numbers"
    if len(hash_ids) != blocks:
        return f"hash_ids has {len(hash_ids)} entries, {prompt} tokens have {blocks} blocks of {MOONCAKE_BLOCK_TOKENS}"
    return TraceRow(at_ms / 1000.0, prompt, output, tuple(hash_ids))


_READERS: dict[str, Callable[[TextIO, Path], Iterator[Parsed]]] = {"azure": _azure_rows, "mooncake": _mooncake_rows}
