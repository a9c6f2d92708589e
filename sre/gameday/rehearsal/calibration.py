"""What the machine decides and no model can: how long processes take to start, and what the way to an engine costs.

Read from the last drills of the workspace, each as a median with the number of observations behind it; what no drill
shows keeps the shipped value, which says where it is from. A drill that is compared with is not among its own sources.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from types import MappingProxyType
from typing import Any

from sre.chaos.leases.ledger import read_ledger
from sre.errors import SreError
from sre.gameday.model import DrillFolder
from sre.gameday.rehearsal.stage import Paces
from sre.incidents.evidence import read_client_records, read_jsonl
from sre.metrics.files import RecordedSamples
from sre.metrics.model import Selector
from sre.platforms.local.rehearse import Latencies, Starts
from sre.reports.rehearsal.model import Assumption
from sre.slo.events import read_events
from sre.slo.model import RatioSli

MOST_DRILLS = 8
ENOUGH_RESTARTS = 3
"""With fewer, the starts of whole platforms are looked at as well: there all replicas start at a time."""
EXAMPLE = "the example drill, on two cores"
BY_HAND = "watched by hand, on two cores"
ENGINE_TTFT, GATEWAY_TTFT = "vllm:time_to_first_token_seconds", "sre_gateway_ttft_seconds"
PROBE_S = 0.008
"""What a probe's one token takes: a step or so."""
REQUEST_SHARE = 2 / 3
"""Of the way to an engine and back; the rest is the way of its tokens."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Everything that is told to a rehearsal about the machine."""

    figures: tuple[Assumption, ...]

    def value_s(self, name: str) -> float:
        return next(figure.value_s for figure in self.figures if figure.name == name)

    @property
    def starts(self) -> Starts:
        return Starts(
            server_start_s=self.value_s("server start"),
            model_load_s=self.value_s("model load"),
            gateway_start_s=self.value_s("gateway start"),
            recorder_start_s=self.value_s("recorder start"),
        )

    @property
    def latencies(self) -> Latencies:
        way_s = self.value_s("way to an engine and back")
        return Latencies(
            request_s=way_s * REQUEST_SHARE,
            token_s=way_s * (1 - REQUEST_SHARE),
            client_s=self.value_s("way to the gateway and back") / 2,
        )

    @property
    def paces(self) -> Paces:
        return Paces(
            chaos_start_s=self.value_s("start of chaos run"), helper_start_s=self.value_s("start of a helper process")
        )


@dataclass(frozen=True, slots=True)
class _Shipped:
    value_s: float
    source: str


_SHIPPED: Mapping[str, _Shipped] = MappingProxyType(
    {
        "server start": _Shipped(1.194, EXAMPLE),
        "model load": _Shipped(1.06, EXAMPLE),
        "gateway start": _Shipped(1.45, "one drill of gateway-crash, on two busy cores"),
        "recorder start": _Shipped(2.0, "one drill of metrics-down, on two cores"),
        "way to an engine and back": _Shipped(0.0065, EXAMPLE),
        "way to the gateway and back": _Shipped(0.0029, EXAMPLE),
        "start of chaos run": _Shipped(2.67, EXAMPLE),
        "start of a helper process": _Shipped(1.0, BY_HAND),
    }
)


def shipped() -> Calibration:
    """What is assumed where no drill was played."""
    return _of({})


def calibrate(reports: Path, *, without: Sequence[Path] = ()) -> Calibration:
    """From the newest drills in `reports`, by name; `without` are folders that must not be used. Folders that cannot be
    read are left out: they are another command's business.
    """
    left_out = {path.resolve() for path in without}
    folders = _drills(reports, left_out)
    found = {name: _seen(read, folders) for name, read in _READERS.items()}
    for name, read in _FIRST_STARTS.items():
        if len(found[name]) < ENOUGH_RESTARTS:
            found[name] = _seen(read, folders)
    return _of(found)


def _seen(read: Callable[[DrillFolder], Iterable[float]], folders: Sequence[DrillFolder]) -> list[tuple[str, float]]:
    return [(folder.id, value_s) for folder in folders for value_s in _tolerant(read, folder)]


def _of(found: Mapping[str, Sequence[tuple[str, float]]]) -> Calibration:
    return Calibration(tuple(_figure(name, found.get(name, ())) for name in _SHIPPED))


def _figure(name: str, seen: Sequence[tuple[str, float]]) -> Assumption:
    if not seen:
        return Assumption(name, _SHIPPED[name].value_s, 0, _SHIPPED[name].source)
    drills = sorted({drill for drill, _ in seen})
    return Assumption(name, median(value for _, value in seen), len(seen), ", ".join(drills))


