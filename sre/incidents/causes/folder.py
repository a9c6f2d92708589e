"""A report folder as cause ranking may see it: samples, supervisor events and the time of the load. Nothing that names
the fault is opened: no ledger, no journal, no report.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sre.errors import BadDocument
from sre.incidents.causes.model import CauseRanking
from sre.incidents.causes.rank import rank_causes
from sre.incidents.evidence import parse_client_records, parse_platform_events, read_jsonl
from sre.incidents.model import PlatformEvent
from sre.metrics.model import SampleSource
from sre.metrics.opening import open_samples


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
        start, end = start if start is not None else sent[0], end if end is not None else sent[-1]
    samples = folder / "samples.jsonl"
    return Observed(
        samples=open_samples(samples) if samples.exists() else None,
        events=parse_platform_events(read_jsonl(events)) if events.exists() else (),
        start=start,
        end=end,
    )


def rank_folder(folder: Path, *, since: float | None = None, until: float | None = None) -> CauseRanking:
    """The causes ranked by what lies in a report folder."""
    seen = observed_in(folder, since=since, until=until)
    return rank_causes(seen.samples, seen.events, start=seen.start, end=seen.end)
