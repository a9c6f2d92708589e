"""What holds between files: an id names one experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sre.chaos.lint.model import Checked, Finding, Severity


def check_suite(checked: Sequence[Checked]) -> tuple[Checked, ...]:
    ids: dict[str, Checked] = {}
    titles: dict[str, Checked] = {}
    found = []
    for one in checked:
        if one.drill is not None:
            first = ids.setdefault(one.drill.id, one)
            one = _twin(one, first, f"id {one.drill.id}", "error", "give it a free one")
            first = titles.setdefault(one.drill.title, one) if one.drill is not None else one
            one = _twin(one, first, "title", "warning", "say what is different here")
        found.append(one)
    return tuple(found)


def _twin(one: Checked, first: Checked, what: str, severity: Severity, mend: str) -> Checked:
    if first.path == one.path:
        return one
    text = f"{one.path}: {what} is taken by {first.path}: {mend}"
    findings = (Finding(str(one.path), 0, severity, text), *one.findings)
    return replace(one, drill=one.drill if severity == "warning" else None, findings=findings)
