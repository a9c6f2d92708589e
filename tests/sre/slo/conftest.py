"""A source of samples held in memory; test folders are no packages, so it comes as fixtures."""

from __future__ import annotations

import numpy as np
import pytest

from sre.metrics.model import Series, SeriesId
from sre.metrics.selector import series_filter


class MemorySamples:
    """A SampleSource over series given to it."""

    name = "memory"

    def __init__(self, *series):
        self.all = series

    def series(self, selector, *, start, end):
        wanted = series_filter(selector)
        found = []
        for one in self.all:
            inside = (one.times > start) & (one.times <= end)
            if wanted(one.id) and inside.any():
                found.append(Series(one.id, one.times[inside], one.values[inside]))
        return found


def make_series(name, times, values, **labels):
    identity = SeriesId(name, tuple(sorted(labels.items())))
    return Series(identity, np.asarray(times, dtype=np.float64), np.asarray(values, dtype=np.float64))


@pytest.fixture(scope="session")
def samples():
    return MemorySamples


@pytest.fixture(scope="session")
def series():
    return make_series
