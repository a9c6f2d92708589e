"""A request trace as a simulator's workload: at its own rate or another, with the blocks that its prompts share.

A trace with bad rows is refused, since a trace with holes is another workload; who asks for it gets the rest, with the
number of rows left out. At a higher rate more users with the same habits come (as in `serving.simulator.traffic`): a
copy arrives within 10 s of its original, has the lengths of one of the 50 requests around it and shares blocks with
copies of its own number only, so that the share of prompts that is known from before stays the trace's own.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.errors import BadInput
from serving.loadgen.model import TraceRow
from serving.loadgen.traces import open_rows

MAX_REQUESTS = 20_000_000
_TOLD = 5
_JITTER_S = 10.0
_NEIGHBOURS = 50


@dataclass(frozen=True, slots=True)
class TraceRows:
    """Rows of a trace, times from its first; `skipped` bad ones were left out."""

    rows: tuple[TraceRow, ...]
    skipped: int


def read_rows(path: Path, *, span_s: float | None = None, skip_bad_rows: bool = False) -> TraceRows:
    """The trace up to `span_s` after its first row. Raises BadInput, one line with the first bad rows' numbers and how
    many there are, unless they are to be skipped; also when nothing is left.
    """
    rows: list[TraceRow] = []
    bad: list[tuple[int, str]] = []
    with open_rows(path) as parsed:
        for line, row in parsed:
            if isinstance(row, str):
                bad.append((line, row))
            elif rows and row.at_s < rows[-1].at_s:
                bad.append((line, "timestamp lies before the row above"))
            elif span_s is not None and rows and row.at_s - rows[0].at_s >= span_s:
                break
            else:
                rows.append(row)
    if bad and not skip_bad_rows:
        raise BadInput(_told(path, bad))
    if not rows:
        raise BadInput(f"{path}: the trace has no rows")
    start = rows[0].at_s
    timed = (TraceRow(row.at_s - start, row.prompt_tokens, row.output_tokens, row.hash_ids) for row in rows)
    return TraceRows(tuple(timed), len(bad))


def _told(path: Path, bad: Sequence[tuple[int, str]]) -> str:
    shown = "; ".join(f"{path}:{line}: {what}" for line, what in bad[:_TOLD])
    many = f"{len(bad)} bad rows" if len(bad) > 1 else "1 bad row"
    more = f"; and {len(bad) - _TOLD} more" if len(bad) > _TOLD else ""
    return f"{many}: {shown}{more}: mend the trace, or leave them out with --skip-bad-rows"


@dataclass(frozen=True, slots=True)
class TraceTraffic:
    """A trace's requests in order of arrival over `duration_s`; `skipped` bad rows were left out."""

    title: str
    duration_s: float
    rows: tuple[TraceRow, ...]
    skipped: int


def trace_traffic(
    path: Path,
    *,
    rate_rps: float | None = None,
    duration_s: float | None = None,
    seed: int = 1,
    skip_bad_rows: bool = False,
) -> TraceTraffic:
    """The trace as it is, or at another mean rate. Without `duration_s` over its own span, to its last request.

    Raises BadInput.
    """
    read = read_rows(path, span_s=duration_s, skip_bad_rows=skip_bad_rows)
    span_s = duration_s or float(math.ceil(read.rows[-1].at_s + 1))
    own_rps = len(read.rows) / span_s
    title = f"trace {path.name}, {own_rps:.2f} requests/s of its own"
    if rate_rps is None:
        return TraceTraffic(title, span_s, read.rows, read.skipped)
    copies = rate_rps / own_rps
    if len(read.rows) * copies > MAX_REQUESTS:
        raise BadInput(f"{len(read.rows) * copies:,.0f} requests are too many to simulate: lower --rate or --duration")
    rng = random.Random(f"{seed}/thicken")  # noqa: S311  (a workload, not a secret)
    rows = sorted(_requests(read.rows, copies, span_s=span_s, rng=rng), key=lambda row: row.at_s)
    if not rows:
        raise BadInput(f"{path}: no request is left at {rate_rps:g} requests/s: raise --rate")
    return TraceTraffic(f"{title}, thickened {copies:.3g} times, seed {seed}", span_s, tuple(rows), read.skipped)


def _requests(rows: Sequence[TraceRow], copies: float, *, span_s: float, rng: random.Random) -> Iterator[TraceRow]:
    """Each row `copies` times on average; the first copy is the row itself."""
    whole, part = int(copies), copies - int(copies)
    for index, row in enumerate(rows):
        for copy in range(whole + (rng.random() < part)):
            if copy == 0:
                yield row
                continue
            low, high = max(0, index - _NEIGHBOURS // 2), min(len(rows), index + _NEIGHBOURS // 2)
            like = rows[rng.randrange(low, high)]
            at_s = min(max(0.0, row.at_s + rng.uniform(-_JITTER_S, _JITTER_S)), span_s - 1e-6)
            own = tuple((copy << 48) + block for block in like.hash_ids)
            yield TraceRow(at_s, like.prompt_tokens, like.output_tokens, own)
