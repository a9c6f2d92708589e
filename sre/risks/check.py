"""What is wrong with a register on a given day: each finding as `file:line: what: mend`. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from sre.risks.evidence import Evidence
from sre.risks.matrix import Matrix
from sre.risks.model import Acceptance, Assessment, Entry, Level


@dataclass(frozen=True, slots=True)
class Known:
    """What a register may link to: ids of experiments, names of SLOs and of runbook pages."""

    experiments: Collection[str]
    slos: Collection[str]
    runbooks: Collection[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong, of one risk, at a line of the register."""

    risk: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What a check needs beside the risks. `evidence` by risk id."""

    file: str
    matrix: Matrix
    known: Known
    evidence: Mapping[str, Evidence]
    today: date


def check(register: Sequence[Entry], judged: Judged) -> tuple[Finding, ...]:
    """Every finding, in the order of the file."""
    return tuple(finding for entry in register for finding in sorted(_of(entry, judged), key=lambda found: found.line))


def unlinked(register: Iterable[Entry], experiments: Collection[str]) -> tuple[str, ...]:
    """Experiments that no risk is linked to: what is drilled for no stated reason."""
    linked = {name for entry in register for name in entry.experiments}
    return tuple(sorted(set(experiments) - linked))


def _of(entry: Entry, judged: Judged) -> Iterator[Finding]:
    def finding(key: str, text: str) -> Finding:
        line = entry.lines.get(key, entry.lines.get("", 1))
        return Finding(entry.id, line, f"{judged.file}:{line}: {entry.id}.{key}: {text}")

    for key, names, known, what in _links(entry, judged.known):
        for name in names:
            if name not in known:
                yield finding(key, f"{name} is no {what} of this workspace: {_mend(name, known)}")
    assessed = entry.assessment
    if assessed is None and entry.risk.status == "mended":
        return
    if assessed is None:
        yield finding("inherent", "is not assessed: write cause, event, consequence, levels, treatment and controls")
        return
    for key, text in _assessed(entry, assessed, judged):
        yield finding(key, text)


def _links(entry: Entry, known: Known) -> Iterator[tuple[str, Sequence[str], Collection[str], str]]:
    yield "found_by", entry.risk.found_by, known.experiments, "experiment"
    if entry.assessment is not None:
        yield "experiments", entry.assessment.experiments, known.experiments, "experiment"
        yield "slos", entry.assessment.slos, known.slos, "SLO"
        yield "runbooks", entry.assessment.runbooks, known.runbooks, "runbook"


def _mend(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f"did you mean {near[0]}?" if near else "remove it, or write what it names"


def _assessed(entry: Entry, assessed: Assessment, judged: Judged) -> Iterator[tuple[str, str]]:
    matrix, evidence = judged.matrix, judged.evidence[entry.id]
    for lower, higher in (("current", "inherent"), ("residual", "current")):
        low, high = getattr(assessed, lower), getattr(assessed, higher)
        if matrix.rank(low) > matrix.rank(high):
            yield lower, f"{matrix.words(low)} is above {higher}, {matrix.words(high)}: lower it"
    if assessed.claims == "demonstrated" and evidence.standing != "demonstrated":
        yield "evidence", f"is only asserted: {evidence.reason}: play a linked experiment, or write `asserted`"
    if assessed.treatment == "accept" and entry.risk.status == "open":
        yield "treatment", "is accept, but nobody has accepted it: see `sre risk accept`"
    if assessed.acceptance is not None:
        for text in acceptance_faults(assessed.acceptance, assessed.current, matrix, today=judged.today):
            yield "acceptance", text


def acceptance_faults(accepted: Acceptance, current: Level, matrix: Matrix, *, today: date) -> Iterator[str]:
    """Why an acceptance of what is now at `current` does not hold on the day `today`."""
    band = matrix.band(current)
    if accepted.expires < today:
        yield f"expired on {accepted.expires}: treat the risk, or have it accepted again"
    if accepted.on > today:
        yield f"is dated {accepted.on}, after today: write the day on which it was given"
    if accepted.role not in band.accepted_by:
        may = ", ".join(band.accepted_by) or "nobody"
        yield f"a {band.name} risk may be accepted by {may}, not by the {accepted.role}: ask them"
    days = (accepted.expires - accepted.on).days
    if days > band.longest_acceptance_days and band.accepted_by:
        yield f"lasts {days} days: a {band.name} risk is accepted for {band.longest_acceptance_days} at most"
