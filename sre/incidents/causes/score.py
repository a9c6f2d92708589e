"""How often the ranking is right, on drills: there the ledger says what was done to whom.

Only here, after the ranking, is the ledger read. Truth is the first fault of the ledger: whom its plan names, and the
failure mode of the experiment. A subject is hit by naming exactly those replicas, or one of the components; where the
plan hits at most some of the replicas it names (a poisoned request), by naming some of them. Folders without a fault
are left out.

Drills are split by the number of their experiment: the signatures were first written with drills of odd numbers at hand
and scored once on those of even numbers. Both halves have been looked at since, so only drills played after a change of
the rules test it; docs/incidents.md has all three measurements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sre.errors import BadDocument
from sre.incidents.causes.folder import rank_folder
from sre.incidents.causes.model import Candidate, CauseRanking
from sre.incidents.evidence import read_jsonl, read_object

TOP = 3
Half = Literal["odd", "even", "unnumbered"]


@dataclass(frozen=True, slots=True)
class Truth:
    """What was done. `at_most` is how many of `subjects` it may have hit."""

    failure: str
    experiment: str
    subjects: frozenset[str]
    at_most: int
    is_replicas: bool = True

    @property
    def half(self) -> Half:
        number = self.experiment.rpartition("-")[2]
        if not number.isdigit():
            return "unnumbered"
        return "odd" if int(number) % 2 else "even"


@dataclass(frozen=True, slots=True)
class Scored:
    """One drill. The ranks are those of the first candidate that is right, None where none is; `candidates` is how many
    there were.
    """

    report: str
    truth: Truth
    subject_rank: int | None
    failure_rank: int | None
    candidates: int
    first: Candidate | None


@dataclass(frozen=True, slots=True)
class Tally:
    """Of `n` drills, in how many the subject and the failure mode came first, or among the first three. `silent` are
    those in which nothing stood out.
    """

    name: str
    n: int
    subject_first: int
    subject_among: int
    failure_first: int
    failure_among: int
    silent: int


def score_folder(folder: Path) -> Scored | None:
    """One drill's ranking against its ledger; None when the folder has no fault to find. Raises BadDocument."""
    truth = truth_of(folder)
    return None if truth is None else scored(folder.name, truth, rank_folder(folder))


def scored(report: str, truth: Truth, ranking: CauseRanking) -> Scored:
    """The ranks of what is right."""
    candidates = ranking.candidates
    return Scored(
        report=report,
        truth=truth,
        subject_rank=next((c.rank for c in candidates if _names(c, truth)), None),
        failure_rank=next((c.rank for c in candidates if c.signature == truth.failure), None),
        candidates=len(candidates),
        first=candidates[0] if candidates else None,
    )


def reports_in(folder: Path) -> tuple[Path, ...]:
    """The report folders of drills below `folder`, or itself. Raises BadDocument when there is none."""
    found = [folder, *sorted(folder.iterdir())] if folder.is_dir() else []
    drills = tuple(one for one in found if (one / "chaos.jsonl").exists() and (one / "samples.jsonl").exists())
    if not drills:
        raise BadDocument([f"{folder}: no drill with chaos.jsonl and samples.jsonl in it: give a folder of reports"])
    return drills


def truth_of(folder: Path) -> Truth | None:
    """The first fault of the ledger, by the experiment's name of it; None without one."""
    begins = [r for r in read_jsonl(folder / "chaos.jsonl") if r.get("event") == "fault_begin"]
    if not begins:
        return None
    report = read_object(folder / "report.json") if (folder / "report.json").exists() else {}
    subject: Mapping[str, Any] = report.get("subject") or {}
    plan = begins[0].get("detail", {}).get("plan") or {}
    hit = [*(plan.get("replicas") or ()), *(plan.get("components") or ())] or [begins[0].get("target", "")]
    return Truth(
        failure=str(subject.get("failure_mode") or begins[0].get("fault")),
        experiment=str(subject.get("id") or ""),
        subjects=frozenset(hit),
        at_most=int(plan.get("at_most") or len(hit)),
        is_replicas=not plan.get("components"),
    )


def tallies(drills: Sequence[Scored]) -> tuple[Tally, ...]:
    """By failure mode, then each half, then all."""
    failures = sorted({d.truth.failure for d in drills})
    halves: tuple[Half, ...] = ("odd", "even", "unnumbered")
    return (
        *(_tally(name, [d for d in drills if d.truth.failure == name]) for name in failures),
        *(
            _tally(f"{half} experiments", own)
            for half in halves
            if (own := [d for d in drills if d.truth.half == half])
        ),
        _tally("all", drills),
    )


def _tally(name: str, drills: Sequence[Scored]) -> Tally:
    return Tally(
        name=name,
        n=len(drills),
        subject_first=_within(1, (d.subject_rank for d in drills)),
        subject_among=_within(TOP, (d.subject_rank for d in drills)),
        failure_first=_within(1, (d.failure_rank for d in drills)),
        failure_among=_within(TOP, (d.failure_rank for d in drills)),
        silent=sum(d.candidates == 0 for d in drills),
    )


def _within(most: int, ranks: Iterable[int | None]) -> int:
    return sum(rank is not None and rank <= most for rank in ranks)


def _names(candidate: Candidate, truth: Truth) -> bool:
    named = frozenset(part.strip() for part in candidate.subject.split(","))
    is_any = truth.at_most < len(truth.subjects) or not truth.is_replicas
    return named == truth.subjects or (is_any and named < truth.subjects)
