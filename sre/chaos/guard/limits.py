"""Which limits a look shows to be passed. Pure, and closed in doubt: what cannot be read counts as passed."""

from __future__ import annotations

import math
from collections.abc import Iterator

from sre.chaos.guard.model import BurnLimit, GuardSettings, Look
from sre.slo.words import percent, times

STALE_INTERVALS = 3
"""A scrape may fail or come late; two in a row that are missing are no sight of the platform."""


def stale_after_s(settings: GuardSettings, interval_s: float) -> float:
    """How old the newest sample may be."""
    return STALE_INTERVALS * interval_s if settings.stale_after_s is None else settings.stale_after_s


def passed_limits(settings: GuardSettings, look: Look, *, interval_s: float, deadline_at: float) -> tuple[str, ...]:
    """Why the run must be aborted, each as a sentence; empty when it may go on.

    `deadline_at` is when the whole run must be over, Unix time.
    """
    reasons = list(_deadline(look, deadline_at))
    blind = _blind(look, stale_after_s(settings, interval_s))
    if blind is None:
        reasons += _metrics(settings, look)
    elif not settings.metrics_may_vanish:
        reasons.append(f"the guard cannot see the service: {blind}")
    return (*reasons, *_replicas(settings, look))


def _deadline(look: Look, deadline_at: float) -> Iterator[str]:
    if not look.at < deadline_at:
        yield "the run is past its deadline_s"


def _blind(look: Look, stale_s: float) -> str | None:
    if look.blind:
        return look.blind
    if look.age_s is None or not math.isfinite(look.age_s):
        return "there is no sample"
    if abs(look.age_s) > stale_s:
        side = "old" if look.age_s > 0 else "ahead of the clock"
        return f"the newest sample is {abs(look.age_s):.1f} s {side}, more than {stale_s:g} s: does the recorder run?"
    return None


def _metrics(settings: GuardSettings, look: Look) -> Iterator[str]:
    for limit in settings.burns:
        yield from _burn(limit, look)
    yield from _share(settings, look)
    yield from _failed(settings, look)
    yield from _ttft(settings, look)


def _burn(limit: BurnLimit, look: Look) -> Iterator[str]:
    count = look.counts.get(limit.slo)
    if count is None or not _finite(count.bad, count.total):
        yield f"the burn of {limit.slo} could not be read"
        return
    burn = look.burn.get(limit.slo)  # without events there is none
    if count.total <= 0 or count.bad < limit.min_bad:
        return
    if burn is None or not math.isfinite(burn):
        yield f"the burn of {limit.slo} could not be read"
    elif burn > limit.max_burn:
        yield (
            f"{limit.slo} burns {times(burn)} as fast as allowed over {limit.window_s:g} s "
            f"({count.bad:g} of {count.total:g} bad), max_burn is {limit.max_burn:g}"
        )


def _share(settings: GuardSettings, look: Look) -> Iterator[str]:
    if settings.max_failed_share >= 1:
        return
    requests = look.requests
    if requests is None or not _finite(requests.bad, requests.total):
        yield "the share of failed requests could not be read"
    elif requests.total >= settings.min_requests and requests.bad / requests.total > settings.max_failed_share:
        yield (
            f"{percent(requests.bad / requests.total)} of the {requests.total:g} requests of the last "
            f"{settings.window_s:g} s failed, max_failed_share is {settings.max_failed_share:g}"
        )


def _failed(settings: GuardSettings, look: Look) -> Iterator[str]:
    if settings.max_failed_requests is None:
        return
    failed = look.failed_since_begin
    if failed is None or not math.isfinite(failed):
        yield "the number of failed requests could not be read"
    elif failed > settings.max_failed_requests:
        yield (
            f"{failed:g} requests failed since the method began, max_failed_requests is {settings.max_failed_requests}"
        )


def _ttft(settings: GuardSettings, look: Look) -> Iterator[str]:
    if settings.max_ttft_p95_s is None or look.first_tokens < settings.min_requests:
        return
    p95 = look.ttft_p95_s
    if p95 is None or not math.isfinite(p95):
        yield "the time to first token could not be read"
    elif p95 > settings.max_ttft_p95_s:
        yield (
            f"time to first token, p95 over {settings.window_s:g} s, is {p95:.2f} s, "
            f"max_ttft_p95_s is {settings.max_ttft_p95_s:g}"
        )


def _replicas(settings: GuardSettings, look: Look) -> Iterator[str]:
    least = settings.min_healthy_replicas
    if least is None:
        return
    if look.healthy is None:
        yield f"the platform does not say how many replicas are healthy: {look.unseen or 'no answer'}"
    elif look.healthy < least:
        yield f"{look.healthy} replica(s) are healthy, min_healthy_replicas is {least}"


def _finite(*values: float) -> bool:
    return all(map(math.isfinite, values))
