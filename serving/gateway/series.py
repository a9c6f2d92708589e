"""Counters and histograms that can be summed over processes: a worker takes what changed, the coordinator adds it.

prometheus_client's own take a lock for each increment and keep their values to themselves. A gateway process has one
thread, and a token costs several increments. Gauges stay prometheus_client's: they are read in one process only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Change(NamedTuple):
    """By how much one series grew: one amount of a counter; sum, then each bucket's count, of a histogram."""

    name: str
    labels: Sequence[str]
    amounts: Sequence[float]


class Count:
    """One series of a counter."""

    __slots__ = ("_taken", "value")

    def __init__(self) -> None:
        self.value = 0.0
        self._taken = 0.0

    def inc(self, amount: float = 1) -> None:
        self.value += amount

    def take(self) -> list[float] | None:
        grown = self.value - self._taken
        if not grown:
            return None
        self._taken = self.value
        return [grown]

    def add(self, amounts: Sequence[float]) -> None:
        self.value += amounts[0]


class Counter:
    """A counter's series by the values of `label_names`; a series exists from the first `labels` on."""

    def __init__(self, name: str, text: str, label_names: Sequence[str]) -> None:
        self.name = name
        self._text = text
        self._label_names = label_names
        self.cells: dict[tuple[str, ...], Count] = {}

    def labels(self, *values: str) -> Count:
        cell = self.cells.get(values)
        if cell is None:
            cell = self.cells[values] = Count()
        return cell

    def collect(self) -> Metric:
        family = CounterMetricFamily(self.name, self._text, labels=self._label_names)
        for values, cell in self.cells.items():
            family.add_metric(values, cell.value)
        return family

    def take(self) -> Iterator[Change]:
        for values, cell in self.cells.items():
            amounts = cell.take()
            if amounts is not None:
                yield Change(self.name, values, amounts)

    def add(self, change: Change) -> None:
        self.labels(*change.labels).add(change.amounts)


class Histogram:
    """A histogram without labels. `buckets` are upper bounds, ascending; +Inf is added."""

    def __init__(self, name: str, text: str, buckets: Sequence[float]) -> None:
        self.name = name
        self._text = text
        self._bounds = [*map(float, buckets), float("inf")]
        self._cells = [0.0] * (1 + len(self._bounds))  # the sum, then one for each bound
        self._taken = list(self._cells)
        self._labels = [floatToGoString(bound) for bound in self._bounds]  # type: ignore[no-untyped-call]

    def observe(self, value: float) -> None:
        cells = self._cells
        cells[0] += value
        cells[1 + bisect_left(self._bounds, value)] += 1

    def collect(self) -> Metric:
        family = HistogramMetricFamily(self.name, self._text)
        buckets, below = [], 0.0
        for label, count in zip(self._labels, self._cells[1:], strict=True):
            below += count
            buckets.append((label, below))
        family.add_metric([], buckets, self._cells[0])
        return family

    def take(self) -> Iterator[Change]:
        if self._cells != self._taken:
            yield Change(self.name, (), [now - then for now, then in zip(self._cells, self._taken, strict=True)])
            self._taken = list(self._cells)

    def add(self, change: Change) -> None:
        self._cells = [cell + amount for cell, amount in zip(self._cells, change.amounts, strict=True)]


class Ledger(Collector):
    """All counters and histograms of one process."""

    def __init__(self) -> None:
        self._all: dict[str, Counter | Histogram] = {}

    def counter(self, name: str, text: str, label_names: Sequence[str] = ()) -> Counter:
        counter = Counter(name, text, label_names)
        self._all[name] = counter
        return counter

    def count(self, name: str, text: str) -> Count:
        """A counter without labels."""
        return self.counter(name, text).labels()

    def histogram(self, name: str, text: str, buckets: Sequence[float]) -> Histogram:
        histogram = Histogram(name, text, buckets)
        self._all[name] = histogram
        return histogram

    def collect(self) -> Iterator[Metric]:
        return (series.collect() for series in self._all.values())

    def take(self) -> list[Change]:
        """What grew since the last `take`."""
        return [change for series in self._all.values() for change in series.take()]

    def add(self, changes: Iterable[Sequence[Any]]) -> None:
        """Another process's `take`."""
        for name, labels, amounts in changes:
            self._all[name].add(Change(name, tuple(labels), amounts))
