"""Where each SLO stands at one moment: budget left, burn in each window, what fires, when it is gone; and in words.

The sentence is written for somebody who has never heard of burn rates: how much is left, how fast it goes, until when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from sre.errors import NoData
from sre.metrics.model import SampleSource
from sre.slo.alerts import episodes
from sre.slo.budget import BudgetStatus, Correction, Forecast, budget_status, forecast
from sre.slo.burn import NOTHING, SliEvents, TierBurn, burn_curves
from sre.slo.events import selectors_of, slo_events
from sre.slo.exhaustion import RECENT_S
from sre.slo.model import REAL_TIME, BurnTier, DrillClock, Slo
from sre.slo.periods import period_at
from sre.slo.tiers import tiers_of
from sre.slo.words import band, percent, span, times

State = Literal["ok", "fast", "ticket", "page", "exhausted", "no data"]
_FOR_STEPS = 60
_FRESH_S = 60.0


@dataclass(frozen=True, slots=True)
class TierNow:
    """One tier at the moment. Burns are None without events in the window."""

    tier: BurnTier
    long_burn: float | None
    short_burn: float | None
    firing: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """One SLO at one moment; `at` is the newest sample's time, never later than asked."""

    slo: Slo
    at: float
    budget: BudgetStatus
    tiers: tuple[TierNow, ...]
    forecast: Forecast | None

    @property
    def state(self) -> State:
        """The worst that holds, by what somebody has to do about it."""
        if self.budget.remaining_share is None:
            return "no data"
        firing = {now.tier.severity for now in self.tiers if now.firing}
        if "page" in firing:
            return "page"
        if self.budget.remaining_share <= 0:
            return "exhausted"
        if firing:
            return "ticket"
        return "fast" if (self.budget.exhaustion.burn or 0.0) > 1 else "ok"

    @property
    def words(self) -> str:
        """One or two sentences."""
        return _words(self)


def standing(
    source: SampleSource,
    slo: Slo,
    *,
    at: float,
    clock: DrillClock = REAL_TIME,
    corrections: Sequence[Correction] = (),
) -> Standing:
    """Reads the SLO's period up to `at` and judges it there. An unreadable source raises; no data is a state."""
    tiers = tiers_of(slo)
    longest = max((clock.compress(tier.long_s + tier.for_s) for tier in tiers), default=0.0)
    start = min(period_at(slo, at)[0], at - longest)
    reason = None
    try:
        events = slo_events(source, slo, start=start, end=at)
    except NoData as error:
        events, reason = NOTHING, str(error)
    return judge(slo, events, at=at, clock=clock, corrections=corrections, no_data_reason=reason)


def judge(
    slo: Slo,
    events: SliEvents,
    *,
    at: float,
    clock: DrillClock = REAL_TIME,
    corrections: Sequence[Correction] = (),
    no_data_reason: str | None = None,
) -> Standing:
    """The standing at `at` from events that reach back over the SLO's period."""
    status = budget_status(slo, events, at=at, corrections=corrections, recent_s=clock.compress(RECENT_S))
    if no_data_reason is not None:
        status = replace(status, no_data_reason=no_data_reason)
    ahead = None if status.total <= 0 else forecast(slo, events, at=at, corrections=corrections)
    return Standing(slo, at, status, tuple(_now(slo, events, tier, at, clock) for tier in tiers_of(slo)), ahead)


def newest_sample(source: SampleSource, slos: Sequence[Slo], *, now: float) -> float:
    """Time of the newest sample of any of the SLOs' own metrics, at most `now`; `now` when there is none at all.

    A file ends somewhere: judged at the clock's time it would only be "no data".
    """
    selectors = {selector for slo in slos for selector in selectors_of(slo.sli)}
    for start in (now - _FRESH_S, 0.0):
        found = [one for selector in selectors for one in source.series(selector, start=start, end=now)]
        if found:
            return max(float(one.times[-1]) for one in found)
    return now


def _now(slo: Slo, events: SliEvents, tier: BurnTier, at: float, clock: DrillClock) -> TierNow:
    held_s = clock.compress(tier.for_s)
    moments = np.linspace(at - held_s, at, _FOR_STEPS + 1) if held_s else np.array([at])
    (burn,) = burn_curves(events, (tier,), moments, budget=slo.budget, clock=clock)
    return TierNow(tier, _last(burn, "long"), _last(burn, "short"), _fires(slo, burn))


def _last(burn: TierBurn, window: Literal["long", "short"]) -> float | None:
    value = (burn.curve.long_burn if window == "long" else burn.curve.short_burn)[-1]
    return None if np.isnan(value) else float(value)


def _fires(slo: Slo, burn: TierBurn) -> bool:
    return any(alert.reset_at is None for alert in episodes(slo.name, burn))


def _words(one: Standing) -> str:
    status, left = one.budget, one.budget.remaining_share
    if left is None:
        return f"Nothing can be said: {status.no_data_reason}."
    period = f"{span(status.end - status.start)} budget"
    head = (
        f"{percent(left)} of the {period} is left"
        if left > 0
        else f"The {period} is spent: {percent(1 - left)} of it is gone"
    )
    sentences = [head + _sums(status), _pace(one)]
    if status.error_band is not None:
        sentences.append(f"It is known within a band: {band(status.error_band)}, and the budget goes by the lower")
    if status.coverage < 0.995:
        sentences.append(f"Only {percent(status.coverage)} of the time was observed")
    return ". ".join(sentence for sentence in sentences if sentence) + "."


def _sums(status: BudgetStatus) -> str:
    """The same in failures that are still allowed, and in money."""
    events, usd = status.remaining_events, status.remaining_usd
    said = []
    if events is not None:
        said.append(_failures(events))
    if usd is not None:
        said.append(f"${usd:,.0f}")
    return f" ({', '.join(said)})" if said else ""


def _failures(left: float) -> str:
    if left < 0:
        return f"{-left:,.0f} failed too many"
    return f"{left:,.0f} more may fail" if left >= 1 else "not one more may fail"


def _pace(one: Standing) -> str:
    firing = [now for now in one.tiers if now.firing]
    gone = one.budget.exhaustion
    recent = span(min(gone.window_s, one.at - (one.budget.observed_since or 0.0)))
    if firing:
        worst = firing[0]
        going = f"It burns {times(worst.long_burn)} as fast as allowed right now ({worst.tier.name} fires)"
    elif gone.burn is None:
        return f"Nothing happened in the last {recent}"
    elif gone.burn > 1:
        going = f"In the last {recent} it went {times(gone.burn)} as fast as allowed"
    elif gone.burn == 0:
        return f"Nothing failed in the last {recent}"
    else:
        return f"At the pace of the last {recent} ({times(gone.burn)}) it lasts"
    return f"{going}: gone in {span(gone.after_s)} if this goes on" if gone.after_s else going
