"""Runbook pages of a workspace: written from drills, and kept as long as nothing better is known.

A page carries what it was rendered from, so that it can be rendered again (other words, another experiment of the same
failure) without the reports, which are not kept for ever. A drill that went as was said is never replaced by one that
did not; one that tested nothing (void, aborted, interrupted, error) says nothing. Pages of alerts rest on the drills of
all other pages, so they are written after them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sre.chaos.experiment import id_in, load_drill
from sre.chaos.model import Drill
from sre.errors import BadDocument, EnvironmentLacks
from sre.incidents.codec import decode, encode
from sre.reports.alert_facts import Alert, Drilled, alert_facts, alerts_of
from sre.reports.atomic import write_text
from sre.reports.drill_facts import subject_of
from sre.reports.model import DrillReport
from sre.reports.runbook_facts import drill_fact, experiment_fact, slo_fact
from sre.runbooks.model import DrillFact, RunbookFacts
from sre.runbooks.render import Now, render_alert, render_runbook
from sre.slo.model import Slo
from sre.slo.openslo import load_slos

FOLDER = "runbooks"
_BEGIN, _END = "<!-- drills: what `sre runbook build` renders this page from", "-->"
Done = Literal["written", "unchanged"]


@dataclass(frozen=True, slots=True)
class BuiltPage:
    """A page as it is now. `kept` are drills that were not taken, each with the reason; `drills` those it rests on."""

    page: str
    path: Path
    done: Done
    is_proven: bool
    drills: tuple[str, ...]
    kept: tuple[str, ...] = ()
    kind: Literal["failure", "alert"] = "failure"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An experiment file with faults. `id` is "" where not even that can be read."""

    path: Path
    id: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Workspace:
    """What pages are made of beside drills. `drills` are the experiments, `slos` the objectives they may name;
    `left_out` are experiments that were not read because they have faults.
    """

    drills: tuple[Drill, ...]
    slos: tuple[Slo, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """Of every experiment that says its id, those with faults too."""
        return frozenset(one.id for one in self._files() if one.id)

    def experiments_of(self, page: str) -> tuple[Drill, ...]:
        """Those whose runbook it is, by id."""
        return tuple(sorted((drill for drill in self.drills if drill.runbook == page), key=lambda drill: drill.id))

    @property
    def pages(self) -> tuple[str, ...]:
        """Those of failures: one or more experiments show each."""
        return tuple(sorted({drill.runbook for drill in self.drills}))

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Those of the SLOs; each has a page of its name."""
        return alerts_of(self.slos)

    def experiment_of(self, report: DrillReport) -> Drill | None:
        """The experiment a report is about; None when the workspace has none such."""
        id_ = subject_of(report).id
        found = (drill for drill in self.drills if (drill.id == id_ if id_ else drill.path.name == report.experiment))
        return next(found, None)

    def id_of(self, report: DrillReport) -> str | None:
        """The id of the experiment a report is about, also of one with faults; None when there is none such."""
        told = subject_of(report).id
        if told:
            return told if told in self.ids else None
        return next((one.id for one in self._files() if one.id and one.path.name == report.experiment), None)

    def _files(self) -> tuple[Drill | LeftOut, ...]:
        return (*self.drills, *self.left_out)


def read_workspace(folder: Path, *, also: Sequence[Drill] = (), tolerant: bool = False) -> Workspace:
    """Experiments and SLOs; `also` were read before. Raises BadDocument with every fault of every experiment, unless
    `tolerant`: then those with faults are `left_out`, as a drill that is over must not end in another file's fault.
    """
    known = {drill.path.resolve(): drill for drill in also}
    drills, left_out = list(also), []
    for path in sorted((folder / "experiments").glob("*.yaml")):
        if path.resolve() not in known:
            try:
                drills.append(load_drill(path))
            except BadDocument as error:
                left_out.append(LeftOut(path, id_in(path), tuple(error.faults)))
    if left_out and not tolerant:
        raise BadDocument([fault for one in left_out for fault in one.faults])
    slos = load_slos(folder / "slo") if (folder / "slo").is_dir() else ()
    return Workspace(tuple(drills), tuple(slos), tuple(left_out))


def build_page(page: str, workspace: Workspace, reports: Iterable[DrillReport], folder: Path) -> BuiltPage:
    """Write the page into `folder` unless it says so already. Raises BadDocument, also when nothing is known of it."""
    path = folder / f"{page}.md"
    there = path.read_text(encoding="utf-8") if path.is_file() else ""
    drills, kept = _best([*recorded_drills(there, str(path)), *_told_by(reports, workspace)])
    facts = page_facts(page, workspace, drills)
    text = page_text(facts)
    if text != there:
        _write(path, text)
    taken = tuple(drill.report_id for drill in facts.drills)
    return BuiltPage(page, path, "unchanged" if text == there else "written", facts.is_proven, taken, kept)


def build_alert_pages(workspace: Workspace, folder: Path) -> tuple[BuiltPage, ...]:
    """Write the page of every alert, from the drills that the pages of failures in `folder` rest on.

    Raises BadDocument for a page that cannot be read.
    """
    drilled = drilled_in(workspace, folder)
    return tuple(_build_alert(alert, drilled, folder) for alert in workspace.alerts)


def _build_alert(alert: Alert, drilled: Sequence[Drilled], folder: Path) -> BuiltPage:
    path = folder / f"{alert.name}.md"
    facts = alert_facts(alert, drilled)
    text = render_alert(facts)
    there = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text != there:
        _write(path, text)
    reports = tuple(one.report_id for one in facts.fired)
    return BuiltPage(
        alert.name, path, "unchanged" if text == there else "written", bool(reports), reports, kind="alert"
    )


def drilled_in(workspace: Workspace, folder: Path) -> tuple[Drilled, ...]:
    """The drills that the pages of failures rest on, by experiment. Raises BadDocument for one that cannot be read."""
    return tuple(sorted(_drilled(workspace, folder), key=lambda one: one.experiment.id))


def _drilled(workspace: Workspace, folder: Path) -> Iterator[Drilled]:
    experiments = {drill.id: drill for drill in workspace.drills}
    for page in workspace.pages:
        path = folder / f"{page}.md"
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        for fact in recorded_drills(text, str(path)):
            known = experiments.get(fact.experiment)
            if known is not None and known.runbook == page:
                yield Drilled(page, experiment_fact(known), known.slos, fact)


def live_text(name: str, workspace: Workspace, folder: Path, now_of: Callable[[Sequence[Slo]], Now]) -> str:
    """A page with what holds now, for reading and not for keeping; `now_of` is asked for its SLOs.

    Raises BadDocument when nothing is known of it.
    """
    alert = next((one for one in workspace.alerts if one.name == name), None)
    if alert is not None:
        return render_alert(alert_facts(alert, drilled_in(workspace, folder)), now=now_of([alert.slo]))
    path = folder / f"{name}.md"
    there = path.read_text(encoding="utf-8") if path.is_file() else ""
    facts = page_facts(name, workspace, recorded_drills(there, str(path)))
    names = {slo.name for slo in facts.slos}
    return render_runbook(facts, now=now_of([slo for slo in workspace.slos if slo.name in names]))


def page_facts(page: str, workspace: Workspace, drills: Sequence[DrillFact]) -> RunbookFacts:
    """The facts of a page: its experiments, their SLOs, and of the drills those that are theirs."""
    experiments = workspace.experiments_of(page)
    names = {name for drill in experiments for name in drill.slos}
    ids = [drill.id for drill in experiments]
    return RunbookFacts(
        page=page,
        experiments=tuple(experiment_fact(drill) for drill in experiments),
        slos=tuple(slo_fact(slo) for slo in workspace.slos if slo.name in names),
        drills=tuple(sorted((d for d in drills if d.experiment in ids), key=lambda d: ids.index(d.experiment))),
    )


def page_text(facts: RunbookFacts) -> str:
    """The page, with what it was rendered from at its end."""
    rows = ",\n".join(json.dumps(encode(drill), allow_nan=False) for drill in facts.drills)
    record = f"[\n{rows}\n]".replace(">", "\\u003e")
    return f"{render_runbook(facts)}\n{_BEGIN}\n{record}\n{_END}\n"


def recorded_drills(text: str, where: str) -> tuple[DrillFact, ...]:
    """The drills a page rests on; none for a page without. Raises BadDocument when they cannot be read."""
    _, found, rest = text.partition(_BEGIN)
    if not found:
        return ()
    mend = "restore it from the history, or delete it and build it from reports"
    try:
        rows = json.loads(rest.partition(_END)[0])
        return tuple(decode(DrillFact, row, where) for row in rows)
    except (ValueError, TypeError, RecursionError) as error:
        raise BadDocument([f"{where}: its drills are not JSON ({error}): {mend}"]) from error


def _told_by(reports: Iterable[DrillReport], workspace: Workspace) -> Iterator[DrillFact]:
    for report in reports:
        experiment = workspace.experiment_of(report)
        fact = None if experiment is None else drill_fact(report, experiment=experiment.id)
        if fact is not None:
            yield fact


def _best(drills: Sequence[DrillFact]) -> tuple[tuple[DrillFact, ...], tuple[str, ...]]:
    """For each experiment the newest of those that went as was said, else the newest; and why others were not taken."""
    ranked = sorted(drills, key=lambda drill: (drill.is_proof, drill.at))
    chosen = {drill.experiment: drill for drill in ranked}
    kept = tuple(
        f"{drill.report_id} is {drill.outcome}: {chosen[drill.experiment].report_id} stays"
        for drill in drills
        if drill.at > chosen[drill.experiment].at
    )
    return tuple(chosen.values()), kept


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(
            f"{path.parent}: no folder can be made there ({error.strerror}): choose another"
        ) from error
    write_text(path, text)
