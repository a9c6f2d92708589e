"""Reads a run: the request log, line by line with every fault named, on one clock.

vLLM stamps a request's arrival by the wall clock and all that follows by a monotonic one. Their distance is taken to be
the least seen between arrival and queueing: the quickest request is said to have been queued at once, what others took
longer is part of their latency. Where both stamps are of one clock, they are believed as they are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.errors import BadInput
from serving.profiles.fitting.engine_facts import EngineFacts, read_facts

FEWEST_REQUESTS = 20
_MOST_FAULTS = 20
_ONE_CLOCK_S = 86_400.0  # stamps further apart than a day are of two clocks
_TOLERANCE_S = 1e-6
_STAMPS = ("arrival_time", "queued_ts", "scheduled_ts", "first_token_ts", "last_token_ts")
_TOKENS = ("input_toks", "output_toks")
_ENDING = "requests.jsonl"


@dataclass(frozen=True, slots=True, eq=False)
class RequestLog:
    """Requests in order of arrival, one array a property; seconds from the first arrival."""

    arrival_s: NDArray[np.float64]
    queued_s: NDArray[np.float64]
    first_s: NDArray[np.float64]
    last_s: NDArray[np.float64]
    prompt_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def rate_rps(self) -> float | None:
        """Mean rate of arrival; None when all came at once."""
        span = float(self.arrival_s[-1])
        return len(self) / span if span > 0 else None


def rate_in_words(rate_rps: float | None) -> str:
    """How densely requests came."""
    return f"at {rate_rps:.2g} a second" if rate_rps is not None else "all at once"


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A log with what the engine was; `skipped` lines of it were bad and left out because that was asked for."""

    title: str
    facts: EngineFacts
    log: RequestLog
    skipped: int = 0


def read_run(path: Path, *, kv_blocks: int | None = None, skip_bad: bool = False) -> Run:
    """Read `*requests.jsonl` (or the one in a folder) and the `*meta.json` beside it.

    `kv_blocks` is used for a run that does not say how many it had. Raises BadInput, a line for each fault.
    """
    log_path = _find_log(path)
    facts = read_facts(_find_meta(log_path), kv_blocks=kv_blocks)
    rows, faults = _read_rows(log_path)
    if faults and not skip_bad:
        more = [f"{log_path}: {len(faults) - _MOST_FAULTS} more bad lines"] if len(faults) > _MOST_FAULTS else []
        raise BadInput("\n".join(faults[:_MOST_FAULTS] + more))
    if len(rows) < FEWEST_REQUESTS:
        raise BadInput(
            f"{log_path}: {len(rows)} usable requests: a fit needs {FEWEST_REQUESTS}, half of them for the test"
        )
    log = _aligned(rows)
    _require_servable(log, facts, log_path)
    return Run(log_path.name.removesuffix(_ENDING).rstrip("_") or log_path.parent.name, facts, log, len(faults))


def _find_log(path: Path) -> Path:
    if not path.is_dir():
        if not path.exists() and (named := path.with_name(f"{path.name}_{_ENDING}")).is_file():
            return named
        if path.suffix != ".jsonl":
            raise BadInput(f"{path}: is no request log: name a *{_ENDING} or a folder that has one")
        return path
    found = sorted(path.glob(f"*{_ENDING}"))
    if len(found) != 1:
        raise BadInput(f"{path}: {len(found)} files named *{_ENDING}: name one of them")
    return found[0]


def _find_meta(log_path: Path) -> Path:
    """The settings of the same beginning; failing that, the only ones in the folder."""
    named = log_path.with_name(f"{log_path.name.removesuffix(_ENDING)}meta.json")
    others = [] if named.is_file() else sorted(log_path.parent.glob("*meta.json"))
    return others[0] if len(others) == 1 else named


def _read_rows(path: Path) -> tuple[list[tuple[float, ...]], list[str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not readable ({error}): give the request log of a vLLM run") from error
    rows, faults = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row, fault = _read_row(line)
        if fault:
            faults.append(f"{path}:{number}: {fault}")
        else:
            rows.append(row)
    return rows, faults


def _read_row(line: str) -> tuple[tuple[float, ...], str]:
    """The stamps and token counts of one line, or what is wrong with it and how to mend that."""
    try:
        row = json.loads(line)
    except ValueError:
        return (), "is no JSON object: it may be cut off; take the line out, or skip bad lines"
    if not isinstance(row, Mapping):
        return (), f"is {type(row).__name__}: write one JSON object a request"
    if missing := [key for key in (*_STAMPS, *_TOKENS) if row.get(key) is None]:
        return (), f"lacks {', '.join(missing)}: each request needs all of its stamps and token counts"
    return _checked(row)


def _checked(row: Mapping[str, Any]) -> tuple[tuple[float, ...], str]:
    for key in _STAMPS:
        if type(row[key]) not in (int, float) or not math.isfinite(row[key]) or row[key] < 0:
            return (), f"{key} is {row[key]!r}: write seconds, 0 or more"
    for key in _TOKENS:
        if type(row[key]) is not int or row[key] < 1:
            return (), f"{key} is {row[key]!r}: write a whole number of at least 1"
    for earlier, later in pairwise(_STAMPS[1:]):
        if row[later] < row[earlier] - _TOLERANCE_S:
            return (), f"{later} {row[later]} is before {earlier} {row[earlier]}: the stamps must follow each other"
    return tuple(float(row[key]) for key in (*_STAMPS, *_TOKENS)), ""


def _aligned(rows: list[tuple[float, ...]]) -> RequestLog:
    table = np.array(sorted(rows), dtype=np.float64)
    lag = table[:, 1] - table[:, 0]
    offset = float(lag.min()) if abs(float(np.median(lag))) > _ONE_CLOCK_S else min(0.0, float(lag.min()))
    start = float(table[0, 0])
    return RequestLog(
        arrival_s=table[:, 0] - start,
        queued_s=table[:, 1] - start - offset,
        first_s=table[:, 3] - start - offset,
        last_s=table[:, 4] - start - offset,
        prompt_tokens=table[:, 5].astype(np.int64),
        output_tokens=table[:, 6].astype(np.int64),
    )


def _require_servable(log: RequestLog, facts: EngineFacts, path: Path) -> None:
    """The settings must be those of the run: whatever it served must fit them."""
    longest = int((log.prompt_tokens + log.output_tokens).max())
    room = facts.scheduler.kv_blocks * facts.scheduler.block_size_tokens
    if longest > min(room, facts.scheduler.max_model_len):
        raise BadInput(
            f"{path}: a request has {longest:,} tokens, but the engine's settings allow {room:,} in the cache and "
            f"{facts.scheduler.max_model_len:,} a request: is {facts.path} of this run?"
        )
