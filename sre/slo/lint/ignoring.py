"""Exceptions: the annotation `sre/lint-ignore: "SLO010: reason; SLO071: reason"` on an SLO.

Every entry needs a reason: an exception that nobody explained is reported instead of followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre.slo.lint import rules
from sre.slo.lint.model import Finding
from sre.slo.openslo.model import Documents, Metadata

ANNOTATION = "sre/lint-ignore"
_ENTRY = re.compile(r"\s*(\S+?)\s*:\s*(\S.*?)\s*")


class Ignored:
    """What the documents ask to be left out, and which of these requests are wrong."""

    def __init__(self, documents: Documents) -> None:
        self.faults: list[Finding] = []
        self._rules: dict[str, set[str]] = {}
        for metadata in (document.metadata for document in documents.slos):
            self._rules.setdefault(metadata.name, set()).update(self._entries(metadata))

    def covers(self, finding: Finding) -> bool:
        return finding.rule in self._rules.get(finding.document, ())

    def _entries(self, metadata: Metadata) -> Iterator[str]:
        for entry in (metadata.annotation(ANNOTATION) or "").split(";"):
            if not entry.strip():
                continue
            found = _ENTRY.fullmatch(entry)
            if found is not None and found.group(1) in rules.BY_ID:
                yield found.group(1)
                continue
            known = entry.split(":")[0].strip() in rules.BY_ID
            self.faults.append(
                rules.BAD_IGNORE.at(
                    metadata.place,
                    metadata.name,
                    what=f"{ANNOTATION}: {entry.strip()!r} " + ("gives no reason" if known else "names no rule"),
                    mend='write e.g. "SLO010: the exporter\'s buckets cannot be changed"',
                )
            )
