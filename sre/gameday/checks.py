"""What the drill is judged by beside Chaos Toolkit's own hypothesis: what the experiment promised, and whether the
measurement itself can be trusted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sre.chaos.model import Expected, ExpectedCost, Judgement
from sre.cost.model import CostReport
from sre.gameday.alert_check import alert_check
from sre.gameday.evaluate import Replays
from sre.incidents.model import FaultWindow, Incident
from sre.reports.formats import money, multiple
from sre.reports.model import Check, Verdict
from sre.slo.model import SloResult

LAG_LIMIT_MS = 50.0
_LOST = ("error", "truncated", "rejected", "timeout")
_RUN_ITSELF = frozenset({"run", "control"})


def checks(
    *,
    judgement: Judgement,
    expected: Expected,
    slos: Sequence[str],
    faults: Sequence[FaultWindow],
    incident: Incident,
    cost: CostReport,
    primary: Sequence[SloResult],
    differences: Sequence[str],
    sources: Sequence[str],
    workload: Mapping[str, Any],
    replays: Replays,
    load_covered_chaos: bool,
) -> tuple[Check, ...]:
    """Every check, in the order a reader would ask them. `slos` are the names of those the drill is about."""
    found = [
        Check("experiment", judgement.verdict == "passed", "passed", _with_reasons(judgement), key="steady-state"),
        _proof(faults),
        alert_check(expected, faults, primary, slos=slos, clients_lost=sum(_lost(workload).values())),
        _recovery(expected, incident),
        *_losses(expected, workload, replays),
        *_cost(expected.cost, cost),
        *_undone(faults),
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
    name, wanted = "fault proven", "seen from outside"
    if not faults:
        return Check(name, False, wanted, "the ledger holds no fault", key="proven")
    return Check(name, all(f.proven for f in faults), wanted, "; ".join(f.proof for f in faults), key="proven")


def _recovery(expected: Expected, incident: Incident) -> Check:
    took = incident.duration("time_to_recover")
    name, wanted = "target recovers", f"within {expected.recovered_within_s:g} s of the fault"
    if took.seconds is None:
        return Check(name, False, wanted, took.reason or "n/a", key="recovery")
    in_time = took.seconds <= expected.recovered_within_s
    return Check(name, in_time, wanted, f"after {took.seconds:.1f} s", key="recovery")


def _losses(expected: Expected, workload: Mapping[str, Any], replays: Replays) -> tuple[Check, ...]:
    """What the clients lost over the whole load, by their own count; nothing when the experiment promises nothing."""
    most = expected.failed_requests
    if most is None:
        return ()
    lost = _lost(workload)
    observed = ", ".join(f"{count} {name}" for name, count in lost.items()) or "none"
    if replays.streams:
        again = "" if replays.tokens is None else f", {replays.tokens:,} tokens computed again"
        observed += f"; {replays.streams} {'stream' if replays.streams == 1 else 'streams'} went on elsewhere{again}"
    wanted = "none failed" if most == 0 else f"at most {most} failed"
    return (Check("requests survive", sum(lost.values()) <= most, wanted, observed, key="requests"),)


def _lost(workload: Mapping[str, Any]) -> dict[str, int]:
    """Requests that failed by the clients' own count, by how."""
    outcomes = (workload.get("run") or {}).get("outcomes", {})
    return {name: outcomes[name] for name in _LOST if outcomes.get(name)}


def _cost(expected: ExpectedCost, cost: CostReport) -> Iterator[Check]:
    """What the incident cost against what it may; a figure nobody has, or in another currency, fulfils nothing."""
    most = expected.max_incident_usd
    if most is not None:
        known = cost.incident_total if cost.price.currency == "USD" else None
        observed = money(cost.incident_total, cost.price.currency)
        yield Check(
            "incident cost", known is not None and known <= most, f"at most {money(most, 'USD')}", observed, key="cost"
        )
    factor = expected.max_good_token_factor
    if factor is not None:
        good, every = cost.per_million_good_tokens, cost.per_million_tokens
        known_factor = None if good is None or not every else float(good / every)
        yield Check(
            "cost of a good token",
            known_factor is not None and known_factor <= factor,
            f"at most {factor:g} times that of any token",
            multiple(known_factor),
            key="cost",
        )


def _undone(faults: Sequence[FaultWindow]) -> Iterator[Check]:
    """Whether the run took its faults away itself; that somebody had to step in says something of the experiment."""
    helped = [f"{f.fault} by {f.undone_by}" for f in faults if f.undone_by and f.undone_by not in _RUN_ITSELF]
    if faults and all(f.undone_at is not None or f.end is not None for f in faults):
        yield Check("fault undone", not helped, "by the run itself", "; ".join(helped) or "yes", False, key="undone")


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
