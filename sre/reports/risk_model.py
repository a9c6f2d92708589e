"""A register as its page, its JSON and its check see it: the same facts, computed once for one day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from sre.reports.risk_evidence import drilled_in, known_in
from sre.reports.runbook_pages import LeftOut, read_workspace
from sre.risks.check import Finding, Judged, check, unlinked
from sre.risks.evidence import MAX_AGE_DAYS, Evidence, evidence_of
from sre.risks.matrix import Matrix, load_matrix
from sre.risks.model import Entry, Level
from sre.risks.register import FILE, load_register

Stage = Literal["inherent", "current", "residual"]
STAGES: tuple[Stage, ...] = ("inherent", "current", "residual")


@dataclass(frozen=True, slots=True)
class RegisterReport:
    """`evidence` by risk id; `unlinked` are experiments that no risk is linked to; `left_out` are those with faults, of
    which nothing but the id was used.
    """

    as_of: date
    max_age_days: int
    entries: tuple[Entry, ...]
    matrix: Matrix
    evidence: Mapping[str, Evidence]
    findings: tuple[Finding, ...]
    unlinked: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def demonstrated(self) -> int:
        """How many risks have controls that a drill has shown to hold."""
        return sum(one.standing == "demonstrated" for one in self.evidence.values())

    def in_cell(self, stage: Stage, cell: Level) -> tuple[str, ...]:
        """Ids of the assessed risks that are not mended, in one cell of the matrix."""
        return tuple(entry.id for entry in self.entries if self.is_live(entry) and level(entry, stage) == cell)

    def by_band(self, stage: Stage) -> tuple[int, ...]:
        """How many there are in each band, lowest first."""
        counts = Counter(
            self.matrix.rank(found) for entry in self.entries if self.is_live(entry) and (found := level(entry, stage))
        )
        return tuple(counts[rank] for rank in range(len(self.matrix.bands)))

    @staticmethod
    def is_live(entry: Entry) -> bool:
        """A mended risk stays on the list, not on the map."""
        return entry.risk.status != "mended"


def level(entry: Entry, stage: Stage) -> Level | None:
    """None while it is not assessed."""
    found = entry.assessment
    if found is None:
        return None
    return {"inherent": found.inherent, "current": found.current, "residual": found.residual}[stage]


def register_report(
    root: Path, reports: Sequence[Path], *, as_of: date, max_age_days: int = MAX_AGE_DAYS
) -> RegisterReport:
    """The register of the workspace `root` as it stands on the day `as_of`. Raises BadDocument with every fault of
    the register; an experiment with faults is left out and named.
    """
    entries, matrix = load_register(root), load_matrix(root)
    workspace = read_workspace(root, tolerant=True)
    drills, known = drilled_in(root, reports, workspace), known_in(root, workspace)
    evidence = {e.id: evidence_of(e, drills, today=as_of, max_age_days=max_age_days) for e in entries}
    judged = Judged(FILE, matrix, known, evidence, as_of)
    findings = check(entries, judged)
    return RegisterReport(
        *(as_of, max_age_days, entries, matrix, evidence, findings),
        unlinked=unlinked(entries, known.experiments),
        left_out=workspace.left_out,
    )
