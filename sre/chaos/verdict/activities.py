"""What the method and the rollbacks say: what failed, what was cut short, what was never played."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sre.chaos.model import Verdict
from sre.chaos.verdict.evidence import Group, Reason
from sre.chaos.verdict.journal import Declared, Played, RunJournal
from sre.chaos.verdict.reading import not_finite, unreadable
from sre.chaos.verdict.states import method_was_due
from sre.chaos.verdict.trail import Trail

METHOD: Group = "method"
ROLLBACKS: Group = "rollbacks"
ACTIONS_MODULE = "sre.chaos.actions"
UNDOING = frozenset({"heal_faults"})
_TERMINATED = "SIGTERM signal received"


def activity_reasons(journal: RunJournal, trail: Trail) -> Iterator[Reason]:
    """Every activity that did not succeed."""
    yield from _phase(journal, trail, METHOD, journal.declared_method, journal.method)
    yield from _phase(journal, trail, ROLLBACKS, journal.declared_rollbacks, journal.rollbacks)


def causes_fault(played: Played) -> bool:
    """Whether it is one of our actions that breaks something."""
    module = played.what.module
    ours = module == ACTIONS_MODULE or module.startswith(f"{ACTIONS_MODULE}.")
    return ours and played.what.func not in UNDOING


def undoes_faults(played: Played) -> bool:
    """Whether it is one of our actions that undo."""
    return played.what.module.startswith(ACTIONS_MODULE) and played.what.func in UNDOING


def places(declared: Sequence[Declared], played: Sequence[Played]) -> list[int | None]:
    """For each played activity its place in the experiment; None for one that is not in it.

    By name, because activities in the background may overtake one another.
    """
    free: dict[str, list[int]] = {}
    for index, activity in enumerate(declared):
        free.setdefault(activity.name, []).append(index)
    return [free[p.name].pop(0) if free.get(p.name) else None for p in played]


def _phase(
    journal: RunJournal, trail: Trail, group: Group, declared: Sequence[Declared], played: Sequence[Played]
) -> Iterator[Reason]:
    where = places(declared, played)
    for index, activity in zip(where, played, strict=True):
        reason = _activity(journal, trail, group, activity)
        if reason is not None:
            yield Reason(*reason, group, index)
        if index is None:
            yield Reason("error", f"{group}: {activity.name} was played and is not in the experiment", group)
    missing = [activity.name for index, activity in enumerate(declared) if index not in where]
    if missing:
        yield from _not_played(journal, group, missing, any_played=bool(played))


def _activity(journal: RunJournal, trail: Trail, group: Group, played: Played) -> tuple[Verdict, str] | None:
    name = f"{group}: {played.name}"
    if played.status is None and journal.status == "interrupted":
        return ("interrupted", f"{name} was cut short") if group == ROLLBACKS else None
    if played.status != "succeeded":
        return _failure(trail, group, played), f"{name} failed: {played.said}"
    must_read = played.what.kind == "probe" and journal.dry is None
    what = unreadable(played.output) if must_read else not_finite(played.output)
    return None if what is None else ("error", f"{name} read {what}")


def _failure(trail: Trail, group: Group, played: Played) -> Verdict:
    """A fault that was refused or not proven makes the drill void; one that is undone and whose target does not come
    back is a finding. What fails after the guard stopped the run, or when it was never let in, follows from that.
    """
    if group == ROLLBACKS and trail.refusals and not trail.faults:
        return "aborted"
    if group == METHOD and any(played.ended_at is not None and played.ended_at >= at for at, _ in trail.aborts):
        return "aborted"
    if _TERMINATED in played.said:
        return "interrupted"
    if played.status is None:
        return "error"
    if group == METHOD and causes_fault(played) and not trail.proven:
        return "void"
    if undoes_faults(played) and trail.proven and _all_undone(trail, by=played.ended_at):
        return "deviated"
    return "error"


def _all_undone(trail: Trail, *, by: float | None) -> bool:
    """Whether every fault begun until then was undone by then: the action failed at waiting for recovery."""
    begun = [f.window for f in trail.faults if by is None or f.window.begin <= by]
    return all(not f.is_open and (by is None or min(_times(f.undone, f.end)) <= by) for f in begun)


def _times(*moments: float | None) -> tuple[float, ...]:
    return tuple(moment for moment in moments if moment is not None)


def _not_played(journal: RunJournal, group: Group, missing: Sequence[str], *, any_played: bool) -> Iterator[Reason]:
    names = ", ".join(missing)
    if group == METHOD:
        failed_fast = any(state.met is not True for state in journal.during)
        if method_was_due(journal) and not failed_fast:
            yield Reason("error", f"{group}: {names} never ran: see the toolkit's log", group)
    elif journal.method or any_played:
        if journal.status == "interrupted":
            yield Reason("interrupted", f"{group}: {names} never ran", group)
        else:
            mend = "run it with `sre chaos run`, or `chaos run --rollback-strategy always`"
            yield Reason("error", f"{group}: {names} never ran: {mend}", group)
