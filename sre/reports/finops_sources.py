"""Where a number's source leads: to the drill's file it was read from, or to the table of inputs on the same page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from sre.reports.finops_model import FinopsBriefing
from sre.reports.page import Cell

_FILES = re.compile(r"\b(?:requests|events|samples)\.jsonl|\b(?:cost|incident|report|workload)\.json\b")


@dataclass(frozen=True, slots=True)
class Sources:
    """`folder` is the one drill's, relative to the page; None where there are several, whose table links to each."""

    folder: str | None

    def cell(self, text: str) -> Cell:
        """The source, with its link."""
        found = _FILES.search(text)
        if not text or (found is None and not self._is_input(text)):
            return Cell(text)
        if found is None:
            return Cell(text, href="#inputs")
        return Cell(text, href="#drills" if self.folder is None else f"{self.folder}{found.group()}")

    def _is_input(self, text: str) -> bool:
        return "finance.yaml" in text or ":" not in text


def sources_of(found: FinopsBriefing) -> Sources:
    """A single drill's files lie beside its report."""
    if len(found.drills) != 1 or not found.drills[0].href:
        return Sources(None)
    parent = PurePosixPath(found.drills[0].href).parent.as_posix()
    return Sources("" if parent == "." else f"{parent}/")
