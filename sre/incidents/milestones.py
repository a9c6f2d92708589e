"""The instants an incident is measured by, each from one kind of evidence, none guessed.

Definitions (the incident is the first fault of the drill):
- `fault_begin`: the ledger's record, written just before the fault was applied; uncertain until its proof.
- `impact_start`: the first instant a client could notice: a failed request ended, or an ok one passed a latency limit.
- `detected`: the first thing that noticed: the supervisor saw something the fault hit exit or be unhealthy, the gateway
  took a replica it hit out of rotation, or a page fired.
- `alerted`: the first page of the primary source that fired after the fault began.
- `mitigated`: traffic no longer fails: the end of the last failed request since the fault began, also of one sent after
  the fault was over, given that a later request was ok.
- `recovered`: the target serves again: the supervisor saw every replica that had exited pass an inference, else the
  ledger's end of the fault.
- `alert_reset`: no page that fired since the fault is firing any more, in the primary source.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from sre.incidents.impact import degraded_at, overlapping
from sre.incidents.model import (
    ClientRecord,
    Duration,
    FaultWindow,
    Milestone,
    Observation,
    PlatformEvent,
)
from sre.slo.model import Alert, SloResult

OUT_OF_ROTATION, IN_ROTATION = "replica_out_of_rotation", "replica_in_rotation"
"""What the gateway's samples tell of a replica: it gets no work from now on, it gets work again."""
EXIT_EVENTS = frozenset({"replica_exited"})
NOTICES = EXIT_EVENTS | {"replica_unhealthy", OUT_OF_ROTATION}
COMPONENT_NOTICES = frozenset({"gateway_exited", "observer_exited"})
DURATIONS = (
    ("time_to_impact", "impact_start"),
    ("time_to_detect", "detected"),
    ("time_to_alert", "alerted"),
    ("time_to_mitigate", "mitigated"),
    ("time_to_recover", "recovered"),
    ("time_to_reset", "alert_reset"),
)
NAMES = ("fault_begin", *(end for _, end in DURATIONS))


def no_fault() -> tuple[Milestone, ...]:
    """Milestones of a drill whose ledger holds no fault: all n/a."""
    return tuple(Milestone(name, None, "chaos.jsonl", "the ledger holds no fault") for name in NAMES)


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
    primary = [r for r in results if r.source == observation.primary_source]
    pages = [
        a for a in chain.from_iterable(r.alerts for r in primary) if a.severity == "page" and a.fired_at >= fault.begin
    ]
    step = max((_step_s(r) for r in primary), default=0.0)
    return (
        _fault_begin(fault),
        _impact_start(fault, concerned, observation),
        _detected(fault, events, pages, step, observation),
        _alerted(pages, primary, step, observation),
        _mitigated(fault, records),
        _recovered(fault, events),
        _alert_reset(pages, step, observation),
    )


def durations(marks: Sequence[Milestone]) -> tuple[Duration, ...]:
    """Each from `fault_begin` to its milestone; None with the milestone's reason where that is n/a."""
    by_name = {m.name: m for m in marks}
    begin = by_name["fault_begin"]
    return tuple(_duration(name, begin, by_name[end]) for name, end in DURATIONS)


def _duration(name: str, begin: Milestone, end: Milestone) -> Duration:
    if begin.at is None or end.at is None:
        return Duration(name, begin.name, end.name, None, end.reason or begin.reason)
    return Duration(name, begin.name, end.name, end.at - begin.at)


def _fault_begin(fault: FaultWindow) -> Milestone:
    doubt = 0.0 if fault.proven_at is None else fault.proven_at - fault.begin
    return Milestone("fault_begin", fault.begin, "chaos.jsonl", uncertainty_s=doubt)


