"""The instants an incident is measured by, each from one kind of evidence, none guessed.

Definitions (the incident of a drill is its first fault):
- `fault_injected`: the ledger's record, written just before the fault was applied; uncertain until its proof.
- `impact_start`: the first instant a client could notice: a failed request ended, or an ok one passed a latency limit.
- `detected`: the first thing that noticed: the supervisor saw something the fault hit exit or be unhealthy, the gateway
  took a replica it hit out of rotation, or a page fired. What the platform does once it is being taken down is no sign
  of the fault: then every replica leaves rotation and exits.
- `alerted`: the first page of the primary source that fired after the fault began.
- `acknowledged`: a person said that they take it.
- `identified`: a person named the cause.
- `fault_removed`: the ledger's record that the cause was taken away; its effect may last longer. For a fault that is
  over the moment it is done (a kill), the run writes it at once.
- `mitigated`: traffic no longer fails: the end of the last failed request since the fault began, also of one sent after
  the fault was over, given that a later request was ok.
- `recovered`: the target serves again: the supervisor saw every replica that had exited pass an inference, else the
  ledger's end of the fault.
- `alert_reset`: no page that fired since the fault is firing any more, in the primary source.
- `resolved`: a person said that the service is as before and nothing more is expected of it.
- `closed`: a person closed the record: the review is done, its actions are written down.

What only a person can say is n/a in a drill that nobody worked on. Durations: `sre.incidents.durations`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain

from sre.incidents.impact import degraded_at, overlapping
from sre.incidents.model import (
    ClientRecord,
    FaultWindow,
    Milestone,
    Observation,
    PlatformEvent,
)
from sre.metrics.selector import format_selector
from sre.slo.model import Alert, RawSli, Slo, SloResult, ThresholdSli, ratios_of

LEDGER, CLIENTS, SUPERVISOR = "chaos.jsonl", "requests.jsonl", "events.jsonl"
OUT_OF_ROTATION, IN_ROTATION = "replica_out_of_rotation", "replica_in_rotation"
"""What the gateway's samples tell of a replica: it gets no work from now on, it gets work again."""
EXIT_EVENTS = frozenset({"replica_exited"})
NOTICES = EXIT_EVENTS | {"replica_unhealthy", OUT_OF_ROTATION}
TAKEN_DOWN = "platform_stopping"
COMPONENT_NOTICES = frozenset({"gateway_exited", "observer_exited"})
NAMES = (
    "fault_injected",
    "impact_start",
    "detected",
    "alerted",
    "acknowledged",
    "identified",
    "fault_removed",
    "mitigated",
    "recovered",
    "alert_reset",
    "resolved",
    "closed",
)
"""Every milestone, in the order in which they are expected."""
HUMAN = frozenset({"acknowledged", "identified", "resolved", "closed"})
"""Those that only a person can say."""
UNATTENDED = "nobody worked on this drill"
"""Why those are n/a in a drill."""


def no_fault() -> tuple[Milestone, ...]:
    """Milestones of a drill whose ledger holds no fault: all n/a."""
    return tuple(_missing(name, LEDGER, "the ledger holds no fault") for name in NAMES)


def milestones(
    fault: FaultWindow,
    *,
    events: Sequence[PlatformEvent],
    results: Sequence[SloResult],
    records: Sequence[ClientRecord],
    observation: Observation,
) -> tuple[Milestone, ...]:
    """All milestones of `fault`, in the order of `NAMES`."""
    concerned = overlapping(records, fault, observation)
    events = _until_taken_down(events, fault)
    primary = [r for r in results if r.source == observation.primary_source]
    pages = [
        (alert, sli_evidence(result.slo))
        for result in primary
        for alert in result.alerts
        if alert.severity == "page" and alert.fired_at >= fault.begin
    ]
    step = max((_step_s(r) for r in primary), default=0.0)
    found = (
        _fault_injected(fault),
        _impact_start(fault, concerned, observation),
        _detected(fault, events, pages, step, observation),
        _alerted(pages, primary, step, observation),
        _fault_removed(fault),
        _mitigated(fault, records),
        _recovered(fault, events),
        _alert_reset(pages, step, observation),
    )
    by_name = {mark.name: mark for mark in found}
    return tuple(by_name.get(name) or _missing(name, LEDGER, UNATTENDED) for name in NAMES)


def ledger_line(line: int | None) -> str:
    """The evidence that a line of the ledger is; "" where it is not known."""
    return "" if line is None else f"{LEDGER}:{line}"


def sli_evidence(slo: Slo) -> str:
    """The metrics, with their labels, that an alert on this SLO was computed from: the bad side where it is counted."""
    sli = slo.sli
    if isinstance(sli, RawSli):
        selectors = sli.ratio
    elif isinstance(sli, ThresholdSli):
        selectors = sli.metric
    else:
        selectors = tuple(chain.from_iterable(ratio.bad or ratio.good or ratio.total for ratio in ratios_of(sli)))
    return " + ".join(dict.fromkeys(format_selector(selector) for selector in selectors))


def _until_taken_down(events: Sequence[PlatformEvent], fault: FaultWindow) -> list[PlatformEvent]:
    """What the platform did of itself: all before its own end, if that came after the fault."""
    end = min((e.at for e in events if e.event == TAKEN_DOWN and e.at >= fault.begin), default=math.inf)
    return [event for event in events if event.at < end]


def _fault_injected(fault: FaultWindow) -> Milestone:
    doubt = 0.0 if fault.proven_at is None else fault.proven_at - fault.begin
    return Milestone(
        "fault_injected", fault.begin, LEDGER, uncertainty_s=doubt, evidence=ledger_line(fault.lines.begin)
    )


