"""The drill's SLOs from every source of samples there is, and the token counts that cost is computed from."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

from sre.errors import SreError
from sre.metrics.model import Matcher, SampleSource, Selector
from sre.slo.evaluate import evaluate
from sre.slo.events import read_events
from sre.slo.model import DrillClock, RatioSli, Slo, SloResult

GENERATED = Selector("sre_gateway_tokens_total", (Matcher("kind", "=", "generation"),))
GOOD = Selector("sre_gateway_good_tokens_total")
WASTED = Selector("sre_gateway_wasted_tokens_total")
CONTINUED = Selector("sre_gateway_replays_total", (Matcher("result", "=", "ok"),))
RECOMPUTED = Selector("sre_gateway_replayed_tokens_total")


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Generated tokens in the drill; None where the source could not say."""

    generated: int | None
    good: int | None
    wasted: int | None


@dataclass(frozen=True, slots=True)
class Replays:
    """Streams that went on on another replica, and the tokens computed again for it; None where nobody could say."""

    streams: int | None
    tokens: int | None


def evaluate_all(
    slos: Sequence[Slo], sources: Sequence[SampleSource], *, start: float, end: float, clock: DrillClock, step_s: float
) -> tuple[SloResult, ...]:
    """Every SLO from every source, source by source in the order given. A silent source raises SreError."""
    return tuple(
        evaluate(slo, source, start=start, end=end, clock=clock, step_s=step_s) for source in sources for slo in slos
    )


def watched_targets(source: SampleSource, *, now: float, within_s: float) -> int:
    """How many targets `source` scraped with success in the last `within_s`; 0 while it cannot say."""
    try:
        found = source.series(Selector("up"), start=now - within_s, end=now)
    except SreError:
        return 0
    return sum(1 for series in found if series.values.size and series.values[-1] == 1)


def token_counts(source: SampleSource, *, start: float, end: float) -> TokenCounts:
    """Token counters' increase over (start, end]."""
    return TokenCounts(*(_increase(source, selector, start, end) for selector in (GENERATED, GOOD, WASTED)))


def replays(source: SampleSource, *, start: float, end: float) -> Replays:
    """Replay counters' increase over (start, end]."""
    return Replays(*(_increase(source, selector, start, end) for selector in (CONTINUED, RECOMPUTED)))


def disagreements(results: Sequence[SloResult], *, primary: str, tolerance_events: float = 1.0) -> tuple[str, ...]:
    """Where another source counts other events than the primary one, in words. Both scraped the same counters."""
    first = {r.slo.name: r for r in results if r.source == primary}
    found = []
    for other in results:
        mine = first.get(other.slo.name)
        if other.source == primary or mine is None:
            continue
        for what, ours, theirs in (("total", mine.total, other.total), ("good", mine.good, other.good)):
            if abs(ours - theirs) > tolerance_events:
                found.append(f"{other.slo.name} {what}: {primary} {ours:g}, {other.source} {theirs:g}")
    return tuple(found)


def prometheus_version(url: str) -> str:
    """What the Prometheus server says it is; `unknown` when it does not say."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/api/v1/status/buildinfo", timeout=3.0) as response:
            return str(json.load(response)["data"]["version"])
    except (OSError, ValueError, KeyError):
        return "unknown"


def _increase(source: SampleSource, selector: Selector, start: float, end: float) -> int | None:
    try:
        return round(read_events(source, RatioSli(total=(selector,)), start=start, end=end).total.between(start, end))
    except SreError:
        return None
