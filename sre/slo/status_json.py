"""Where SLOs stand as plain data: what `sre slo status --json` prints. Times are Unix seconds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sre.slo.status import Standing, TierNow


def standings_json(standings: Sequence[Standing]) -> dict[str, Any]:
    """`ok` is whether no SLO pages, is spent or blind."""
    bad = ("page", "exhausted", "no data")
    return {"ok": not any(one.state in bad for one in standings), "slos": [standing_json(one) for one in standings]}


def standing_json(one: Standing) -> dict[str, Any]:
    """One SLO. Shares are of the budget, ratios of events; null is unknown, with `no_data_reason`."""
    status, gone, ahead = one.budget, one.budget.exhaustion, one.forecast
    return {
        "name": one.slo.name,
        "title": one.slo.title,
        "service": one.slo.service,
        "document": f"{one.slo.path}:{one.slo.line}",
        "target": one.slo.target,
        "method": one.slo.method,
        "at": one.at,
        "state": one.state,
        "words": one.words,
        "no_data_reason": status.no_data_reason,
        "period": {"start": status.start, "end": status.end, "rolling": one.slo.calendar is None},
        "observed": {"since": status.observed_since, "coverage": status.coverage, "notes": list(status.notes)},
        "events": {"total": status.total, "bad": status.bad, "bad_least": status.bad_least, "allowed": status.allowed},
        "error_ratio": status.error_ratio,
        "error_band": status.error_band,
        "budget": {
            "spent_share": status.spent_share,
            "remaining_share": status.remaining_share,
            "spent_of_seen": status.spent_of_seen,
            "spent_of_period": status.spent_of_period,
            "remaining_events": status.remaining_events,
            "allowed_minutes": status.allowed_minutes,
            "spent_minutes": status.spent_minutes,
            "remaining_minutes": status.remaining_minutes,
            "spent_usd": status.spent_usd,
            "remaining_usd": status.remaining_usd,
        },
        "exhaustion": {"window_s": gone.window_s, "burn": gone.burn, "after_s": gone.after_s, "reason": gone.reason},
        "forecast": None
        if ahead is None
        else {
            "until": ahead.until,
            "spent_share": ahead.spent,
            "band": ahead.band,
            "level": ahead.level,
            "method": ahead.method,
            "reason": ahead.reason,
            "chance_exhausted": ahead.chance_exhausted,
        },
        "tiers": [_tier_json(now) for now in one.tiers],
        "corrections": [
            {
                "start": applied.correction.start,
                "end": applied.correction.end,
                "reason": applied.correction.reason,
                "author": applied.correction.author,
                "recorded_at": applied.correction.recorded_at,
                "where": applied.correction.where,
                "total": applied.total,
                "bad": applied.bad,
            }
            for applied in status.corrections
        ],
    }


def _tier_json(now: TierNow) -> dict[str, Any]:
    tier = now.tier
    return {
        "name": tier.name,
        "severity": tier.severity,
        "factor": tier.factor,
        "long_s": tier.long_s,
        "short_s": tier.short_s,
        "budget_share": tier.budget_share,
        "long_burn": now.long_burn,
        "short_burn": now.short_burn,
        "firing": now.firing,
    }
