"""The register in words and tables, for people who audit it: what stands where, on what evidence, who accepted what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sre.reports.facts import Figure
from sre.reports.formats import NOT_AVAILABLE, plural
from sre.reports.page import Cell, Grid, Tone, grid
from sre.reports.risk_chart import heat_map
from sre.reports.risk_model import STAGES, RegisterReport, Stage, level
from sre.reports.runbook_pages import LeftOut
from sre.reports.svg import Chart
from sre.risks.evidence import Evidence
from sre.risks.model import Entry

Link = Callable[[str], str | None]
DEFINITIONS = (
    "inherent: the level without any control; current: with the controls that are in place; residual: once the "
    "treatment is done.",
    "A level is likelihood x impact, each from 1 to 5; the matrix says which band that is.",
    "demonstrated: the newest drill of a linked experiment that tested something passed, within the stated age. "
    "A later drill that deviated takes that away. Everything else is asserted.",
    "accepted: a person in a role that the band allows has said, until a stated day, that it is lived with.",
)


@dataclass(frozen=True, slots=True)
class RiskCard:
    """One risk whole; `facts` are label and text."""

    id: str
    title: str
    statement: str
    facts: tuple[tuple[str, Cell], ...]
    controls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RegisterPage:
    """Everything the renderers show. `colours` by class, `bands` the class of a level in words."""

    title: str
    subtitle: str
    tone: Tone
    verdict: str
    findings: tuple[str, ...]
    figures: tuple[Figure, ...]
    chart: Chart
    grids: tuple[Grid, ...]
    cards: tuple[RiskCard, ...]
    appendix: tuple[Grid, ...]
    colours: tuple[tuple[str, str], ...]
    bands: Mapping[str, str]
    definitions: tuple[str, ...]


def register_page(report: RegisterReport, link: Link = lambda _: None) -> RegisterPage:
    """The page of one register on one day; `link` is where a drill's source leads from the page."""
    found, risks = len(report.findings), plural(len(report.entries), "risk")
    return RegisterPage(
        title="Risk register",
        subtitle=f"{risks}, as of {report.as_of}; a drill counts for {report.max_age_days} days",
        tone="bad" if found else "good",
        verdict=f"{plural(found, 'finding')}" if found else "In order",
        findings=tuple(finding.text for finding in report.findings),
        figures=tuple(_figures(report)),
        chart=heat_map(report),
        grids=(_register(report), _acceptances(report)),
        cards=tuple(card(entry, report, link) for entry in report.entries),
        appendix=(_bands(report), _steps(report, "likelihood"), _steps(report, "impact")),
        colours=tuple((f"band-{rank}", band.colour) for rank, band in enumerate(report.matrix.bands)),
        bands=MappingProxyType(_classes(report)),
        definitions=DEFINITIONS,
    )


def _classes(report: RegisterReport) -> dict[str, str]:
    found = [level(entry, stage) for entry in report.entries for stage in STAGES]
    return {report.matrix.words(one): f"band-{report.matrix.rank(one)}" for one in found if one is not None}


def evidence_words(evidence: Evidence) -> str:
    """`demonstrated by EXP-001 on 2026-11-25 (2 of 2 experiments)`, or `asserted: why`."""
    if evidence.by is None:
        return f"asserted: {evidence.reason}"
    share = f"{len(evidence.proven)} of {plural(len(evidence.linked), 'experiment')}"
    but = f"; {evidence.reason}" if evidence.reason else ""
    return f"demonstrated by {evidence.by.report}, {plural(evidence.age_days or 0, 'day')} old ({share}{but})"


def short_evidence(evidence: Evidence) -> str:
    """`demonstrated, 2 of 3`."""
    share = f", {len(evidence.proven)} of {len(evidence.linked)}" if evidence.by is not None else ""
    return f"{evidence.standing}{share}"