def _drills(reports: Path, left_out: set[Path]) -> list[DrillFolder]:
    """The newest, the newest first."""
    if not reports.is_dir():
        return []
    folders = [p for p in reports.iterdir() if (p / "events.jsonl").is_file() and p.resolve() not in left_out]
    stamped = sorted((p for p in folders if p.name[:1].isdigit()), key=lambda p: p.name, reverse=True)
    others = sorted((p for p in folders if not p.name[:1].isdigit()), key=lambda p: p.name)
    return [DrillFolder(path) for path in (*stamped, *others)[:MOST_DRILLS]]


def _tolerant(read: Callable[[DrillFolder], Iterable[float]], folder: DrillFolder) -> list[float]:
    try:
        return [value for value in read(folder) if value > 0]
    except (SreError, OSError, KeyError, TypeError, ValueError):
        return []


def _starts(folder: DrillFolder, phase: str, *, again: bool) -> Iterator[float]:
    """A phase of each start of a replica; with `again` only of those after an exit, beside the others' work."""
    gone: set[str] = set()
    for event in read_jsonl(folder.events):
        name = str(event.get("replica"))
        if event["event"] == "replica_exited":
            gone.add(name)
        elif event["event"] == "replica_ready" and (not again or name in gone):
            yield float(event["detail"]["phases"][phase])


def _gateway_starts(folder: DrillFolder) -> Iterator[float]:
    """From an exit to the next answer, less the pause before the first restart."""
    exited: float | None = None
    for event in read_jsonl(folder.events):
        if event["event"] == "gateway_exited":
            exited = float(event["at"])
        elif event["event"] == "gateway_restarted" and exited is not None:
            yield float(event["at"]) - exited - _FIRST_PAUSE_S
            exited = None


def _chaos_start(folder: DrillFolder) -> Iterator[float]:
    for record in read_ledger(folder.ledger):
        if record.event == "run_begin":
            yield record.at - float(record.detail["created"])


def _way_to_engines(folder: DrillFolder) -> Iterator[float]:
    """Mean time to first token by the gateway, less the engines' own, before the first fault.

    The engines also count the gateway's probes, one token on the way past each queue: taken out of their mean.
    """
    source, calm = RecordedSamples(folder.samples), _calm_until(folder)
    asked, asked_s = _histogram(source, GATEWAY_TTFT, calm)
    served, served_s = _histogram(source, ENGINE_TTFT, calm)
    probes = max(0.0, served - asked)
    yield asked_s / asked - (served_s - probes * PROBE_S) / (served - probes)


def _way_to_gateway(folder: DrillFolder) -> Iterator[float]:
    """The same by the clients, less the gateway's."""
    calm = _calm_until(folder)
    records = [r for r in read_client_records(folder.requests) if r.first_token_at and r.first_token_at < calm]
    asked, asked_s = _histogram(RecordedSamples(folder.samples), GATEWAY_TTFT, calm)
    yield mean(t for r in records if (t := r.ttft_s) is not None) - asked_s / asked


def _calm_until(folder: DrillFolder) -> float:
    """When its first fault began; infinite where none did."""
    return min((r.at for r in read_ledger(folder.ledger) if r.event == "fault_begin"), default=math.inf)


def _histogram(source: RecordedSamples, histogram: str, until: float) -> tuple[float, float]:
    """(count, sum in seconds) of a histogram up to `until`, Unix seconds. Raises ValueError when it counted nothing."""
    start, last = _span(source)
    end = min(last, until)
    count = _increase(source, f"{histogram}_count", start, end)
    if count <= 0:
        raise ValueError(f"{histogram} counted nothing")
    return count, _increase(source, f"{histogram}_sum", start, end)


def _increase(source: RecordedSamples, name: str, start: float, end: float) -> float:
    return read_events(source, RatioSli(total=(Selector(name),)), start=start, end=end).total.between(start, end)


def _span(source: RecordedSamples) -> tuple[float, float]:
    found = source.series(Selector("up"), start=float("-inf"), end=float("inf"))
    times: list[Any] = [time for series in found for time in (series.times[0], series.times[-1])]
    return float(min(times)), float(max(times))


_FIRST_PAUSE_S = 0.1
_READERS: Mapping[str, Callable[[DrillFolder], Iterable[float]]] = MappingProxyType(
    {
        "server start": lambda folder: _starts(folder, "server_start", again=True),
        "model load": lambda folder: _starts(folder, "model_load", again=True),
        "gateway start": _gateway_starts,
        "way to an engine and back": _way_to_engines,
        "way to the gateway and back": _way_to_gateway,
        "start of chaos run": _chaos_start,
    }
)
_FIRST_STARTS: Mapping[str, Callable[[DrillFolder], Iterable[float]]] = MappingProxyType(
    {
        "server start": lambda folder: _starts(folder, "server_start", again=False),
        "model load": lambda folder: _starts(folder, "model_load", again=False),
    }
)
