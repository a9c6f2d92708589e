"""How many replicas were wanted, how many served more than that, and when none could be reached.

Wanted is what the supervisor was last asked for (`scaled`), before that the number that were started with the platform.
Replica-seconds above it are counted from ready to exit only: a replica that starts is in `not serving` already, and
nothing is counted twice. Pure but for `read_fleet`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from sre.cost.allocation import replica_use
from sre.cost.model import ReplicaUse
from sre.errors import BadDocument
from sre.incidents.evidence import parse_platform_events, read_jsonl

EVENTS = "events.jsonl"


@dataclass(frozen=True, slots=True)
class FleetHistory:
    """Process lives, and `wanted`: (from when on, how many), rising in time, the first at the platform's start.
    `cut_off` are the spans in which the gateway was gone, so that no replica could be reached.
    """

    uses: tuple[ReplicaUse, ...]
    wanted: tuple[tuple[float, int], ...]
    cut_off: tuple[tuple[float, float], ...] = ()

    def surplus_s(self, *, start: float, end: float) -> float:
        """Serving replica-seconds above the wanted number over [start, end); additive over a split."""
        edges = sorted({start, end, *(edge for edge in self._edges() if start < edge < end)})
        return sum(max(0, self._serving(at) - self._wanted(at)) * (until - at) for at, until in pairwise(edges))

    def cut_off_s(self, *, start: float, end: float) -> float:
        """Replica-seconds from ready on, up to the wanted number, without a gateway; none of them is surplus."""
        edges = sorted({start, end, *(edge for edge in self._edges() if start < edge < end)})
        return sum(
            min(self._serving(at), self._wanted(at)) * (until - at)
            for at, until in pairwise(edges)
            if any(gone <= at < back for gone, back in self.cut_off)
        )

    def _edges(self) -> list[float]:
        lives = [edge for use in self.uses if use.ready_at is not None for edge in (use.ready_at, use.end)]
        return lives + [at for at, _ in self.wanted] + [edge for span in self.cut_off for edge in span]

    def _serving(self, at: float) -> int:
        return sum(use.ready_at is not None and use.ready_at <= at < use.end for use in self.uses)

    def _wanted(self, at: float) -> int:
        past = [count for since, count in self.wanted if since <= at]
        return past[-1] if past else self.wanted[0][1]


def read_fleet(folder: Path, *, end: float) -> FleetHistory | None:
    """The fleet of the drill in a report folder, its lives cut at `end`; None without events.jsonl or a start."""
    path = folder / EVENTS
    if not path.is_file():
        return None
    records = read_jsonl(path)
    uses = replica_use(parse_platform_events(records, str(path)), end=end)
    wanted = _wanted_of(records, path, uses)
    return FleetHistory(uses, wanted, _cut_off(records, end)) if uses and wanted else None


def _cut_off(records: Sequence[Mapping[str, Any]], end: float) -> tuple[tuple[float, float], ...]:
    """From each `gateway_exited` to the next sign of the gateway; one that the platform's own stop caused is none."""
    spans: list[tuple[float, float]] = []
    gone: float | None = None
    for record in sorted(records, key=lambda record: float(record["at"])):
        at, event = min(float(record["at"]), end), record.get("event")
        if event == "platform_stopping":
            break
        if event == "gateway_exited" and gone is None:
            gone = at
        elif event in ("gateway_restarted", "gateway_ready") and gone is not None:
            spans.append((gone, at))
            gone = None
    return tuple(span for span in [*spans, *([(gone, end)] if gone is not None else [])] if span[0] < span[1])


def _wanted_of(
    records: Sequence[Mapping[str, Any]], path: Path, uses: Sequence[ReplicaUse]
) -> tuple[tuple[float, int], ...]:
    found, faults = [], []
    for number, record in enumerate(records, start=1):
        if record.get("event") != "scaled":
            continue
        before, after = ((record.get("detail") or {}).get(key) for key in ("from", "to"))
        if type(before) is int and type(after) is int:
            found.append((float(record["at"]), before, after))
        else:
            faults.append(f"{path}:{number}: scaled without whole numbers in `from` and `to`; run the drill again")
    if faults:
        raise BadDocument(faults)
    found.sort()
    born = min((use.start for use in uses), default=0.0)
    first = found[0][1] if found else _started_together(records)
    return ((born, first), *((at, after) for at, _, after in found)) if first else ()


def _started_together(records: Sequence[Mapping[str, Any]]) -> int:
    """Replicas that were started before the platform was first ready."""
    names = set()
    for record in records:
        if record.get("event") == "platform_ready":
            break
        if record.get("event") == "replica_started":
            names.add(record.get("replica"))
    return len(names)
