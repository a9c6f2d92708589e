"""Every fact of a drill as one sorted list, each row with the file it was read from.

Rows are sorted by time, then by kind in causal order (a fault before what it caused), text and source, so that the same
facts give the same timeline whatever order the files were read in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from sre.incidents.impact import degraded_at
from sre.incidents.milestones import IN_ROTATION, OUT_OF_ROTATION
from sre.incidents.model import (
    ClientRecord,
    EventKind,
    FaultWindow,
    Journal,
    Observation,
    PlatformEvent,
    TimelineEvent,
)
from sre.slo.model import SloResult

_RANK = {kind: rank for rank, kind in enumerate(get_args(EventKind))}
_PLATFORM_TEXT = {
    "platform_starting": "platform starts",
    "platform_ready": "platform ready: every replica passed an inference",
    "platform_stopping": "platform stops",
    "platform_stopped": "platform stopped",
    "gateway_ready": "gateway ready",
    OUT_OF_ROTATION: "gateway gives {replica} no work",
    IN_ROTATION: "gateway gives {replica} work again",
    "replica_started": "{replica} started",
    "replica_ready": "{replica} ready: it passed an inference",
    "replica_exited": "{replica} exited: the supervisor saw it",
    "replica_restart_scheduled": "{replica} restart scheduled",
}


def timeline(
    *,
    faults: Sequence[FaultWindow],
    events: Sequence[PlatformEvent],
    journal: Journal | None,
    results: Sequence[SloResult],
    records: Sequence[ClientRecord],
    observation: Observation,
) -> tuple[TimelineEvent, ...]:
    """All rows, sorted."""
    rows = [
        *_fault_rows(faults),
        *_platform_rows(events, faults),
        *(_journal_rows(journal) if journal is not None else ()),
        *_alert_rows(results),
        *_client_rows(records, faults, observation),
    ]
    return tuple(sorted(rows, key=lambda row: (row.at, _RANK[row.kind], row.text, row.source)))


def _fault_rows(faults: Sequence[FaultWindow]) -> Iterator[TimelineEvent]:
    for fault in faults:
        yield TimelineEvent(fault.begin, "fault", f"{fault.fault} begins on {fault.target}", "chaos.jsonl")
        if fault.proven_at is not None:
            yield TimelineEvent(fault.proven_at, "fault", f"{fault.fault} proven: {fault.proof}", "chaos.jsonl")
        if fault.undone_at is not None:
            yield TimelineEvent(
                fault.undone_at, "recovery", f"{fault.fault} undone by {fault.undone_by}", "chaos.jsonl"
            )
        if fault.end is not None:
            yield TimelineEvent(fault.end, "recovery", f"{fault.fault} on {fault.target} is over", "chaos.jsonl")


def _platform_rows(events: Sequence[PlatformEvent], faults: Sequence[FaultWindow]) -> Iterator[TimelineEvent]:
    for event in events:
        text = _PLATFORM_TEXT.get(event.event, event.event.replace("_", " ") + (" {replica}" if event.replica else ""))
        text = text.replace("{replica}", event.replica or "a replica")
        restored = event.event in ("replica_ready", IN_ROTATION) and any(
            event.replica in f.hit and event.at >= f.begin for f in faults
        )
        kind: EventKind = "recovery" if restored else "platform"
        yield TimelineEvent(event.at, kind, f"{text} ({event.note})" if event.note else text, event.source)


def _journal_rows(journal: Journal) -> Iterator[TimelineEvent]:
    for phase, met in (("before", journal.before_met), ("after", journal.after_met)):
        probes = [s for s in journal.steps if s.phase == phase]
        if probes and met is not None:
            said = "met" if met else "NOT met"
            yield TimelineEvent(probes[-1].end, "chaos", f"steady state {phase} the fault: {said}", "journal.json")
    for step in journal.steps:
        if step.phase in ("before", "after") and step.tolerance_met is not False:
            continue
        what = f"{step.phase if step.phase == 'rollback' else step.kind} '{step.name}' {step.status}"
        doubt = ", outside its tolerance" if step.tolerance_met is False else ""
        yield TimelineEvent(step.end, "chaos", f"{what} after {step.end - step.start:.2f} s{doubt}", "journal.json")


def _alert_rows(results: Sequence[SloResult]) -> Iterator[TimelineEvent]:
    for result in results:
        for alert in result.alerts:
            tier = alert.tier if alert.tier.startswith(alert.severity) else f"{alert.severity} {alert.tier}"
            name = f"alert {alert.slo} / {tier}"
            yield TimelineEvent(alert.fired_at, "alert", f"{name} fires", result.source)
            if alert.reset_at is not None:
                yield TimelineEvent(alert.reset_at, "alert", f"{name} resets", result.source)


def _client_rows(
    records: Sequence[ClientRecord], faults: Sequence[FaultWindow], observation: Observation
) -> Iterator[TimelineEvent]:
    if not records:
        return
    source = "requests.jsonl"
    yield TimelineEvent(min(r.sent_at for r in records), "load", "first request sent", source)
    last = max(records, key=lambda r: (r.finished_at, r.id))
    yield TimelineEvent(last.finished_at, "load", f"last request finished: {len(records)} in all", source)
    failed = sorted((r for r in records if r.failed), key=lambda r: (r.finished_at, r.id))
    if failed:
        yield _failure_row("first", failed[0])
    if len(failed) > 1:
        yield _failure_row("last", failed[-1], f" ({len(failed)} in all)")
    begin = min((f.begin for f in faults), default=observation.start)
    slow = [
        at for r in records if r.outcome == "ok" and (at := degraded_at(r, observation)) is not None and at >= begin
    ]
    if slow:
        yield TimelineEvent(min(slow), "impact", f"first request slower than its limits ({len(slow)} in all)", source)


def _failure_row(which: str, record: ClientRecord, more: str = "") -> TimelineEvent:
    served_by = f" on {', '.join(record.replicas)}" if record.replicas else ""
    text = f"{which} failed request: {record.outcome} after {record.output_tokens} tokens{served_by}{more}"
    return TimelineEvent(record.finished_at, "impact", text, "requests.jsonl")
