"""What a lint says: a finding, the rule behind it, and what is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sre.metrics.model import Selector
from sre.slo.model import BurnTier, Slo
from sre.slo.openslo.model import Place, SloDocument

FindingSeverity = Literal["error", "warning"]
Needs = Literal["documents", "catalogue", "source"]
SideName = Literal["good", "bad", "total", "raw", "metric"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong. `document` is the metadata.name of the document it stands in, `path` the place inside it."""

    rule: str
    name: str
    severity: FindingSeverity
    file: str
    line: int
    path: str
    document: str
    what: str
    why: str
    mend: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A kind of fault. `needs` is the least that must be there to find it; `why` is why it matters."""

    id: str
    name: str
    severity: FindingSeverity
    needs: Needs
    summary: str
    why: str

    def at(
        self, place: Place, document: str, *, what: str, mend: str, severity: FindingSeverity | None = None
    ) -> Finding:
        """A finding of this rule; `severity` where the case at hand is milder or worse than the rule."""
        return Finding(
            rule=self.id,
            name=self.name,
            severity=severity or self.severity,
            file=place.file,
            line=place.line,
            path=place.path,
            document=document,
            what=what,
            why=self.why,
            mend=mend,
        )


@dataclass(frozen=True, slots=True)
class Side:
    """The selectors of one side of an indicator, and where they are written."""

    name: SideName
    selectors: tuple[Selector, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class PlacedTier:
    """A tier and where it is written: its alert condition, or the SLO when it is the workbook's (`own` False)."""

    tier: BurnTier
    place: Place
    own: bool


@dataclass(frozen=True, slots=True)
class Subject:
    """One objective: what it says, resolved (`slo`), and where each part of that is written.

    Where requests must meet several ratios, `sides` are those of the first, and `criteria` has a subject for each
    ratio, the first included: the SLO as if it had that ratio alone, in the document that the ratio belongs to.
    """

    slo: Slo
    document: SloDocument
    objective: Place
    sides: tuple[Side, ...]
    tiers: tuple[PlacedTier, ...]
    criteria: tuple[Subject, ...] = ()

    @property
    def indicators(self) -> tuple[Subject, ...]:
        """A subject for each indicator: its criteria, or itself."""
        return self.criteria or (self,)

    @property
    def name(self) -> str:
        return self.document.metadata.name

    def side(self, name: SideName) -> Side | None:
        return next((side for side in self.sides if side.name == name), None)
