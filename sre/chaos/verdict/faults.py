"""What the ledger says of the run's faults: proven, undone, by whom, and whether the target came back."""

from __future__ import annotations

from collections.abc import Iterator

from sre.chaos.verdict.activities import causes_fault
from sre.chaos.verdict.evidence import Group, Reason
from sre.chaos.verdict.journal import RunJournal
from sre.chaos.verdict.trail import FaultStory, Trail, claimed_faults, named_fault

FAULT: Group = "fault"
LEFT_OVER = frozenset({"watchdog", "sre", "sre.chaos.control"})
"""Who undoes what a dead run left behind: the watchdog, the next `sre` call, the next run's gate."""
BY_A_PERSON = frozenset({"sre chaos heal", "sre down"})
_SLACK_S = 0.05


def fault_reasons(journal: RunJournal | None, trail: Trail) -> Iterator[Reason]:
    """Why a fault does not count, and what became of it."""
    for index, fault in enumerate(trail.faults):
        recovery = () if journal is None else _recovery(fault)  # a run that died could not wait for it
        for reason in (*_proof(fault), *_times(trail, fault), *_undoing(trail, fault), *recovery):
            yield Reason(reason.verdict, f"{fault.name}: {reason.text}", FAULT, index)
    if journal is None:
        return
    if not trail.faults and journal.method:
        yield Reason("void", _nothing_broken(journal), FAULT)
    for played in journal.method if trail.faults else ():
        if causes_fault(played) and played.status == "succeeded" and named_fault(played) is None:
            yield Reason("void", f"{played.name} succeeded and names no fault: nobody knows what it did", FAULT)
    for unknown in sorted(claimed_faults(journal) - {fault.window.fault_id for fault in trail.faults}):
        if trail.faults:
            yield Reason(
                "void", f"an action says it caused {unknown}, and the ledger knows no such fault of this run", FAULT
            )


def _proof(fault: FaultStory) -> Iterator[Reason]:
    window = fault.window
    if fault.disputed:
        yield Reason("void", "the ledger says both that it was proven and that it was not")
    elif window.proven is None:
        yield Reason("void", "nobody proved that it took effect")
    elif window.proven is False:
        yield Reason("void", "it was not proven that it took effect")
    elif not window.proof:
        yield Reason("void", "its proof says nothing")
    elif window.undone is not None and window.proven_at is not None and window.proven_at > window.undone:
        yield Reason("void", f"it was undone by {window.undone_by} before it was proven")


def _times(trail: Trail, fault: FaultStory) -> Iterator[Reason]:
    """A fault is begun within its run and nothing becomes of it before that; else these are not one story."""
    window = fault.window
    early = trail.began_at is not None and window.begin < trail.began_at - _SLACK_S
    late = trail.ended_at is not None and window.begin > trail.ended_at + _SLACK_S
    if early or late:
        yield Reason("void", "the ledger dates it outside of its run")
    later = (window.proven_at, window.undone, window.end)
    if any(at is not None and at < window.begin - _SLACK_S for at in later):
        yield Reason("void", "the ledger dates its proof or its end before its begin")


def _undoing(trail: Trail, fault: FaultStory) -> Iterator[Reason]:
    window = fault.window
    if window.is_open:
        yield Reason("error", "it is still open: undo it with `sre chaos heal`")
        return
    if window.undone is None:
        yield Reason("error", "the ledger says that it is over, and not who undid it: look at its target")
    else:
        yield from _undone(trail, fault, window.undone, window.undone_by or "somebody")


def _recovery(fault: FaultStory) -> Iterator[Reason]:
    window = fault.window
    if window.proven and window.undone is not None and window.end is None:
        yield Reason("deviated", f"it was undone by {window.undone_by}, and its target was never seen to recover")


def _undone(trail: Trail, fault: FaultStory, at: float, by: str) -> Iterator[Reason]:
    late_s = None if trail.ended_at is None else at - trail.ended_at
    if late_s is not None and late_s > _SLACK_S:
        yield Reason("error", f"the run left it behind; {by} undid it {late_s:.1f} s after the end")
    elif by == "guard":
        yield Reason("aborted", "the guard undid it")
    elif by in BY_A_PERSON:
        yield Reason("interrupted", f"somebody undid it with `{by}` while the run went on")
    elif by in LEFT_OVER and at < fault.deadline_at:
        yield Reason("interrupted", f"{by} undid it before its time, because the run's process was gone")


def _nothing_broken(journal: RunJournal) -> str:
    if any(causes_fault(played) and played.status == "succeeded" for played in journal.method):
        return "the ledger shows no fault of this run although an action says it caused one"
    return "no fault of this run is in the ledger, so nothing was tested"
