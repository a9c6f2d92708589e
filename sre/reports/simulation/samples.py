"""A simulation's samples as a source that `sre.slo` evaluates, and as the lines of a recorder's file.

Second 0 is `sre.platforms.simulation.EPOCH`. The file is what `sre slo status --samples` and every other reader of the
kit takes; a scrape that a fault made blind is a failed one in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sre.metrics.loaded import LoadedSamples
from sre.metrics.model import Series, SeriesId
from sre.metrics.segments import SCHEMA, SegmentLines, json_line
from sre.platforms.simulation import EPOCH, SimulatedSeries, Simulation
from sre.reports.simulation.model import SOURCE

_UP = "up"


def source_of(simulation: Simulation) -> LoadedSamples:
    """Every series at its simulated Unix time."""
    return LoadedSamples(
        SOURCE,
        (
            Series(SeriesId(one.name, tuple(sorted(one.labels))), EPOCH + one.at_s, one.values)
            for one in simulation.series
        ),
    )


def sample_lines(simulation: Simulation) -> Iterator[str]:
    """A segment of the recorder: a header with the targets, then a line a scrape of each. Nothing without samples."""
    targets = _targets(simulation.series)
    if not targets:
        return
    described = [[_labelled(one) for one in target.series] for target in targets]
    lines: SegmentLines[int] = SegmentLines(len(targets), lambda number, target: described[target][number])
    scrapes = sorted((at_s, number, up) for number, target in enumerate(targets) for at_s, up in target.scrapes)
    header = {"schema": SCHEMA, "at": EPOCH + scrapes[0][0], "interval_s": simulation.scrape_interval_s}
    yield json_line({**header, "retention_s": None, "targets": [[list(pair) for pair in t.labels] for t in targets]})
    for at_s, number, up in scrapes:
        if up:
            yield json_line(lines.scraped(EPOCH + at_s, number, targets[number].samples(at_s)))
        else:
            yield json_line(lines.failed(EPOCH + at_s, number, "no answer (simulated)"))


@dataclass(frozen=True, slots=True)
class _Target:
    """One metrics page: its `up` over time, and its series. `places` is how far each of them has been written."""

    labels: tuple[tuple[str, str], ...]
    scrapes: tuple[tuple[float, bool], ...]
    series: tuple[SimulatedSeries, ...]
    places: list[int]

    def samples(self, at_s: float) -> dict[int, float]:
        """By number of the series; asked for in order of time."""
        found = {}
        for number, one in enumerate(self.series):
            place = self.places[number]
            if place < len(one.at_s) and one.at_s[place] == at_s:
                found[number] = float(one.values[place])
                self.places[number] = place + 1
        return found


def _targets(series: Sequence[SimulatedSeries]) -> list[_Target]:
    """By `instance`, in the order of their `up` series."""
    of: defaultdict[str, list[SimulatedSeries]] = defaultdict(list)
    for one in series:
        if one.name != _UP:
            of[_instance(one)].append(one)
    return [
        _Target(
            labels=tuple(sorted(up.labels)),
            scrapes=tuple(zip(up.at_s.tolist(), (up.values > 0).tolist(), strict=True)),
            series=tuple(of[_instance(up)]),
            places=[0] * len(of[_instance(up)]),
        )
        for up in series
        if up.name == _UP
    ]


def _instance(series: SimulatedSeries) -> str:
    return dict(series.labels).get("instance", "")


def _labelled(series: SimulatedSeries) -> list[object]:
    return [series.name, [list(pair) for pair in sorted(series.labels)]]
