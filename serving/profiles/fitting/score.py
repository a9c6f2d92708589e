"""What a replay is judged by: mean and percentiles of what users wait for, measured against simulated.

Not by how well step times are explained: a line that explains 98 % of their variance is still 10 to 23 % off in p99,
because queueing multiplies small errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.profiles.fitting.request_log import RequestLog

MEASURES = ("e2e_s", "ttft_s", "tpot_ms")
STATISTICS = ("mean", "p50", "p90", "p99")
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One statistic of one measure, over the same requests."""

    measure: str
    statistic: str
    measured: float
    simulated: float

    @property
    def error(self) -> float:
        """Relative, + is too long."""
        return self.simulated / self.measured - 1 if self.measured else 0.0


def measures(log: RequestLog, first_s: Floats, last_s: Floats) -> dict[str, Floats]:
    """By measure a value for each request; `tpot_ms` is NaN for those with one token."""
    gaps = np.where(log.output_tokens > 1, log.output_tokens - 1.0, np.nan)
    return {
        "e2e_s": last_s - log.arrival_s,
        "ttft_s": first_s - log.arrival_s,
        "tpot_ms": (last_s - first_s) / gaps * 1000,
    }


def statistics(values: Floats) -> Floats:
    """Mean and percentiles in the order of STATISTICS, of those that are there."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.full(len(STATISTICS), np.nan)
    return np.array([known.mean(), *np.percentile(known, [50, 90, 99])])


def compare(
    measured: Mapping[str, Floats], simulated: Mapping[str, Floats], part: NDArray[np.bool_]
) -> list[Comparison]:
    """Every statistic of every measure over the requests in `part`; none of a measure that no request has."""
    found = []
    for measure in MEASURES:
        real, ours = statistics(measured[measure][part]), statistics(simulated[measure][part])
        pairs = zip(STATISTICS, real, ours, strict=True)
        found += [Comparison(measure, name, float(a), float(b)) for name, a, b in pairs if not np.isnan(a)]
    return found


def worst(comparisons: Sequence[Comparison], *statistics_wanted: str) -> float:
    """The greatest error either way, as a share."""
    return max((abs(one.error) for one in comparisons if one.statistic in statistics_wanted), default=0.0)
