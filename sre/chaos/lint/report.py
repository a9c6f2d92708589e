"""Findings as text for people, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sre.chaos.lint.model import Checked

_COLOUR = {"error": "\x1b[31m", "warning": "\x1b[33m"}
_PLAIN = "\x1b[0m"


def text_lines(checked: Sequence[Checked], *, colour: bool) -> Iterator[str]:
    """`error file:line: path: what: mend`."""
    for one in checked:
        for finding in one.findings:
            severity = f"{finding.severity:7}"
            painted = f"{_COLOUR[finding.severity]}{severity}{_PLAIN}" if colour else severity
            yield f"{painted} {finding.text}"


def summary(checked: Sequence[Checked]) -> str:
    """The last line: how many of what, in how many files."""
    severities = [finding.severity for one in checked for finding in one.findings]
    found = f"{_number(severities.count('error'), 'error')}, {_number(severities.count('warning'), 'warning')}"
    return f"{found if severities else 'no findings'} in {_number(len(checked), 'experiment')}"


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
