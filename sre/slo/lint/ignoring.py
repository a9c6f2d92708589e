"""Exceptions: the annotation `sre/lint-ignore: "SLO010: reason; SLO071: reason"` on an SLO, or on an alert policy
for what is found at its condition.

Every entry needs a reason: an exception that nobody explained is reported instead of followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sre.slo.lint import rules
from sre.slo.lint.model import Finding
from sre.slo.openslo import Documents, policies_by_slo
from sre.slo.openslo.header import LINT_IGNORE
from sre.slo.openslo.model import Metadata

_ENTRY = re.compile(r"\s*(\S+?)\s*:\s*(\S.*?)\s*")


class Ignored:
    """What the documents ask to be left out, and which of these requests are wrong."""

    def __init__(self, documents: Documents) -> None:
        self.faults: list[Finding] = []
        self._by_document = {slo.metadata.name: set(self._entries(slo.metadata)) for slo in documents.slos}
        self._by_place: dict[tuple[str, int], set[str]] = {}
        policies = {id(one.policy): one for found in policies_by_slo(documents).values() for one in found}
        for resolved in policies.values():
            place = resolved.condition.place
            named = self._entries(resolved.policy.metadata)
            self._by_place.setdefault((place.file, place.line), set()).update(named)

    def covers(self, finding: Finding) -> bool:
        of_policy = self._by_place.get((finding.file, finding.line), ())
        return finding.rule in self._by_document.get(finding.document, ()) or finding.rule in of_policy

    def _entries(self, metadata: Metadata) -> Iterator[str]:
        for entry in (metadata.annotation(LINT_IGNORE) or "").split(";"):
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
                    what=f"{LINT_IGNORE}: {entry.strip()!r} " + ("gives no reason" if known else "names no rule"),
                    mend='write e.g. "SLO010: the exporter\'s buckets cannot be changed"',
                )
            )
