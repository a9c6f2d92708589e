"""What a run of an experiment amounts to. Pure.

Chaos Toolkit's exit code says little: a failed action, a failed rollback and a control that was never loaded all end
"completed" with exit code 0, as does a steady state that was not met before the method. So every part of the journal is
looked at, and the ledger must show a proven fault. Whatever is missing or unreadable counts against the run.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass

from sre.chaos.model import Judgement, Verdict
from sre.chaos.verdict.activities import activity_reasons
from sre.chaos.verdict.evidence import SEVERITY, Evidence, Group, Reason
from sre.chaos.verdict.faults import FAULT, fault_reasons
from sre.chaos.verdict.journal import ControlWord, RunJournal, read_run_journal
from sre.chaos.verdict.states import state_reasons
from sre.chaos.verdict.trail import Trail, read_trail

CONTROL_MODULE = "sre.chaos.control"
GUARD: Group = "guard"
_ASKED_TO_END = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2})


@dataclass(frozen=True, slots=True)
class Examination:
    """A judgement with what it was drawn from. `journal` is None when the toolkit left none; `started_at` is Unix time,
    None where nobody knows.
    """

    journal: RunJournal | None
    trail: Trail
    reasons: tuple[Reason, ...]
    judgement: Judgement
    started_at: float | None

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict

    @property
    def title(self) -> str:
        return self.trail.title if self.journal is None else self.journal.title


def judge(evidence: Evidence) -> Judgement:
    """The verdict with all its reasons, weightiest first."""
    return examine(evidence).judgement


def examine(evidence: Evidence) -> Examination:
    """`judge`, with what the reasons are about. Never raises, whatever the journal or the ledger hold."""
    journal = None if evidence.journal is None else read_run_journal(evidence.journal)
    trail = read_trail(evidence.ledger, journal, began_at=evidence.began_at)
    found = list(_without_journal(evidence, trail) if journal is None else _reasons(evidence, journal, trail))
    if journal is not None and journal.control is not None:
        found += _control_word(journal.control, told={reason.text for reason in found})
    if not found and evidence.returncode not in (None, 0):
        found.append(Reason("error", f"chaos ended with {evidence.returncode} although its journal shows no fault"))
    if not found and not trail.proven:
        found.append(Reason("void", "no fault of this run is proven, so nothing was tested", FAULT))
    reasons = tuple(sorted(dict.fromkeys(found), key=lambda reason: SEVERITY.index(reason.verdict)))
    judgement = Judgement(
        verdict=reasons[0].verdict if reasons else "passed",
        reasons=tuple(dict.fromkeys(reason.text for reason in reasons)),
        faults=tuple(fault.window for fault in trail.faults),
        notes=(*trail.overrides, *trail.strangers),
    )
    known = evidence.began_at if journal is None or journal.started_at is None else journal.started_at
    return Examination(journal, trail, reasons, judgement, started_at=known)


def _reasons(evidence: Evidence, journal: RunJournal, trail: Trail) -> Iterator[Reason]:
    for refusal in trail.refusals:
        yield Reason("aborted", f"refused before the start: {refusal}")
    yield from _aborts(trail)
    for fault in (*(f"the journal: {text}" for text in journal.malformed), *trail.malformed, *evidence.ledger_damage):
        yield Reason("error", fault)
    yield from _controls(evidence, journal, trail)
    yield from _status(journal, trail)
    yield from activity_reasons(journal, trail)
    if journal.dry is None:  # a dry run reads what it pleases
        yield from state_reasons(journal, trail)
    yield from fault_reasons(journal, trail)


def _control_word(word: ControlWord, *, told: set[str]) -> Iterator[Reason]:
    """What our control held against the run and nobody can see any more. It writes only when a run did not pass."""
    verdict: Verdict = next((known for known in SEVERITY if known == word.verdict), "error")
    for text in [text for text in word.reasons if text not in told] or ([] if told else ["the run did not pass"]):
        yield Reason(verdict, f"by our control: {text}")


def _without_journal(evidence: Evidence, trail: Trail) -> Iterator[Reason]:
    ended, said = evidence.returncode, f": {evidence.log_tail}" if evidence.log_tail else ""
    how = "ended" if ended is None else f"was killed by signal {-ended}" if ended < 0 else f"ended with {ended}"
    asked = ended is not None and -ended in _ASKED_TO_END
    yield Reason("interrupted" if asked else "error", f"chaos {how} and left no journal{said}")
    yield from _aborts(trail)
    for fault in (*trail.malformed, *evidence.ledger_damage):
        yield Reason("error", fault)
    yield from fault_reasons(None, trail)


def _aborts(trail: Trail) -> Iterator[Reason]:
    for _, why in trail.aborts:
        yield Reason("aborted", f"the guard stopped the run: {why}", GUARD)


def _controls(evidence: Evidence, journal: RunJournal, trail: Trail) -> Iterator[Reason]:
    for module in evidence.missing_controls:
        yield Reason("error", f"control module {module} could not be imported; the experiment ran without it")
    declared = CONTROL_MODULE in journal.controls and CONTROL_MODULE not in evidence.missing_controls
    if declared and not trail.registered and not trail.refusals:
        yield Reason("error", f"control {CONTROL_MODULE} is declared, and the ledger knows of no run (no run_begin)")
    for problem in () if journal.control is None else journal.control.problems:
        yield Reason("error", f"control {CONTROL_MODULE}: {problem}")
    if trail.registered and trail.ended_at is None:
        yield Reason("error", f"control {CONTROL_MODULE} did not see the run's end (no run_end in the ledger)")


def _status(journal: RunJournal, trail: Trail) -> Iterator[Reason]:
    for what, good in (("status", "completed"), ("deviated", False)):
        seen = trail.ended_how.get(what, good)
        if getattr(journal, what) == good and seen != good:
            yield Reason("error", f"our control saw {what} {seen!r} at the end, the journal says {good!r}: edited?")
    if journal.dry is not None:
        yield Reason("void", f"it was a dry run (`--dry {journal.dry}`), which tests nothing")
    if journal.status == "interrupted":
        if not trail.refusals and not trail.aborts:
            yield Reason("interrupted", "the experiment was interrupted")
    elif journal.status == "aborted":
        yield Reason("error", "chaos gave up the method after an error of its own: see its log")
    elif journal.status == "failed":
        unread = journal.before is not None and journal.before.met is not True
        if not unread and not any(state.met is not True for state in journal.during):
            yield Reason("error", "chaos ended with the status 'failed'")
    elif journal.status != "completed" and journal.status is not None:
        yield Reason("error", f"chaos ended with the status {journal.status!r}")
