"""What the drill is judged by beside Chaos Toolkit's own hypothesis: what the experiment promised, and whether the
measurement itself can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sre.chaos.model import Expected, Judgement
from sre.gameday.evaluate import Replays
from sre.incidents.model import FaultWindow, Incident
from sre.reports.model import Check, Verdict
from sre.slo.model import SloResult

LAG_LIMIT_MS = 50.0
_LOST = ("error", "truncated", "rejected", "timeout")


def checks(
    *,
    judgement: Judgement,
    expected: Expected,
    faults: Sequence[FaultWindow],
    incident: Incident,
    primary: Sequence[SloResult],
    differences: Sequence[str],
    sources: Sequence[str],
    workload: Mapping[str, Any],
    replays: Replays,
    load_covered_chaos: bool,
) -> tuple[Check, ...]:
    """Every check, in the order a reader would ask them."""
    found = [
        Check("experiment", judgement.verdict == "passed", "passed", _with_reasons(judgement)),
        _proof(faults),
        _alert(expected, faults, primary),
        _recovery(expected, incident),
        *_losses(expected, workload, replays),
        Check(
            "load covers the experiment",
            load_covered_chaos,
            "load until after the last probe",
            "yes" if load_covered_chaos else "the load ended first: give it a longer --duration",
        ),
        _generator(workload),
        _valid(workload),
    ]
    if len(sources) > 1:
        names = " and ".join(sources)
        observed = "; ".join(differences) or "yes"
        found.append(Check("sources agree", not differences, f"{names} count the same", observed, deciding=False))
    return tuple(found)


def verdict(judgement: Judgement, found: Sequence[Check]) -> tuple[Verdict, tuple[str, ...]]:
    """The experiment's verdict with its reasons; a passed one deviates when another check failed, with those."""
    failed = tuple(
        f"{check.name}: expected {check.expected}, observed {check.observed}"
        for check in found
        if check.deciding and not check.ok and check.name != "experiment"
    )
    if judgement.verdict == "passed" and failed:
        return "deviated", failed
    return judgement.verdict, judgement.reasons


def _with_reasons(judgement: Judgement) -> str:
    return "; ".join((judgement.verdict, *judgement.reasons[:2]))


def _proof(faults: Sequence[FaultWindow]) -> Check:
    if not faults:
        return Check("fault proven", False, "seen from outside", "the ledger holds no fault")
    return Check("fault proven", all(f.proven for f in faults), "seen from outside", "; ".join(f.proof for f in faults))


def _alert(expected: Expected, faults: Sequence[FaultWindow], primary: Sequence[SloResult]) -> Check:
    """A page in time; or silence, where the SLO counted fewer bad events than the low-traffic guard asks for.

    The guard counts what the SLO calls bad, in the samples the alert was computed from: slow requests are no failed
    ones, and samples that were never had excuse nothing.
    """
    name = f"{expected.alert_slo} pages"
    wanted = f"within {expected.alert_within_s:g} s of the fault"
    if not faults:
        return Check(name, False, wanted, "there was no fault")
    begin = faults[0].begin
    concerned = [r for r in primary if r.slo.name == expected.alert_slo]
    pages = [a for r in concerned for a in r.alerts if a.severity == "page"]
    after = min((a for a in pages if a.fired_at >= begin), key=lambda a: a.fired_at, default=None)
    if after is not None:
        late_s = after.fired_at - begin
        return Check(name, late_s <= expected.alert_within_s, wanted, f"{after.tier} after {late_s:.1f} s")
    if pages:
        return Check(name, False, wanted, "fired before the fault only")
    blind = next((r.no_data_reason or "no data" for r in concerned if r.error_ratio is None), None)
    if blind is not None:
        return Check(name, False, wanted, f"it could not fire: {blind}")
    guard = min((c.tier.min_bad_events for r in concerned for c in r.curves), default=0)
    bad = max((r.total - r.good for r in concerned), default=0.0)
    if bad < guard:
        return Check(name, True, wanted, f"silent, rightly: {bad:g} bad events, the low-traffic guard asks for {guard}")
    return Check(name, False, wanted, f"it did not fire, {bad:g} bad events")


def _recovery(expected: Expected, incident: Incident) -> Check:
    took = incident.duration("time_to_recover")
    wanted = f"within {expected.recovered_within_s:g} s of the fault"
    if took.seconds is None:
        return Check("target recovers", False, wanted, took.reason or "n/a")
    return Check("target recovers", took.seconds <= expected.recovered_within_s, wanted, f"after {took.seconds:.1f} s")


def _losses(expected: Expected, workload: Mapping[str, Any], replays: Replays) -> tuple[Check, ...]:
    """What the clients lost over the whole load, by their own count; nothing when the experiment promises nothing."""
    most = expected.failed_requests
    if most is None:
        return ()
    outcomes = (workload.get("run") or {}).get("outcomes", {})
    lost = {name: outcomes[name] for name in _LOST if outcomes.get(name)}
    observed = ", ".join(f"{count} {name}" for name, count in lost.items()) or "none"
    if replays.streams:
        again = "" if replays.tokens is None else f", {replays.tokens:,} tokens computed again"
        observed += f"; {replays.streams} {'stream' if replays.streams == 1 else 'streams'} went on elsewhere{again}"
    wanted = "none failed" if most == 0 else f"at most {most} failed"
    return (Check("requests survive", sum(lost.values()) <= most, wanted, observed),)


def _valid(workload: Mapping[str, Any]) -> Check:
    """Requests the server refused as impossible say something of the trace, and thin out the load."""
    run = workload.get("run") or {}
    refused = run.get("outcomes", {}).get("invalid", 0)
    observed = f"{refused} of {run.get('sent', 0)} refused, see requests.jsonl (--max-prompt-tokens caps a trace)"
    return Check("requests are valid", not refused, "none refused as impossible", observed if refused else "yes", False)


def _generator(workload: Mapping[str, Any]) -> Check:
    lag = workload.get("lag_ms")
    name, wanted = "load generator kept time", f"p99 lag up to {LAG_LIMIT_MS:g} ms"
    if not lag:
        return Check(name, False, wanted, "nothing was sent")
    return Check(name, lag["p99"] <= LAG_LIMIT_MS, wanted, f"p99 {lag['p99']:.1f} ms of lag", deciding=False)
