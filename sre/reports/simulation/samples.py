"""A simulation's samples as a source that `sre.slo` evaluates, and as the lines of a recorder's file.

Second 0 is `sre.platforms.simulation.EPOCH`. The file is what `sre slo status --samples` and every other reader of the
kit takes; its one target is called `simulated`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from sre.metrics.loaded import LoadedSamples
from sre.metrics.model import Series, SeriesId
from sre.metrics.segments import SCHEMA, SegmentLines, json_line
from sre.platforms.simulation import EPOCH, Simulation
from sre.reports.simulation.model import SOURCE

_TARGET = [["instance", SOURCE], ["job", SOURCE]]


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
    """A segment of the recorder: a header, then one line a scrape. Nothing without samples."""
    own = [one for one in simulation.series if one.name != "up"]
    if not own:
        return
    keys = [(one.name, tuple(sorted(one.labels))) for one in own]
    scrapes: defaultdict[float, list[tuple[int, float]]] = defaultdict(list)
    for number, one in enumerate(own):
        for at_s, value in zip(one.at_s.tolist(), one.values.tolist(), strict=True):
            scrapes[at_s].append((number, value))
    first = EPOCH + min(scrapes)
    header = {"schema": SCHEMA, "at": first, "interval_s": simulation.scrape_interval_s, "retention_s": None}
    yield json_line({**header, "targets": [_TARGET]})
    lines: SegmentLines[int] = SegmentLines(1, lambda number, _: [keys[number][0], [list(p) for p in keys[number][1]]])
    for at_s in sorted(scrapes):
        samples = {number: value for number, value in scrapes[at_s] if np.isfinite(value)}
        yield json_line(lines.scraped(EPOCH + at_s, 0, samples))
