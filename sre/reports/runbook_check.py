"""Whether the runbooks of a workspace can be trusted tonight: as the facts are, proven lately, whole, one an alert.

A page is right when it is what it would be rendered as now, from the facts of today and the drills it rests on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

from sre.errors import BadDocument, SreError
from sre.reports.alert_facts import Drilled, alert_facts
from sre.reports.runbook_coverage import alerts_without_page, experiments_without_mitigation
from sre.reports.runbook_pages import FOLDER, Workspace, drilled_in, page_facts, page_text, recorded_drills
from sre.runbooks.checking import Finding, Verbs, check_text
from sre.runbooks.render import evidence_hash, evidence_in, render_alert

MAX_AGE_DAYS = 30
_REBUILD = "run `sre runbook build`"


@dataclass(frozen=True, slots=True)
class CheckedPages:
    """`pages` are the names of those looked at."""

    pages: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(one for one in self.findings if one.severity == "error")


@dataclass(frozen=True, slots=True)
class Today:
    """The day to judge by, and after how many days a green drill is too old."""

    day: dt.date
    max_age_days: int = MAX_AGE_DAYS


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A page as it should be. `proven` is the day of the oldest of its experiments' newest green drills, "" where one
    has none; `why`, and what would `mend` that.
    """

    name: str
    text: str
    hash: str
    proven: str
    why: str
    mend: str = "play its experiment: the page says which"


def check_pages(
    root: Path, workspace: Workspace, *, today: Today, verbs: Verbs | None = None, only: Collection[str] = ()
) -> CheckedPages:
    """Every page of the workspace in `root`, or `only` those named. Raises SreError for a name that is none."""
    folder = root / FOLDER
    shelf = _Shelf(folder, workspace)
    unknown = sorted(set(only) - set(shelf.names))
    if unknown:
        raise SreError(f"{unknown[0]}: no such runbook: use one of {', '.join(sorted(shelf.names))}")
    chosen = tuple(name for name in shelf.names if not only or name in only)
    found = [finding for name in chosen for finding in _check_page(shelf, name, today, verbs)]
    if not only:
        found += _orphans(folder, shelf.names)
        found += alerts_without_page(root, shelf.alerts)
        found += experiments_without_mitigation(workspace)
    return CheckedPages(chosen, tuple(sorted(found)))


class _Shelf:
    """Every page there should be, and what it should say; what many pages rest on is read once."""

    def __init__(self, folder: Path, workspace: Workspace) -> None:
        self.folder = folder
        self.alerts = {alert.name: alert for alert in workspace.alerts}
        self._workspace = workspace
        self.names = (*workspace.pages, *self.alerts)

    def wanted(self, name: str, text: str, path: Path) -> _Wanted:
        """Raises BadDocument when the drills that a page rests on cannot be read."""
        if name in self.alerts:
            facts = alert_facts(self.alerts[name], self._drilled)
            why, mend = "no drill made it fire", "play an experiment about its SLO that hurts it enough"
            if facts.kind == "no-data":
                mend = (
                    f"no drill lasts {facts.for_s:g} s without samples: walk it by hand once, `sre runbook exec {name}`"
                )
            return _Wanted(name, render_alert(facts), evidence_hash(facts), facts.newest_date, why, mend)
        page = page_facts(name, self._workspace, recorded_drills(text, str(path)))
        days = {drill.experiment: drill.date for drill in page.drills if drill.is_proof}
        missing = [experiment.id for experiment in page.experiments if experiment.id not in days]
        proven = "" if missing else min(days.values(), default="")
        why = f"no green drill of {', '.join(missing)} has shown what it says"
        return _Wanted(name, page_text(page), evidence_hash(page), proven, why)

    @cached_property
    def _drilled(self) -> tuple[Drilled, ...]:
        return drilled_in(self._workspace, self.folder)


def _check_page(shelf: _Shelf, name: str, today: Today, verbs: Verbs | None) -> Iterator[Finding]:
    path = shelf.folder / f"{name}.md"
    if not path.is_file():
        whose = "an alert" if name in shelf.alerts else "an experiment"
        yield Finding(str(path), 1, "error", "no-page", f"{whose} has no runbook: it would be {name}", _REBUILD)
        return
    text = path.read_text(encoding="utf-8")
    yield from check_text(text, path, verbs=verbs)
    try:
        wanted = shelf.wanted(name, text, path)
    except BadDocument as error:
        yield Finding(str(path), 1, "error", "unreadable", str(error), "restore it from the history")
        return
    yield from _stale(text, wanted, path)
    yield from _unproven(text, wanted, path, today)


def _stale(text: str, wanted: _Wanted, path: Path) -> Iterator[Finding]:
    if text == wanted.text:
        return
    line, now = next(
        (number, new)
        for number, (old, new) in enumerate(zip_longest(text.splitlines(), wanted.text.splitlines(), fillvalue=""), 1)
        if old != new
    )
    changed = "a fact behind it changed" if evidence_in(text) != wanted.hash else "its words changed"
    said = f", which is now {now.strip()[:100]!r}" if now.strip() else ""
    yield Finding(str(path), line, "error", "stale", f"stale: {changed}; first in this line{said}", _REBUILD)


def _unproven(text: str, wanted: _Wanted, path: Path, today: Today) -> Iterator[Finding]:
    line = next((n for n, row in enumerate(text.splitlines(), 1) if row.startswith("Evidence:")), 1)
    if not wanted.proven:
        yield Finding(str(path), line, "warning", "unproven", f"not proven: {wanted.why}", wanted.mend)
        return
    age = (today.day - dt.date.fromisoformat(wanted.proven)).days
    if age > today.max_age_days:
        what = f"last proven {age} days ago, on {wanted.proven}; more than {today.max_age_days} is too old"
        yield Finding(str(path), line, "warning", "unproven", what, "play its experiment again")


def _orphans(folder: Path, names: Collection[str]) -> Iterator[Finding]:
    for path in sorted(folder.glob("*.md")):
        if path.stem not in names and path.stem.upper() != "README":
            what = "neither an alert nor an experiment leads here"
            mend = "remove it, or name it in an experiment's `runbook`"
            yield Finding(str(path), 1, "error", "orphan", what, mend)
