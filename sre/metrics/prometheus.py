"""Samples read from a Prometheus server through prometheus-api-client.

Raw samples come from an *instant* query of a range selector (`x[10000ms]` at `end`): the query_range API would resample
them on a grid, and refuses more than 11,000 points. Prometheus 2.x returns both ends of such a range, 3.x leaves the
left one out: the range is asked slightly wider and cut here to start < t <= end. Nothing is extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

from sre.errors import EnvironmentLacks
from sre.metrics.chunks import ChunkPlan
from sre.metrics.columns import by_identity, join
from sre.metrics.credentials import Credentials
from sre.metrics.facts import observed_interval_s
from sre.metrics.identity import series_id
from sre.metrics.model import FloatArray, HistogramSeries, Selector, Series, SeriesId
from sre.metrics.native import HistogramSample, histogram_series, read_histogram
from sre.metrics.prometheus_facts import PrometheusFacts
from sre.metrics.prometheus_selectors import server_selector

MOST_HISTOGRAMS = 10_000  # a native histogram is some hundred bytes to kilobytes of JSON
ANONYMOUS = Credentials()
INTERVAL_SPAN_S = 900.0
_MARGIN_MS = 1
_Item = dict[str, Any]
_T = TypeVar("_T")


class PrometheusSamples(PrometheusFacts):
    """A Prometheus server as SampleSource, HistogramSource and SourceFacts. `timeout_s` bounds every request.

    What the server says beside its answers is kept in `warnings`. An answer that it calls partial (a store of Thanos
    is down, a remote read failed) raises EnvironmentLacks unless `allow_partial`: errors may be what is missing.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 5.0,
        credentials: Credentials = ANONYMOUS,
        allow_partial: bool = False,
    ) -> None:
        from prometheus_api_client import PrometheusConnect

        from sre.metrics.prometheus_session import GuardedSession

        self._url = url.rstrip("/")
        self._allow_partial = allow_partial
        self._warnings: dict[str, None] = {}
        self._session = GuardedSession(
            self._url, credentials=credentials, timeout_s=timeout_s, on_payload=self._note_warnings
        )
        self._client = PrometheusConnect(url=self._url, session=self._session, timeout=timeout_s)

    @property
    def name(self) -> str:
        return "prometheus"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the server warned of so far, each once."""
        return tuple(self._warnings)

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        """Raw samples with start < t <= end. A silent server raises EnvironmentLacks, one that refuses NoData."""
        found: dict[SeriesId, list[tuple[FloatArray, FloatArray]]] = {}
        for part, items in self._parts(selector, ChunkPlan(start, end), _count_values):
            for item in items:
                if pieces := self._read(_samples, item, part):
                    found.setdefault(self._read(_identity, item, part), []).append(pieces)
        return sorted((join(one, pieces) for one, pieces in found.items()), key=by_identity)

    def histograms(self, selector: Selector, *, start: float, end: float) -> list[HistogramSeries]:
        """Native histograms with start < t <= end; [] from a server without any. Raises as `series`."""
        found: dict[SeriesId, list[HistogramSample]] = {}
        plan = ChunkPlan(start, end, most_samples=MOST_HISTOGRAMS)
        for part, items in self._parts(selector, plan, _count_histograms):
            for item in items:
                if samples := self._read(_histograms, item, part):
                    found.setdefault(self._read(_identity, item, part), []).extend(samples)
        return [histogram_series(one, found[one]) for one in sorted(found, key=lambda one: (one.name, one.labels))]

    def scrape_interval_s(self, selector: Selector, *, end: float) -> float | None:
        """The interval that shows in the samples of the last 15 min before `end`; None when there are too few."""
        return observed_interval_s(self.series(selector, start=end - INTERVAL_SPAN_S, end=end))

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _parts(
        self, selector: Selector, plan: ChunkPlan, count: Callable[[_Item], int]
    ) -> Iterator[tuple[tuple[float, float], list[_Item]]]:
        """Each part of the range with its answer."""
        from sre.metrics.prometheus_session import AnswerTooBig

        while (part := plan.next()) is not None:
            query = f"{server_selector(selector)}[{_width_ms(*part)}ms]"
            try:
                items = self._query(query, at=_ceil_ms(part[1]) / 1000)
            except AnswerTooBig as error:
                plan.too_big(part, str(error))
                continue
            counts = [self._read(lambda item, _: count(item), item, part) for item in items]
            yield part, items
            plan.seen(part, samples=sum(counts), most_per_series=max(counts, default=0))

    def _query(self, query: str, *, at: float) -> list[_Item]:
        try:
            answer = self._client.custom_query(query, params={"time": f"{at:.3f}"})
        except (KeyError, TypeError) as error:
            raise self._foreign() from error
        if not isinstance(answer, list) or not all(isinstance(item, dict) for item in answer):
            raise self._foreign()
        return answer

    def _read(self, read: Callable[[_Item, tuple[float, float]], _T], item: _Item, part: tuple[float, float]) -> _T:
        try:
            return read(item, part)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise self._foreign() from error

    def _note_warnings(self, payload: _Item) -> None:
        said = [str(text) for text in payload.get("warnings") or ()]
        if payload.get("isPartial"):  # VictoriaMetrics's way to say it
            said.append("the server calls its answer partial")
        self._warnings.update(dict.fromkeys(said))
        # notes on the expression, not on the data, begin so
        partial = [text for text in said if not text.startswith("PromQL")]
        if partial and not self._allow_partial:
            raise EnvironmentLacks(
                f"Prometheus at {self._url} answered in part only ({' '.join(partial[0].split())[:200]}): "
                "ask again when its stores are up, or allow partial answers"
            )


def _width_ms(start: float, end: float) -> int:
    return _ceil_ms(end) - math.floor(start * 1000) + _MARGIN_MS


def _ceil_ms(seconds: float) -> int:
    return math.ceil(round(seconds * 1000, 3))


def _identity(item: _Item, _part: tuple[float, float]) -> SeriesId:
    metric: dict[str, str] = item["metric"]
    return series_id(metric["__name__"], ((name, value) for name, value in metric.items() if name != "__name__"))


def _count_values(item: _Item) -> int:
    return len(item.get("values") or ())


def _count_histograms(item: _Item) -> int:
    return len(item.get("histograms") or ())


def _samples(item: _Item, part: tuple[float, float]) -> tuple[FloatArray, FloatArray] | None:
    """(times, values) inside (start, end]; values that are not finite are left out, as the recorder does."""
    raw = item.get("values") or ()
    times = np.array([float(pair[0]) for pair in raw])
    values = np.array([float(pair[1]) for pair in raw])
    inside = (times > part[0]) & (times <= part[1]) & np.isfinite(values)
    return (times[inside], values[inside]) if inside.any() else None


def _histograms(item: _Item, part: tuple[float, float]) -> list[HistogramSample]:
    raw = (read_histogram(one) for one in item.get("histograms") or ())
    return [one for one in raw if one is not None and part[0] < one.at <= part[1]]
