"""A report folder as cause ranking may see it: samples, supervisor events and the time of the load. Nothing that names
the fault is opened: no ledger, no journal, no report.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sre.errors import BadDocument, NoData
from sre.incidents.causes.model import CauseRanking
from sre.incidents.causes.rank import rank_causes
from sre.incidents.evidence import parse_client_records, parse_platform_events, read_jsonl
from sre.incidents.model import PlatformEvent
from sre.metrics.model import SampleSource, Selector
from sre.metrics.opening import open_samples

_EVER = (0.0, 253_402_300_799.0)
"""1970 to 9999."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What is ranked on; times are Unix s. `samples` is None where the folder has none."""

    samples: SampleSource | None
    events: tuple[PlatformEvent, ...]
    start: float
    end: float


def observed_in(folder: Path, *, since: float | None = None, until: float | None = None) -> Observed:
    """The folder's evidence; by default from the first to the last request that was sent. Raises BadDocument."""
    if not folder.is_dir():
        raise BadDocument([f"{folder}: no such folder: give a drill's report folder"])
    requests, events = folder / "requests.jsonl", folder / "events.jsonl"
    start, end = since, until
    if start is None or end is None:
        sent = [r.sent_at for r in parse_client_records(read_jsonl(requests))] if requests.exists() else []
        if not sent:
            raise BadDocument([f"{requests}: holds no request, so nobody knows when: give --since and --until"])
        _within(since, until, sent[0], sent[-1], "request")
        start, end = start if start is not None else sent[0], end if end is not None else sent[-1]
    samples = folder / "samples.jsonl"
    return Observed(
        samples=open_samples(samples) if samples.exists() else None,
        events=_events(events if events.exists() else None),
        start=start,
        end=end,
    )


def observed_from(
    samples: SampleSource, events: Path | None, *, since: float | None = None, until: float | None = None
) -> Observed:
    """A real incident's evidence; by default all the time that the samples cover. Raises NoData, BadDocument."""
    start, end = since, until
    if start is None or end is None:
        lowest, highest = since if since is not None else _EVER[0], until if until is not None else _EVER[1]
        scrapes = samples.series(Selector("up"), start=lowest, end=highest)
        if not scrapes:
            raise NoData("these samples hold no `up`, so nobody knows when they were taken: give --since and --until")
        start = start if start is not None else min(float(one.times[0]) for one in scrapes)
        end = end if end is not None else max(float(one.times[-1]) for one in scrapes)
    return Observed(samples, _events(events), start, end)


def refuse_outside(samples: SampleSource, since: float | None, until: float | None) -> None:
    """Raises NoData where all samples were taken before `since` or after `until`. For samples in files: it asks for all
    time, which is no question for a server.
    """
    scrapes = samples.series(Selector("up"), start=_EVER[0], end=_EVER[1])
    if scrapes:
        first, last = min(float(one.times[0]) for one in scrapes), max(float(one.times[-1]) for one in scrapes)
        _within(since, until, first, last, "sample")


def _within(since: float | None, until: float | None, first: float, last: float, what: str) -> None:
    if since is not None and since > last:
        raise NoData(f"--since {_utc(since)} is after the last {what}, {_utc(last)}: give an earlier time")
    if until is not None and until < first:
        raise NoData(f"--until {_utc(until)} is before the first {what}, {_utc(first)}: give a later time")


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _events(path: Path | None) -> tuple[PlatformEvent, ...]:
    return () if path is None else parse_platform_events(read_jsonl(path))


def rank_folder(folder: Path, *, since: float | None = None, until: float | None = None) -> CauseRanking:
    """The causes ranked by what lies in a report folder."""
    seen = observed_in(folder, since=since, until=until)
    return rank_causes(seen.samples, seen.events, start=seen.start, end=seen.end)
