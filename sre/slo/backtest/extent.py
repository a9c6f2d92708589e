"""Where history on disk begins and ends, for a backtest that was not told: nobody remembers a file's times."""

from __future__ import annotations

from collections.abc import Sequence

from sre.errors import NoData
from sre.metrics.model import SampleSource
from sre.slo.events import selectors_of
from sre.slo.model import Slo

_EVER = 1e11  # Unix seconds, the year 5138
_LOOKED_AT = 50


def extent(source: SampleSource, slos: Sequence[Slo]) -> tuple[float, float]:
    """(just before the first sample, the last one) of what the SLOs count. Raises NoData when there is none.

    The first fifty SLOs are asked; histories on disk begin and end together.
    """
    first, last = _EVER, -_EVER
    for slo in slos[:_LOOKED_AT]:
        for selector in selectors_of(slo.sli):
            for series in source.series(selector, start=0.0, end=_EVER):
                first, last = min(first, float(series.times[0])), max(last, float(series.times[-1]))
    if last < first:
        names = ", ".join(sorted({selector.name for slo in slos[:_LOOKED_AT] for selector in selectors_of(slo.sli)}))
        raise NoData(f"{source.name} holds no sample of {names}: check the metrics' names and the source")
    return first - 0.001, last
