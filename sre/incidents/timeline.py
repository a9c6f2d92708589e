"""Every fact of a drill as one sorted list, each row with the file it was read from and the record in it.

Rows are sorted by time, then by kind in causal order (a fault before what it caused), text and source, so that the same
facts give the same timeline whatever order the files were read in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast, get_args

from sre.incidents.impact import degraded_at
from sre.incidents.milestones import CLIENTS, IN_ROTATION, LEDGER, OUT_OF_ROTATION, ledger_line, sli_evidence
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
    return tuple(sorted(rows, key=lambda row: (row.at, _RANK[row.kind], row.text, row.source, row.evidence)))


def _fault_rows(faults: Sequence[FaultWindow]) -> Iterator[TimelineEvent]:
    for fault in faults:
        told = (
            (fault.begin, "fault", f"{fault.fault} begins on {fault.target}", fault.lines.begin),
            (fault.proven_at, "fault", f"{fault.fault} proven: {fault.proof}", fault.lines.proven),
            (fault.undone_at, "recovery", f"{fault.fault} undone by {fault.undone_by}", fault.lines.undone),
            (fault.end, "recovery", f"{fault.fault} on {fault.target} is over", fault.lines.end),
        )
        for at, kind, text, line in told:
            if at is not None:
                yield TimelineEvent(at, cast("EventKind", kind), text, LEDGER, ledger_line(line))


def _platform_rows(events: Sequence[PlatformEvent], faults: Sequence[FaultWindow]) -> Iterator[TimelineEvent]:
    for event in events:
        text = _PLATFORM_TEXT.get(event.event, event.event.replace("_", " ") + (" {replica}" if event.replica else ""))
        text = text.replace("{replica}", event.replica or "a replica")
        restored = event.event in ("replica_ready", IN_ROTATION) and any(
            event.replica in f.hit and event.at >= f.begin for f in faults
        )
        kind: EventKind = "recovery" if restored else "platform"
        shown = f"{text} ({event.note})" if event.note else text
        yield TimelineEvent(event.at, kind, shown, event.source, event.evidence)


def _journal_rows(journal: Journal) -> Iterator[TimelineEvent]:
    for phase, met in (("before", journal.before_met), ("after", journal.after_met)):
        probes = [s for s in journal.steps if s.phase == phase]
        if probes and met is not None:
            text = f"steady state {phase} the fault: {'met' if met else 'NOT met'}"
            yield TimelineEvent(
                probes[-1].end, "chaos", text, "journal.json", f"journal.json#/steady_states/{phase}/steady_state_met"
            )
    for step in journal.steps:
        if step.phase in ("before", "after") and step.tolerance_met is not False:
            continue
        what = f"{step.phase if step.phase == 'rollback' else step.kind} '{step.name}' {step.status}"
        doubt = ", outside its tolerance" if step.tolerance_met is False else ""
        text = f"{what} after {step.end - step.start:.2f} s{doubt}"
        yield TimelineEvent(step.end, "chaos", text, "journal.json", step.evidence)


def _alert_rows(results: Sequence[SloResult]) -> Iterator[TimelineEvent]:
    for result in results:
        read_from = sli_evidence(result.slo)
        for alert in result.alerts:
            tier = alert.tier if alert.tier.startswith(alert.severity) else f"{alert.severity} {alert.tier}"
            name = f"alert {alert.slo} / {tier}"
            yield TimelineEvent(alert.fired_at, "alert", f"{name} fires", result.source, read_from)
            if alert.reset_at is not None:
                yield TimelineEvent(alert.reset_at, "alert", f"{name} resets", result.source, read_from)


def _client_rows(
    records: Sequence[ClientRecord], faults: Sequence[FaultWindow], observation: Observation
) -> Iterator[TimelineEvent]:
    if not records:
        return
    first = min(records, key=lambda r: (r.sent_at, r.id))
    yield TimelineEvent(first.sent_at, "load", "first request sent", CLIENTS, first.evidence)
    last = max(records, key=lambda r: (r.finished_at, r.id))
    done = f"last request finished: {len(records)} in all"
    yield TimelineEvent(last.finished_at, "load", done, CLIENTS, last.evidence)
    failed = sorted((r for r in records if r.failed), key=lambda r: (r.finished_at, r.id))
    if failed:
        yield _failure_row("first", failed[0])
    if len(failed) > 1:
        yield _failure_row("last", failed[-1], f" ({len(failed)} in all)")
    begin = min((f.begin for f in faults), default=observation.start)
    slow = [
        (at, r.id, r.evidence)
        for r in records
        if r.outcome == "ok" and (at := degraded_at(r, observation)) is not None and at >= begin
    ]
    if slow:
        at, _, evidence = min(slow)
        text = f"first request slower than its limits ({len(slow)} in all)"
        yield TimelineEvent(at, "impact", text, CLIENTS, evidence)


def _failure_row(which: str, record: ClientRecord, more: str = "") -> TimelineEvent:
    served_by = f" on {', '.join(record.replicas)}" if record.replicas else ""
    text = f"{which} failed request: {record.outcome} after {record.output_tokens} tokens{served_by}{more}"
    return TimelineEvent(record.finished_at, "impact", text, CLIENTS, record.evidence)
