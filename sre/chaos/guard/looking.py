"""One look at the platform: its samples and its replicas. Reads on from where the last look stopped.

A window ends at the newest sample and never reaches back before the method began: what went wrong before is not the
experiment's doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sre.chaos.guard.model import Count, GuardSettings, Look
from sre.chaos.leases.radius import healthy
from sre.errors import NoData, SreError
from sre.metrics.model import Matcher, SampleSource, Selector
from sre.platforms.model import Platform
from sre.slo.events import selectors_of
from sre.slo.model import RatioSli, Sli, Slo
from sre.slo.sli import quantile_over, ratio_over

REQUESTS = "sre_gateway_requests_total"
TTFT = "sre_gateway_ttft_seconds"
LOOK_BACK_S = 60.0
ANSWERED = RatioSli(
    total=(Selector(REQUESTS, (Matcher("outcome", "=~", "ok|error|truncated|rejected"),)),),
    bad=(Selector(REQUESTS, (Matcher("outcome", "=~", "error|truncated|rejected"),)),),
)
"""Every request that counts, by the gateway's own counters (docs/contracts.md)."""
FIRST_TOKENS = RatioSli(total=(Selector(f"{TTFT}_count"),))


@dataclass(slots=True)
class Looker:
    """Looks at what the settings ask for. `slos` are the documents of `settings.burns`; `since`: the method's begin.

    Between two scrapes nothing is computed again.
    """

    platform: Platform
    source: SampleSource
    settings: GuardSettings
    slos: Mapping[str, Slo]
    since: float
    _ends: tuple[float, ...] = ()
    _last: Look | None = None

    def look(self, at: float) -> Look:
        """What there is to see at `at` (now). Does not raise for what cannot be read: the look says so."""
        try:
            ends = tuple(self._newest(sli, at) for sli in self._watched())
            if self._last is None or ends != self._ends:
                self._ends, self._last = ends, self._metrics(ends)
            look = replace(self._last, at=at, age_s=max((at - end for end in ends), key=abs))
        except (SreError, OSError) as error:
            look = Look(at, None, blind=str(error) or type(error).__name__)
        if self.settings.min_healthy_replicas is None:
            return look
        try:
            return replace(look, healthy=sum(1 for replica in self.platform.replicas() if healthy(replica)))
        except (SreError, OSError) as error:
            return replace(look, unseen=str(error) or type(error).__name__)

    def _watched(self) -> list[Sli]:
        return [ANSWERED, *(self.slos[limit.slo].sli for limit in self.settings.burns)]

    def _metrics(self, ends: tuple[float, ...]) -> Look:
        """Windows that end at the newest sample of what they count."""
        settings, end = self.settings, ends[0]
        counts = {
            limit.slo: self._count(self.slos[limit.slo].sli, newest, limit.window_s)
            for limit, newest in zip(settings.burns, ends[1:], strict=True)
        }
        since_begin = None if settings.max_failed_requests is None else self._count(ANSWERED, end, end - self.since)
        p95, first_tokens = self._ttft(end)
        return Look(
            at=end,
            age_s=0.0,
            burn={
                slo: count.bad / count.total / self.slos[slo].budget for slo, count in counts.items() if count.total > 0
            },
            counts=counts,
            requests=self._count(ANSWERED, end, settings.window_s),
            failed_since_begin=None if since_begin is None else since_begin.bad,
            ttft_p95_s=p95,
            first_tokens=first_tokens,
        )

    def _newest(self, sli: Sli, at: float) -> float:
        """Time of the newest sample that shows this SLI. Raises NoData without one in the last minute."""
        found = [
            float(series.times[-1])
            for selector in selectors_of(sli)
            for series in self.source.series(selector, start=at - LOOK_BACK_S, end=at + LOOK_BACK_S)
        ]
        if not found:
            names = ", ".join(sorted({selector.name for selector in selectors_of(sli)}))
            raise NoData(f"no sample of {names} in the last {LOOK_BACK_S:g} s: does the recorder run?")
        return max(found)

    def _count(self, sli: Sli, end: float, window_s: float) -> Count:
        window_s = min(window_s, end - self.since)
        if window_s <= 0:  # nothing was scraped since the begin
            return Count(0.0, 0.0)
        good, total = ratio_over(self.source, sli, end=end, window_s=window_s)
        return Count(total - good, total)

    def _ttft(self, end: float) -> tuple[float | None, float]:
        """(p95 in seconds, first tokens it is made of); None without any."""
        if self.settings.max_ttft_p95_s is None:
            return None, 0.0
        count = self._count(FIRST_TOKENS, end, self.settings.window_s).total
        if count <= 0:
            return None, count
        window_s = min(self.settings.window_s, end - self.since)
        return quantile_over(self.source, TTFT, 0.95, end=end, window_s=window_s), count