def _impact_start(fault: FaultWindow, concerned: Sequence[ClientRecord], watched: Observation) -> Milestone:
    failed = (r.finished_at for r in concerned if r.failed)
    slow = (at for r in concerned if not r.failed and (at := degraded_at(r, watched)) is not None)
    instants = [at for at in chain(failed, slow) if at >= fault.begin]
    if not instants:
        return _missing(
            "impact_start", "requests.jsonl", "no client request in flight during the fault failed or was slow"
        )
    return Milestone("impact_start", min(instants), "requests.jsonl")


def _detected(
    fault: FaultWindow, events: Sequence[PlatformEvent], pages: Sequence[Alert], step_s: float, watched: Observation
) -> Milestone:
    seen = [(e.at, e.source) for e in events if e.at >= fault.begin and _is_notice(e, fault)]
    seen += [(a.fired_at, watched.primary_source) for a in pages]
    if not seen:
        return _missing(
            "detected", "events.jsonl", f"nothing noticed {fault.target} after the fault, and no page fired"
        )
    at, source = min(seen)
    doubt = watched.supervisor_poll_s if source == "events.jsonl" else step_s
    return Milestone("detected", at, source, uncertainty_s=doubt)


def _is_notice(event: PlatformEvent, fault: FaultWindow) -> bool:
    """Whether the platform says with it that something is wrong with what the fault hit."""
    if event.event in COMPONENT_NOTICES:
        return any(part in f"{event.event} {event.note}" for part in fault.components)
    return event.event in NOTICES and event.replica in fault.hit


def _alerted(pages: Sequence[Alert], primary: Sequence[SloResult], step_s: float, watched: Observation) -> Milestone:
    source = watched.primary_source
    if not primary:
        return _missing("alerted", source, f"no SLO was read from {source}")
    if not pages:
        return _missing("alerted", source, "no page fired after the fault began")
    return Milestone("alerted", min(a.fired_at for a in pages), source, uncertainty_s=step_s)


def _mitigated(fault: FaultWindow, records: Sequence[ClientRecord]) -> Milestone:
    last = max((r.finished_at for r in records if r.failed and r.finished_at >= fault.begin), default=None)
    if last is None:
        return _missing("mitigated", "requests.jsonl", "no client request failed after the fault: nothing to mitigate")
    next_ok = min((r.finished_at for r in records if r.outcome == "ok" and r.finished_at > last), default=None)
    if next_ok is None:
        return _missing("mitigated", "requests.jsonl", "no request succeeded after the last failed one")
    return Milestone("mitigated", last, "requests.jsonl", uncertainty_s=next_ok - last)


def _recovered(fault: FaultWindow, events: Sequence[PlatformEvent]) -> Milestone:
    exits = [e for name in fault.hit if (e := _first_exit(name, fault, events)) is not None]
    if exits:
        ready = [_ready_after(e, events) for e in exits]
        back = [at for at in ready if at is not None]
        if len(back) == len(exits):
            return Milestone("recovered", max(back), "events.jsonl")
    if fault.end is not None:
        return Milestone("recovered", fault.end, "chaos.jsonl")
    return _missing("recovered", "events.jsonl", f"{fault.target} did not serve again before observation ended")


def _ready_after(exited: PlatformEvent, events: Sequence[PlatformEvent]) -> float | None:
    ready = (e.at for e in events if e.event == "replica_ready" and e.replica == exited.replica and e.at >= exited.at)
    return min(ready, default=None)


def _alert_reset(pages: Sequence[Alert], step_s: float, watched: Observation) -> Milestone:
    if not pages:
        return _missing("alert_reset", watched.primary_source, "no page fired after the fault began")
    resets = [a.reset_at for a in pages]
    firing = [f"{a.slo} {a.tier}" for a in pages if a.reset_at is None]
    if firing:
        return _missing(
            "alert_reset", watched.primary_source, f"still firing when observation ended: {', '.join(sorted(firing))}"
        )
    return Milestone(
        "alert_reset", max(r for r in resets if r is not None), watched.primary_source, uncertainty_s=step_s
    )


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
