"""One SLO over one interval: counts, burn curves of every tier, alert episodes. The same for any source of samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sre.errors import NoData, SreError
from sre.metrics.model import FloatArray, SampleSource
from sre.slo.alerts import episodes
from sre.slo.burn import NOTHING, TierBurn, burn_curves
from sre.slo.events import LOOKBACK_S, slo_events
from sre.slo.model import Alert, BurnTier, DrillClock, Slo, SloResult
from sre.slo.tiers import tiers_of


def evaluate(
    slo: Slo,
    source: SampleSource,
    *,
    start: float,
    end: float,
    clock: DrillClock,
    step_s: float = 1.0,
    tiers: Sequence[BurnTier] | None = None,
) -> SloResult:
    """Evaluate `slo` over (start, end], every `step_s` (the scrape interval), with its own tiers unless given others.

    Burn windows see nothing before `start`: a drill is judged by itself, not by the one that ran before it. Time slices
    are compressed by the clock like windows. Memory and time grow with the samples and the steps.
    A source without samples gives a result with `no_data_reason`; a source that cannot be read raises.
    """
    chosen = tuple(tiers) if tiers is not None else tiers_of(slo)
    check_windows(chosen, clock, step_s)
    times = _evaluation_times(start, end, step_s)
    try:
        lookback_s = max(LOOKBACK_S, 2 * step_s)
        compressed = _compressed(slo, clock, step_s)
        events, reason = slo_events(source, compressed, start=start, end=end, lookback_s=lookback_s), None
    except NoData as error:
        events, reason = NOTHING, str(error)
    burns = burn_curves(events, chosen, times, budget=slo.budget, clock=clock)
    bad, total = events.between(start, end)
    least = bad if events.is_exact else events.least_between(start, end)
    if reason is None and total == 0:
        reason = f"no events in the {end - start:g} s observed"
    return SloResult(
        slo=slo,
        source=source.name,
        start=start,
        end=end,
        good=max(total - bad, 0.0),
        total=total,
        error_ratio=bad / total if total else None,
        no_data_reason=reason,
        curves=tuple(burn.curve for burn in burns),
        alerts=_alerts(slo, burns),
        error_band=(least / total, bad / total) if total and not events.is_exact else None,
    )


def _alerts(slo: Slo, burns: Sequence[TierBurn]) -> tuple[Alert, ...]:
    found = [alert for burn in burns for alert in episodes(slo.name, burn)]
    return tuple(sorted(found, key=lambda alert: alert.fired_at))


def _evaluation_times(start: float, end: float, step_s: float) -> FloatArray:
    """start + step, start + 2 step ... up to and including `end`."""
    if not end > start:
        raise SreError(f"nothing to evaluate: the interval ends ({end}) before it starts ({start})")
    return start + step_s * np.arange(1, int((end - start) / step_s + 1e-9) + 1, dtype=np.float64)


def check_windows(tiers: Sequence[BurnTier], clock: DrillClock, step_s: float) -> None:
    """Raises SreError when the drill clock makes the shortest window too short to hold two scrapes."""
    shortest = min((tier.short_s for tier in tiers), default=np.inf)
    if clock.compress(shortest) < 2 * step_s:
        most = shortest / (2 * step_s)
        raise SreError(
            f"drill clock {clock.factor:g}x leaves a window of {clock.compress(shortest):g} s, "
            f"less than two scrapes of {step_s:g} s: use at most {most:g}x"
        )


def _compressed(slo: Slo, clock: DrillClock, step_s: float) -> Slo:
    """The SLO with its time slices under the drill clock. Raises SreError when a slice is too short for a scrape."""
    if slo.slice_s is None or slo.method == "Occurrences" or clock.factor == 1:
        return slo
    slice_s = clock.compress(slo.slice_s)
    if slice_s < step_s:
        raise SreError(
            f"drill clock {clock.factor:g}x leaves a time slice of {slice_s:g} s, less than a scrape of {step_s:g} s: "
            f"use at most {slo.slice_s / step_s:g}x"
        )
    return replace(slo, slice_s=slice_s)
