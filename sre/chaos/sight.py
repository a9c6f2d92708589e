"""Where a run reads service levels: the recorder of the platform's state directory, or a Prometheus that is named.

Probes, guard and gate read the same source. A Prometheus scrapes less often than our recorder, so how old a sample may
be follows the scrape interval.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre.errors import NoData, PlatformError, SreError
from sre.platforms.select import state_directory

if TYPE_CHECKING:
    from sre.metrics.opening import OpenSource

SAMPLES = "samples"
RECORDER_FILE = "recorder.json"
USUAL_INTERVAL_S = 1.0
PROMETHEUS_URL = "SRE_PROMETHEUS_URL"
SCRAPE_INTERVAL_S = "SRE_SCRAPE_INTERVAL_S"
USUAL_PROMETHEUS_S = 15.0
STALE_S = 5.0
SILENT_AFTER_S = 15.0
TIMEOUT_S = 5.0
REQUESTS = "sre_gateway_requests_total"


@dataclass(frozen=True, slots=True)
class Sight:
    """`prometheus` is a URL, None for the recorder's folder `samples`. `interval_s` is how often it scrapes, None what
    the recorder was told.
    """

    samples: Path
    prometheus: str | None = None
    interval_s: float | None = None

    @property
    def stale_s(self) -> float:
        """Samples older than this mean that nobody watches any more."""
        return max(STALE_S, 3 * self.interval_s) if self.interval_s is not None else STALE_S

    def open(self) -> OpenSource:
        """To be closed after use. Raises NoData where there are no samples, SreError for what is no source."""
        if self.prometheus is not None:
            from sre.metrics.opening import SourceSpec, open_source

            return open_source(SourceSpec(prometheus=self.prometheus, timeout_s=TIMEOUT_S))
        if not self.samples.is_dir():
            raise NoData(f"{self.samples}: no samples, no platform was started here: start one with `sre up`")
        from sre.metrics.files import RecordedSamples

        return RecordedSamples(self.samples)

    def require_fresh(self, *, now: float) -> None:
        """Raises PlatformError unless the source has something to see, and from lately."""
        if self.prometheus is not None:
            self._require_scraped(self.prometheus, now)
            return
        status = [path.stat() for path in self.samples.glob("*.jsonl")]
        newest = max((one.st_mtime for one in status if one.st_size > 0), default=None)
        if newest is None:
            raise PlatformError(
                f"{self.samples}: no samples, the steady state could not be judged: start with `sre up`"
            )
        if now - newest > SILENT_AFTER_S:
            raise PlatformError(
                f"{self.samples}: the recorder has written nothing for {now - newest:.0f} s: see `sre status`"
            )

    def _require_scraped(self, url: str, now: float) -> None:
        from sre.chaos.readings import newest_sample
        from sre.metrics.model import Selector

        try:
            with self.open() as source:
                newest_sample(source, (Selector(REQUESTS),), now=now, stale_s=self.stale_s)
        except SreError as error:
            raise PlatformError(f"{url}: the steady state could not be judged: {error}") from error


def sight_of(configuration: Mapping[str, Any] | None, *, state_dir: Path | None = None) -> Sight:
    """`prometheus_url` of the configuration, else $SRE_PROMETHEUS_URL, else the recorder's folder. Raises SreError."""
    given = configuration or {}
    samples = (state_dir or state_directory(given)) / SAMPLES
    url = str(given.get("prometheus_url") or os.environ.get(PROMETHEUS_URL) or "")
    if not url:
        return Sight(samples)
    if not url.startswith(("http://", "https://")):
        raise SreError(f"prometheus_url is {url!r}: write http:// or https:// and the address")
    stated = given.get("scrape_interval_s") or os.environ.get(SCRAPE_INTERVAL_S) or USUAL_PROMETHEUS_S
    try:
        interval_s = float(stated)
    except (TypeError, ValueError):
        interval_s = 0.0
    if not 0 < interval_s < float("inf"):
        raise SreError(f"scrape_interval_s is {stated!r}: write seconds, above 0")
    return Sight(samples, url, interval_s)


def scrape_interval_s(state_dir: Path) -> float:
    """How often samples come, as the recorder was told; a platform whose recorder is not ours scrapes as usual."""
    from sre.metrics.targets import read_config

    try:
        return read_config(state_dir / RECORDER_FILE).interval_s
    except SreError:
        return USUAL_INTERVAL_S