def _figures(report: RegisterReport) -> Iterator[Figure]:
    live = sum(report.is_live(entry) for entry in report.entries)
    accepted = sum(entry.risk.status == "accepted" for entry in report.entries)
    yield Figure("risks", str(live), f"{accepted} of them accepted; {len(report.entries) - live} more are mended")
    for stage in ("current", "residual"):
        counts = report.by_band(stage)
        names = [f"{n} {band.name}" for n, band in zip(counts, report.matrix.bands, strict=True)]
        top = sum(counts[len(counts) // 2 :])
        first = report.matrix.bands[len(counts) // 2].name
        yield Figure(f"{stage}: {first} or above", str(top), ", ".join(names))
    yield Figure("controls demonstrated", f"{report.demonstrated} of {len(report.entries)}", "the rest are asserted")


def _register(report: RegisterReport) -> Grid:
    head = ("id", "risk", "owner", "inherent", "current", "residual", "treatment", "status", "evidence")
    rows = [register_row(entry, report) for entry in report.entries]
    notes = [f"No risk is linked to {', '.join(report.unlinked)}."] if report.unlinked else []
    notes += [f"{left_out_words(one)}." for one in report.left_out]
    return grid("register", "Register", head, rows, notes=notes, empty="No risk is written down.")


def left_out_words(one: LeftOut) -> str:
    """Which experiment was not read, and what that means for the register."""
    used = f"only its id, {one.id}, is used" if one.id else "and its id cannot be read: a link to it counts as dead"
    return f"{one.path.name} has {plural(len(one.faults), 'fault')} and was left out: {used}"


def register_row(entry: Entry, report: RegisterReport) -> tuple[Cell, ...]:
    """One line of the register."""
    return (
        Cell(entry.id, href=f"#{entry.id}"),
        Cell(entry.risk.title),
        Cell(entry.risk.owner),
        *(_level(entry, report, stage) for stage in STAGES),
        Cell(NOT_AVAILABLE if entry.assessment is None else entry.assessment.treatment),
        Cell(entry.risk.status),
        Cell(short_evidence(report.evidence[entry.id])),
    )


def _level(entry: Entry, report: RegisterReport, stage: Stage) -> Cell:
    found = level(entry, stage)
    return Cell(NOT_AVAILABLE) if found is None else Cell(report.matrix.words(found))


def _acceptances(report: RegisterReport) -> Grid:
    rows = []
    for entry in report.entries:
        accepted = None if entry.assessment is None else entry.assessment.acceptance
        if accepted is not None:
            left = (accepted.expires - report.as_of).days
            texts = (accepted.approver, accepted.role, str(accepted.on), str(accepted.expires))
            last = Cell(f"{left}", "bad" if left < 0 else "")
            rows.append((Cell(entry.id), *map(Cell, texts), last, Cell(accepted.reason)))
    head = ("id", "accepted by", "role", "on", "expires", ">days left", "reason")
    return grid("acceptances", "Acceptances", head, rows, empty="No risk is accepted: each is treated, or mended.")


def card(entry: Entry, report: RegisterReport, link: Link = lambda _: None) -> RiskCard:
    """One risk, as the page and `sre risk show` show it."""
    risk, found, evidence = entry.risk, entry.assessment, report.evidence[entry.id]
    words = Cell(evidence_words(evidence), href=None if evidence.by is None else link(evidence.by.source))
    facts = [
        ("status", risk.status),
        ("owner", risk.owner),
        ("evidence", words.text),
        ("experiments", ", ".join(entry.experiments)),
    ]
    if found is not None:
        facts[2:2] = [
            *((stage, report.matrix.words(one)) for stage in STAGES if (one := level(entry, stage))),
            ("treatment", found.treatment),
        ]
        facts += [("SLOs", ", ".join(found.slos)), ("runbooks", ", ".join(found.runbooks))]
    facts += [("weakness measured", risk.measured), ("what would end it", risk.mend), ("followed in", risk.issue)]
    return RiskCard(
        id=entry.id,
        title=risk.title,
        statement="not assessed" if found is None else found.statement,
        facts=tuple((label, words if label == "evidence" else Cell(text)) for label, text in facts if text),
        controls=() if found is None else found.controls,
    )


def _bands(report: RegisterReport) -> Grid:
    rows = [
        (
            Cell(band.name),
            Cell(band.means),
            Cell(", ".join(band.accepted_by) or "nobody"),
            Cell(str(band.longest_acceptance_days) if band.accepted_by else NOT_AVAILABLE),
        )
        for band in report.matrix.bands
    ]
    return grid("bands", "Bands", ("band", "means", "may be accepted by", ">for days at most"), rows)


def _steps(report: RegisterReport, key: str) -> Grid:
    steps = report.matrix.likelihood if key == "likelihood" else report.matrix.impact
    rows = [(Cell(str(number)), Cell(step.name), Cell(step.means)) for number, step in enumerate(steps, 1)]
    return grid(key, key.capitalize(), (">step", "name", "means"), rows)
