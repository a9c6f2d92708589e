"""Samples read from a Prometheus server through prometheus-api-client.

Raw samples come from an *instant* query of a range selector (`x[10000ms]` at `end`): the query_range API would resample
them on a grid, and refuses more than 11,000 points. Prometheus 2.x returns both ends of such a range, 3.x leaves the
left one out: the range is asked slightly wider and cut here to start < t <= end. Nothing is extrapolated.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from sre.errors import EnvironmentLacks, NoData
from sre.metrics.model import Selector, Series, SeriesId
from sre.metrics.selector import format_selector

CHUNK_S = 3600.0  # an answer holds at most this much: an hour at 1 s is 3,600 samples a series
_MARGIN_MS = 1


class PrometheusSamples:
    """A Prometheus server as a SampleSource. `timeout_s` bounds every request; the library has no bound of its own."""

    def __init__(self, url: str, *, timeout_s: float = 5.0) -> None:
        from prometheus_api_client import PrometheusConnect
        from urllib3.util.retry import Retry

        self._url = url.rstrip("/")
        # the library's own default waits for 6 s over three retries: too long for a probe that guards a drill
        retry = Retry(total=1, backoff_factor=0.1, status_forcelist=[503], raise_on_status=False)
        self._client = PrometheusConnect(url=self._url, retry=retry, timeout=timeout_s)

    @property
    def name(self) -> str:
        return "prometheus"

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        """Raw samples with start < t <= end. A silent server raises EnvironmentLacks, one that refuses NoData."""
        found: dict[SeriesId, list[tuple[float, float]]] = {}
        for chunk_start, chunk_end in _chunks(start, end):
            for item in self._query(_range_query(selector, chunk_start, chunk_end), at=_ceil_ms(chunk_end) / 1000):
                samples = found.setdefault(_series_id(item["metric"]), [])
                samples.extend(_samples(item["values"], chunk_start, chunk_end))
        ordered = sorted((s for s in found if found[s]), key=lambda s: (s.name, s.labels))
        return [_series(series, found[series]) for series in ordered]

    def close(self) -> None:
        """Release the connection."""
        self._client.close()

    def _query(self, query: str, *, at: float) -> list[dict[str, Any]]:
        from prometheus_api_client.exceptions import PrometheusApiClientException

        try:
            answer: list[dict[str, Any]] = self._client.custom_query(query, params={"time": f"{at:.3f}"})
        except (ValueError, KeyError, TypeError) as error:  # first: a reply that is not JSON is an OSError, too
            raise EnvironmentLacks(f"{self._url} does not speak Prometheus's API: check the address") from error
        except PrometheusApiClientException as error:
            raise NoData(f"Prometheus at {self._url} refused {query!r}: {_one_line(error)}") from error
        except OSError as error:  # every network fault of `requests` is one
            reason = type(error).__name__
            raise EnvironmentLacks(
                f"Prometheus at {self._url} does not answer ({reason}): start it, or read from the scraper"
            ) from error
        return answer


def _chunks(start: float, end: float) -> list[tuple[float, float]]:
    """(start, end] cut into neighbours of at most CHUNK_S."""
    if end <= start:
        return []
    count = math.ceil((end - start) / CHUNK_S)
    edges = [start + i * CHUNK_S for i in range(count)] + [end]
    return list(pairwise(edges))


def _range_query(selector: Selector, start: float, end: float) -> str:
    width_ms = _ceil_ms(end) - math.floor(start * 1000) + _MARGIN_MS
    return f"{format_selector(selector)}[{width_ms}ms]"


def _ceil_ms(seconds: float) -> int:
    return math.ceil(round(seconds * 1000, 3))


def _series_id(metric: dict[str, str]) -> SeriesId:
    labels = tuple(sorted((name, value) for name, value in metric.items() if name != "__name__"))
    return SeriesId(metric["__name__"], labels)


def _samples(values: list[tuple[float, str]], start: float, end: float) -> list[tuple[float, float]]:
    """The samples of one answer inside (start, end]; values that are not finite are left out, as the recorder does."""
    inside = ((float(at), float(text)) for at, text in values if start < at <= end)
    return [(at, value) for at, value in inside if math.isfinite(value)]


def _series(series: SeriesId, samples: list[tuple[float, float]]) -> Series:
    array = np.array(samples, dtype=np.float64)
    return Series(series, array[:, 0], array[:, 1])


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
