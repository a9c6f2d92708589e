"""Whether the alert that the experiment expects came in time, or silence was kept where it expects silence."""

from __future__ import annotations

from collections.abc import Sequence

from sre.chaos.model import Expected
from sre.incidents.model import FaultWindow
from sre.reports.model import Check
from sre.slo.model import Alert, SloResult

AVAILABILITY = "availability"


def alert_check(
    expected: Expected,
    faults: Sequence[FaultWindow],
    primary: Sequence[SloResult],
    *,
    slos: Sequence[str],
    clients_lost: int,
) -> Check:
    """`primary` are the results of the source that is quoted; `slos` the names of those that the drill is about.
    `clients_lost` is how many requests failed by the clients' own count.
    """
    if expected.alert_slo is None:
        return _silence(faults, primary, slos)
    name, wanted = f"{expected.alert_slo} pages", f"within {expected.alert_within_s:g} s of the fault"
    ok, observed = _page(expected.alert_slo, expected.alert_within_s, faults, primary, clients_lost)
    return Check(name, ok, wanted, observed, key="alert")


def _page(
    slo: str, within_s: float, faults: Sequence[FaultWindow], primary: Sequence[SloResult], clients_lost: int
) -> tuple[bool, str]:
    """A page in time; or silence, where the SLO counted fewer bad events than the low-traffic guard asks for.

    The guard counts what the SLO calls bad, in the samples the alert was computed from: slow requests are no failed
    ones, and samples that were never had excuse nothing. Nor does a count that died with the one who kept it: losses
    that clients saw and availability did not are no reason for silence.
    """
    if not faults:
        return False, "there was no fault"
    begin = faults[0].begin
    concerned = [r for r in primary if r.slo.name == slo]
    pages = [a for r in concerned for a in r.alerts if a.severity == "page"]
    after = min((a for a in pages if a.fired_at >= begin), key=lambda a: a.fired_at, default=None)
    if after is not None:
        late_s = after.fired_at - begin
        return late_s <= within_s, f"{after.tier} after {late_s:.1f} s"
    if pages:
        return False, "fired before the fault only"
    blind = _blind(concerned)
    if blind is not None:
        return False, f"it could not fire: {blind}"
    guard = min((c.tier.min_bad_events for r in concerned for c in r.curves), default=0)
    bad = max((r.total - r.good for r in concerned), default=0.0)
    if slo == AVAILABILITY and bad < guard <= clients_lost:
        return False, f"silent: clients lost {clients_lost} requests, of which it counted {bad:g}"
    if bad < guard:
        return True, f"silent, rightly: {bad:g} bad events, the low-traffic guard asks for {guard}"
    return False, f"it did not fire, {bad:g} bad events"


def _silence(faults: Sequence[FaultWindow], primary: Sequence[SloResult], slos: Sequence[str]) -> Check:
    name, wanted = "no SLO alerts", "silence after the fault"
    if not faults:
        return Check(name, False, wanted, "there was no fault", key="alert")
    begin = faults[0].begin
    fired = sorted((a for r in primary for a in r.alerts if a.fired_at >= begin), key=lambda a: a.fired_at)
    if fired:
        return Check(name, False, wanted, "; ".join(_told(alert, begin) for alert in fired[:3]), key="alert")
    named = [r for r in primary if r.slo.name in slos]
    blind = _blind(named or [r for r in primary if r.error_ratio is not None])
    if blind is not None:
        return Check(name, False, wanted, f"none could fire: {blind}", key="alert")
    return Check(name, True, wanted, "silent", key="alert")


def _told(alert: Alert, begin: float) -> str:
    return f"{alert.slo} {alert.tier} after {alert.fired_at - begin:.1f} s"


def _blind(results: Sequence[SloResult]) -> str | None:
    """Why nothing could fire; None where every one of these had data. One without any result is blind too."""
    if not results:
        return "it was not evaluated"
    return next((r.no_data_reason or "no data" for r in results if r.error_ratio is None), None)
