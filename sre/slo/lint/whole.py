"""Rules about documents rather than single objectives: what to do when they burn, whether objectives agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sre.metrics.model import Selector
from sre.slo.lint import rules
from sre.slo.lint.knowledge import le_of
from sre.slo.lint.model import Finding, Subject
from sre.slo.model import RatioSli, Slo, ThresholdSli
from sre.slo.openslo.header import RUNBOOK
from sre.slo.openslo.model import Documents, SloDocument

_LEVELS_UP = 4


def check_whole(documents: Documents, subjects: Sequence[Subject]) -> Iterator[Finding]:
    """Every rule that looks at more than one objective, or at none."""
    for document in documents.slos:
        yield from _runbook(document)
    yield from _contradictions(subjects)


def _runbook(document: SloDocument) -> Iterator[Finding]:
    name = document.metadata.name
    runbook = document.metadata.annotation(RUNBOOK)
    if runbook is None:
        yield rules.NO_RUNBOOK.at(
            document.metadata.place,
            name,
            what=f"{name} names no runbook",
            mend="write the annotation `sre/runbook: runbooks/<file>.md`",
        )
    elif "://" not in runbook and not _exists(runbook, Path(document.place.file)):
        yield rules.RUNBOOK_MISSING.at(
            document.metadata.place,
            name,
            what=f"{runbook} is neither beside {document.place.file} nor in a folder above it",
            mend="write that runbook, or correct the path (it is relative to the workspace)",
        )


def _exists(runbook: str, document: Path) -> bool:
    """Paths are relative to the workspace, which is some folder above the document."""
    folders = list(document.absolute().parents)[:_LEVELS_UP]
    return any((folder / runbook).is_file() for folder in folders)


def _contradictions(subjects: Sequence[Subject]) -> Iterator[Finding]:
    """Objectives of one service on one measure, by how strict their thresholds are."""
    groups: dict[object, list[tuple[float, Subject]]] = {}
    for subject in subjects:
        strictness = _strictness(subject.slo)
        if strictness is not None:
            measure, looseness = strictness
            groups.setdefault((subject.slo.service, subject.slo.method, measure), []).append((looseness, subject))
    for group in groups.values():
        ordered = sorted(group, key=lambda pair: pair[0])
        for i, (loose, looser) in enumerate(ordered):
            rivals = [one for strict, one in ordered[:i] if strict < loose and one.slo.target > looser.slo.target]
            if rivals:
                stricter = max(rivals, key=lambda one: one.slo.target)
                yield rules.CONTRADICTORY.at(
                    looser.objective,
                    looser.name,
                    what=f"{looser.slo.target:g} within the looser threshold, but {stricter.slo.target:g} within the "
                    f"stricter one of {stricter.name} ({stricter.objective})",
                    mend=f"raise this target above {stricter.slo.target:g}, or lower that one",
                )


def _strictness(slo: Slo) -> tuple[object, float] | None:
    """(what is measured, a number that grows as the threshold gets looser); None: no threshold."""
    if isinstance(slo.sli, ThresholdSli):
        at_most = slo.sli.op in ("lte", "lt")
        return (slo.sli.metric, at_most), slo.sli.value if at_most else -slo.sli.value
    if not isinstance(slo.sli, RatioSli) or len(slo.sli.good) != 1:
        return None
    good = slo.sli.good[0]
    bound = le_of(good)
    if bound is None:
        return None
    rest = Selector(good.name, tuple(m for m in good.matchers if m is not bound))
    return (rest, slo.sli.total), float(bound.value)
