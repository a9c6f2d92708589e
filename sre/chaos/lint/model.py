"""What the lint says, and what it collects while it reads one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sre.chaos.model import Drill
from sre.slo.documents import Fault, Faults

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong; `text` is the whole message, `file:line: path: what: mend`. Line 0: the file as a whole."""

    file: str
    line: int
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class Checked:
    """One experiment file after the lint. `drill` is None when the file has errors."""

    path: Path
    drill: Drill | None
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[str, ...]:
        return tuple(finding.text for finding in self.findings if finding.severity == "error")

    def fails(self, *, strict: bool) -> bool:
        """With `strict`, for a warning as well."""
        return bool(self.findings) if strict else bool(self.errors)


@dataclass(frozen=True, slots=True)
class Notes:
    """What is collected of one file. An error keeps it from running, or from being believed; a warning does not."""

    errors: Faults
    warnings: Faults

    @classmethod
    def of(cls, path: Path) -> Notes:
        return cls(Faults(path), Faults(path))

    def findings(self) -> tuple[Finding, ...]:
        """Each once, by line."""
        return tuple(sorted({*_findings(self.errors, "error"), *_findings(self.warnings, "warning")}))


def _findings(faults: Faults, severity: Severity) -> list[Finding]:
    return [_finding(fault, severity) for fault in faults.all]


def _finding(fault: Fault, severity: Severity) -> Finding:
    return Finding(fault.file, fault.line, severity, fault.text)
