"""What each replica did from sample to sample: worked, stalled, or stood vacant.

A replica is `busy` at a sample when requests ran on it (`vllm:num_requests_running` above 0) and its token counters
moved between the samples beside this one; `stalled` when requests ran and no counter moved, which is what a hung engine
looks like; `vacant` when none ran. A sample speaks for the time since the one before it.

Limits: the share is that of samples, so a burst shorter than a scrape interval is seen by chance (right on average); a
batch of one request counts as busy as a full one, as GPU utilisation does; health probes count where a sample meets
one. Where samples are further apart than `HOLD_S` nobody saw the replica, and no slot says what it did: an engine that
is frozen answers no scrape, and what it did before and after says nothing of the time between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from sre.metrics.model import FloatArray, SampleSource, Selector, Series

State = Literal["busy", "stalled", "vacant"]
HOLD_S = 5.0
"""How far from a sample its word is taken, in seconds: five scrapes of ours, some missed ones."""
RUNNING = Selector("vllm:num_requests_running")
PROGRESS = (Selector("vllm:generation_tokens_total"), Selector("vllm:prompt_tokens_total"))


@dataclass(frozen=True, slots=True)
class Slot:
    """A replica over [start, end), Unix seconds. Slots of a replica are in order and do not overlap."""

    replica: str
    start: float
    end: float
    state: State


def activity(source: SampleSource, *, start: float, end: float) -> tuple[Slot, ...]:
    """The slots that touch [start, end), by replica. Empty when nobody sampled the engines. Raises as the source."""
    span = (start - HOLD_S, end + HOLD_S)
    running = _by_replica(source.series(RUNNING, start=span[0], end=span[1]))
    if not running:
        return ()
    found = [one for selector in PROGRESS for one in source.series(selector, start=span[0], end=span[1])]
    progress = _by_replica(found)
    return tuple(
        slot
        for name in sorted(running)
        for slot in slots_of(name, running[name], progress.get(name, []))
        if slot.start < end and slot.end > start
    )


def slots_of(replica: str, running: Sequence[Series], progress: Sequence[Series]) -> Iterator[Slot]:
    """The slots of one replica from its gauge and its counters; neighbours in one state are one slot."""
    times, gauge = _summed(running)
    gap_s = _gap_s(times)
    moved = _moved(times, *_summed(progress)) if progress else np.ones(times.size, dtype=np.bool_)
    last: Slot | None = None
    for index, at in enumerate(times.tolist()):
        before = times[index - 1] if index else at - HOLD_S
        after = times[index + 1] if index + 1 < times.size else at + HOLD_S
        since = at if index and at - before > gap_s else max(float(before), at - HOLD_S)
        until = at if index + 1 < times.size and not HOLD_S < after - at <= gap_s else at + HOLD_S
        if last is not None and since < last.end:
            since = last.end
        state: State = "vacant" if gauge[index] <= 0 else "busy" if moved[index] else "stalled"
        if last is not None and last.state == state and last.end == since:
            last = Slot(replica, last.start, until, state)
            continue
        if last is not None and last.start < last.end:
            yield last
        last = Slot(replica, since, until, state)
    if last is not None:
        yield last


def _gap_s(times: FloatArray) -> float:
    """From how far apart on two samples have scrapes between them that failed."""
    return max(HOLD_S, 2 * float(np.median(np.diff(times)))) if times.size > 1 else HOLD_S


def _moved(times: FloatArray, seen: FloatArray, counted: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether the counter changed between the samples before and after each time."""
    at = np.clip(np.searchsorted(seen, times, side="right") - 1, 0, seen.size - 1)
    before, after = np.maximum(at - 1, 0), np.minimum(at + 1, seen.size - 1)
    moved: np.ndarray[tuple[int], np.dtype[np.bool_]] = counted[before] != counted[after]
    return moved


def _by_replica(found: Sequence[Series]) -> dict[str, list[Series]]:
    """Series by their `replica` label, else by the address they were scraped from."""
    grouped: dict[str, list[Series]] = {}
    for series in found:
        name = series.id.label("replica") or series.id.label("instance") or ""
        grouped.setdefault(name, []).append(series)
    return grouped


def _summed(series: Sequence[Series]) -> tuple[FloatArray, FloatArray]:
    """The series of one replica added up, at every time any of them has: each holds its last value."""
    times = np.unique(np.concatenate([one.times for one in series]))
    sums = np.zeros(times.size)
    for one in series:
        at = np.searchsorted(one.times, times, side="right") - 1
        sums += np.where(at >= 0, one.values[np.clip(at, 0, None)], 0.0)
    return times, sums
