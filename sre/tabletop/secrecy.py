"""What players must not read before they find it out: the fault's name in any spelling, its description, the ledger.

Log lines that hold such a word lose the bracket that holds it, or are withheld whole; a package in which one is left is
not written. Words are compared without case, and with hyphens, underscores and spaces taken for the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sre.chaos.faults.catalogue import fault_class
from sre.chaos.model import Drill
from sre.errors import SreError
from sre.reports.model import DrillReport
from sre.runbooks.knowledge.model import Page

_ALWAYS = (
    "chaos",
    "injected",
    "fault begin",
    "fault proven",
    "ledger",
    "sre.gameday",
    "game day",
    "watchdog",
    "rerouted",
)
_LEDGER_ID = re.compile(r"\bf-[0-9a-f]{8}\b")
_BRACKET = re.compile(r"\s*\([^()]*\)")
_SPACES = re.compile(r"[-_\s]+")
_LEAST = 4
_DETAIL = re.compile(r"[,;] ")


def terms_of(drill: Drill, page: Page, report: DrillReport | None) -> tuple[str, ...]:
    """Everything that names the cause of this experiment."""
    faults = [*drill.faults, *(() if report is None else (fault.fault for fault in report.faults))]
    said = [text for name in dict.fromkeys(drill.faults) for text in (fault_class(name).summary, _camel(name))]
    steps = [] if report is None else [_quoted(row.text) for row in report.incident.timeline if row.kind == "chaos"]
    proofs = [] if report is None else [fault.proof for fault in report.faults]
    own = (drill.id, drill.path.stem, drill.failure_mode, drill.runbook, drill.title, page.title, page.meaning)
    found = [*own, *faults, *said, *steps, *proofs, *_ALWAYS]
    return tuple(dict.fromkeys(term for term in map(normal, found) if len(term) >= _LEAST))


def normal(text: str) -> str:
    """The form in which words are compared."""
    return _SPACES.sub(" ", text.lower()).strip()


def found_in(text: str, terms: Iterable[str]) -> tuple[str, ...]:
    """The terms that a text holds, and any id of the ledger."""
    plain = normal(text)
    return (*(term for term in terms if term in plain), *_LEDGER_ID.findall(text))


def masked(line: str, terms: Iterable[str]) -> str | None:
    """The line without a bracket that would tell; None when all of it would."""
    known = tuple(terms)
    if not found_in(line, known):
        return line
    short = _BRACKET.sub(lambda match: _cleared(match.group(0), known), line)
    return None if found_in(short, known) else short


def refuse_leaks(pages: Iterable[tuple[str, str]], terms: Iterable[str]) -> None:
    """Raise SreError when a page for players, (name, text), holds one of the terms."""
    known = tuple(terms)
    for name, text in pages:
        held = found_in(text, known)
        if held:
            raise SreError(f"{name}: would tell players `{held[0]}`: say it in other words in sre/tabletop/data")


def _cleared(bracket: str, terms: tuple[str, ...]) -> str:
    """A bracket of details, `(from=3, to=2, reason=...)`, without those that would tell."""
    if not found_in(bracket, terms):
        return bracket
    details = _DETAIL.split(bracket.strip()[1:-1])
    kept = [detail for detail in details if not found_in(detail, terms)]
    return f" ({', '.join([*kept, 'withheld'])})"


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


def _quoted(text: str) -> str:
    """The name of an activity in a row such as `action 'kill the gateway' succeeded`; "" where there is none."""
    found = re.search(r"'(.{8,})'", text)
    return "" if found is None else found.group(1)
