"""What the looks at the steady state say: before the method, during it, after it, and after the rollbacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sre.chaos.model import Verdict
from sre.chaos.verdict.evidence import Group, Reason
from sre.chaos.verdict.journal import Played, RunJournal, State
from sre.chaos.verdict.reading import contradicts, shown, tolerated, unreadable
from sre.chaos.verdict.trail import Trail

BEFORE: Group = "steady state before"
DURING: Group = "steady state during"
AFTER: Group = "steady state after"
AFTER_ROLLBACKS: Group = "steady state after rollbacks"


def state_reasons(journal: RunJournal, trail: Trail) -> Iterator[Reason]:
    """Every probe that was not read, or not as tolerated, and every look that is missing."""
    if not journal.probes:
        yield Reason("error", "the experiment has no steady-state hypothesis: nothing could be judged")
        return
    yield from _look(journal, BEFORE, journal.before, missed="aborted")
    yield from _during(journal)
    yield from _look(journal, AFTER, journal.after, missed="deviated")
    yield from _absent(journal)
    yield from _after_rollbacks(journal, trail)
    explained = any(state.met is not True for state in (journal.after, *journal.during) if state is not None)
    if journal.deviated is not False and not explained:
        yield Reason("deviated", "the journal says that the steady state deviated, and not where")


def method_was_due(journal: RunJournal) -> bool:
    """Whether nothing stood between the run and its method, and nobody stopped it."""
    return journal.status in ("completed", "failed") and journal.before is not None and journal.before.met is True


def _look(journal: RunJournal, group: Group, state: State | None, *, missed: Verdict) -> Iterator[Reason]:
    if state is None:
        return
    found = False
    for index, probe in enumerate(state.probes):
        for reason in _probe(group, index, probe, missed=missed):
            found = True
            yield reason
    if not found and state.met is not True:
        yield Reason("error", f"{group}: the journal says that it was not met, and no probe says why", group)
    names, wanted = [p.name for p in state.probes], [d.name for d in journal.probes]
    pairs = zip(state.probes, journal.probes, strict=False)
    if any(stated.tolerance not in (None, probe.what.tolerance) for probe, stated in pairs):
        yield Reason("error", f"{group}: a probe had another tolerance than the experiment states", group)
    if not found and names != wanted:
        yield Reason("error", f"{group}: {len(names)} of {len(wanted)} probes were read, or others than stated", group)


def _probe(group: Group, index: int, probe: Played, *, missed: Verdict) -> Iterator[Reason]:
    read = f"{group}: {probe.name}"
    if probe.status != "succeeded":
        yield Reason("error", f"{read} could not be read: {probe.said}", group, index)
    elif (what := unreadable(probe.output)) is not None:
        yield Reason("error", f"{read} read {what}", group, index)
    elif probe.tolerance_met is not True:
        text = f"{read} is {shown(probe.output)}, tolerated is {tolerated(probe.what.tolerance)}"
        yield Reason(missed, text, group, index)
    elif contradicts(probe.what.tolerance, probe.output):
        text = (
            f"{read} is {shown(probe.output)}, called tolerated although tolerated is {tolerated(probe.what.tolerance)}"
        )
        yield Reason("error", text, group, index)


def _during(journal: RunJournal) -> Iterator[Reason]:
    """One reason for each probe and kind of fault: a long method has hundreds of looks."""
    first: dict[tuple[int, Verdict], str] = {}
    times: dict[tuple[int, Verdict], int] = {}
    for state in journal.during:
        found = [r for i, probe in enumerate(state.probes) for r in _probe(DURING, i, probe, missed="deviated")]
        if not found and (state.met is not True or len(state.probes) != len(journal.probes)):
            found = [Reason("error", f"{DURING}: a look is not complete, and no probe says why", DURING, -1)]
        for reason in found:
            key = (reason.index if reason.index is not None else -1, reason.verdict)
            first.setdefault(key, reason.text)
            times[key] = times.get(key, 0) + 1
    for (index, verdict), text in first.items():
        count = f" (in {times[index, verdict]} of {len(journal.during)} looks)"
        yield Reason(verdict, text + count, DURING, None if index < 0 else index)


def _absent(journal: RunJournal) -> Iterator[Reason]:
    stopped = journal.status in ("interrupted", "aborted")
    if journal.before is None and not stopped:
        yield Reason("error", f"{BEFORE}: not looked at before the method", BEFORE)
    if journal.after is None and method_was_due(journal):
        yield Reason("error", f"{AFTER}: not looked at after the method", AFTER)
    if journal.continuous and not journal.during and method_was_due(journal):
        yield Reason("error", f"{DURING}: not looked at although the experiment asks for it", DURING)


def _after_rollbacks(journal: RunJournal, trail: Trail) -> Iterator[Reason]:
    """Our control looks once more when all is undone, and writes it down twice: the worse word counts."""
    looks = [*trail.after_rollbacks, *(() if journal.after_rollbacks is None else (journal.after_rollbacks,))]
    found = list(dict.fromkeys(reason for look in looks for reason in _control_look(journal, look)))
    yield from found
    if trail.registered and not looks and method_was_due(journal):
        text = f"{AFTER_ROLLBACKS}: our control did not look at it: see its line in the toolkit's log"
        yield Reason("error", text, AFTER_ROLLBACKS)


def _control_look(journal: RunJournal, look: Mapping[str, Any]) -> Iterator[Reason]:
    if look.get("interrupted") is True:
        yield Reason("interrupted", f"{AFTER_ROLLBACKS}: somebody cut the look short", AFTER_ROLLBACKS)
        return
    probes, found = look.get("probes"), False
    listed = probes if isinstance(probes, list | tuple) else ()
    places = {declared.name: index for index, declared in enumerate(journal.probes)}
    for probe in listed:
        name = str(probe.get("name")) if isinstance(probe, Mapping) else "a probe"
        value = probe.get("value") if isinstance(probe, Mapping) else None
        met = probe.get("tolerance_met") if isinstance(probe, Mapping) else None
        if (what := unreadable(value)) is not None:
            found = True
            said = probe.get("said") if isinstance(probe, Mapping) else None
            text = f"{AFTER_ROLLBACKS}: {name} " + (f"could not be read: {said}" if said else f"read {what}")
            yield Reason("error", text, AFTER_ROLLBACKS, places.get(name))
        elif met is not True or (name in places and contradicts(journal.probes[places[name]].tolerance, value)):
            found = True
            waited = f" after {look['waited_s']:.0f} s" if isinstance(look.get("waited_s"), int | float) else ""
            text = f"{AFTER_ROLLBACKS}: {name} is {shown(value)}, which is not tolerated{waited}"
            yield Reason("deviated", text, AFTER_ROLLBACKS, places.get(name))
    if not found and look.get("met") is not True:
        yield Reason("deviated", f"{AFTER_ROLLBACKS}: not met", AFTER_ROLLBACKS)
    if not found and {str(p.get("name")) for p in listed if isinstance(p, Mapping)} != set(places):
        yield Reason("error", f"{AFTER_ROLLBACKS}: not every probe was read, or others than stated", AFTER_ROLLBACKS)
