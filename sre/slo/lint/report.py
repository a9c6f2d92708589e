"""Findings as text for people, as annotations for GitHub, as one object for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from sre.slo.lint.model import Finding
from sre.slo.lint.rules import RULES

_COLOUR = {"error": "\x1b[31m", "warning": "\x1b[33m"}
_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"


def text_lines(findings: Sequence[Finding], *, colour: bool) -> Iterator[str]:
    """Grouped by file; each finding says what, why and the mend."""
    for file, group in groupby(findings, key=lambda finding: finding.file):
        for one in group:
            severity = _painted(one.severity, _COLOUR[one.severity], colour)
            where = f" {one.path}" if one.path else ""
            head = _painted(f"{file}:{one.line}:", _BOLD, colour)
            yield f"{head} {severity} {one.rule} {one.name} ({one.document}){where}"
            yield f"    {one.what}"
            yield _painted(f"    why: {one.why}", _DIM, colour)
            yield f"    mend: {one.mend}"
        yield ""


def github_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """GitHub's workflow commands: findings appear beside the lines of a pull request."""
    for one in findings:
        message = _escaped(f"{one.what}. {one.why}. Mend: {one.mend}")
        where = f"file={_escaped_value(one.file)},line={one.line}"
        yield f"::{one.severity} {where},title={_escaped_value(f'{one.rule} {one.name}')}::{message}"


def summary(findings: Sequence[Finding], *, slos: int, files: int, against: str) -> str:
    """The last line: how many of what, in how much, checked against what."""
    errors, warnings = count(findings, "error"), count(findings, "warning")
    said = "no findings" if not findings else f"{_number(errors, 'error')}, {_number(warnings, 'warning')}"
    return f"{said} in {_number(slos, 'SLO')} of {_number(files, 'file')}, checked against {against}"


def count(findings: Sequence[Finding], severity: str) -> int:
    return sum(1 for finding in findings if finding.severity == severity)


def rule_lines() -> Iterator[str]:
    """Every rule, one line each."""
    for rule in RULES:
        yield f"{rule.id}  {rule.severity:7}  {rule.needs:9}  {rule.name:32}  {rule.summary}"


def _number(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _painted(text: str, code: str, colour: bool) -> str:
    return f"{code}{text}{_PLAIN}" if colour else text


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escaped_value(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