def _fault_removed(fault: FaultWindow) -> Milestone:
    if fault.undone_at is None:
        return _missing("fault_removed", LEDGER, f"the ledger does not say that {fault.fault} was undone")
    return Milestone("fault_removed", fault.undone_at, LEDGER, evidence=ledger_line(fault.lines.undone))


def _impact_start(fault: FaultWindow, concerned: Sequence[ClientRecord], watched: Observation) -> Milestone:
    failed = ((r.finished_at, r.evidence) for r in concerned if r.failed)
    slow = ((at, r.evidence) for r in concerned if not r.failed and (at := degraded_at(r, watched)) is not None)
    instants = [(at, evidence) for at, evidence in chain(failed, slow) if at >= fault.begin]
    if not instants:
        return _missing("impact_start", CLIENTS, "no client request in flight during the fault failed or was slow")
    at, evidence = min(instants)
    return Milestone("impact_start", at, CLIENTS, evidence=evidence)


def _detected(
    fault: FaultWindow,
    events: Sequence[PlatformEvent],
    pages: Sequence[tuple[Alert, str]],
    step_s: float,
    watched: Observation,
) -> Milestone:
    seen = [(e.at, e.source, e.evidence) for e in events if e.at >= fault.begin and _is_notice(e, fault)]
    seen += [(alert.fired_at, watched.primary_source, evidence) for alert, evidence in pages]
    if not seen:
        return _missing("detected", SUPERVISOR, f"nothing noticed {fault.target} after the fault, and no page fired")
    at, source, evidence = min(seen)
    doubt = watched.supervisor_poll_s if source == SUPERVISOR else step_s
    return Milestone("detected", at, source, uncertainty_s=doubt, evidence=evidence)


def _is_notice(event: PlatformEvent, fault: FaultWindow) -> bool:
    """Whether the platform says with it that something is wrong with what the fault hit."""
    if event.event in COMPONENT_NOTICES:
        return any(part in f"{event.event} {event.note}" for part in fault.components)
    return event.event in NOTICES and event.replica in fault.hit


def _alerted(
    pages: Sequence[tuple[Alert, str]], primary: Sequence[SloResult], step_s: float, watched: Observation
) -> Milestone:
    source = watched.primary_source
    if not primary:
        return _missing("alerted", source, f"no SLO was read from {source}")
    if not pages:
        return _missing("alerted", source, "no page fired after the fault began")
    at, evidence = min((alert.fired_at, evidence) for alert, evidence in pages)
    return Milestone("alerted", at, source, uncertainty_s=step_s, evidence=evidence)


def _mitigated(fault: FaultWindow, records: Sequence[ClientRecord]) -> Milestone:
    failed = [(r.finished_at, r.evidence) for r in records if r.failed and r.finished_at >= fault.begin]
    if not failed:
        return _missing("mitigated", CLIENTS, "no client request failed after the fault: nothing to mitigate")
    last, evidence = max(failed)
    next_ok = min((r.finished_at for r in records if r.outcome == "ok" and r.finished_at > last), default=None)
    if next_ok is None:
        return _missing("mitigated", CLIENTS, "no request succeeded after the last failed one")
    return Milestone("mitigated", last, CLIENTS, uncertainty_s=next_ok - last, evidence=evidence)


def _recovered(fault: FaultWindow, events: Sequence[PlatformEvent]) -> Milestone:
    exits = [e for name in fault.hit if (e := _first_exit(name, fault, events)) is not None]
    back = [ready for e in exits if (ready := _ready_after(e, events)) is not None]
    if exits and len(back) == len(exits):
        last = max(back, key=lambda e: (e.at, e.evidence))
        return Milestone("recovered", last.at, SUPERVISOR, evidence=last.evidence)
    if fault.end is not None:
        return Milestone("recovered", fault.end, LEDGER, evidence=ledger_line(fault.lines.end))
    return _missing("recovered", SUPERVISOR, f"{fault.target} did not serve again before observation ended")


def _ready_after(exited: PlatformEvent, events: Sequence[PlatformEvent]) -> PlatformEvent | None:
    ready = (e for e in events if e.event == "replica_ready" and e.replica == exited.replica and e.at >= exited.at)
    return min(ready, key=lambda e: e.at, default=None)


def _alert_reset(pages: Sequence[tuple[Alert, str]], step_s: float, watched: Observation) -> Milestone:
    source = watched.primary_source
    if not pages:
        return _missing("alert_reset", source, "no page fired after the fault began")
    firing = sorted(f"{alert.slo} {alert.tier}" for alert, _ in pages if alert.reset_at is None)
    if firing:
        return _missing("alert_reset", source, f"still firing when observation ended: {', '.join(firing)}")
    at, evidence = max((alert.reset_at or 0.0, evidence) for alert, evidence in pages)
    return Milestone("alert_reset", at, source, uncertainty_s=step_s, evidence=evidence)


def _first_exit(replica: str, fault: FaultWindow, events: Sequence[PlatformEvent]) -> PlatformEvent | None:
    exits = (e for e in events if e.event in EXIT_EVENTS and e.replica == replica and e.at >= fault.begin)
    return min(exits, key=lambda e: e.at, default=None)


def _step_s(result: SloResult) -> float:
    """How far apart the evaluations are: an alert is known to that precision."""
    for curve in result.curves:
        if len(curve.times) > 1:
            return float(curve.times[1] - curve.times[0])
    return 0.0


def _missing(name: str, source: str, reason: str) -> Milestone:
    return Milestone(name, None, source, reason)
