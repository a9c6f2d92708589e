"""The report as a page: figures in words, origins numbered as a reader meets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from sre.reports.formats import NOT_AVAILABLE, count, date_time, money, multiple, number, percent, plural, seconds
from sre.reports.performance.model import (
    Figure,
    Kind,
    Origin,
    OriginKind,
    PerformanceReport,
    Section,
    Table,
    kind_of,
)
from sre.reports.svg import Chart

Tone = Literal["good", "bad", "unsure"]
_WORDS: Mapping[Kind, Callable[[float], str]] = MappingProxyType(
    {
        "share": lambda value: percent(value, 1),
        "duration_s": seconds,
        "per_second": number,
        "ratio": multiple,
        "count": count,
        "tokens": count,
        "usd": lambda value: money(Decimal(str(round(value, 6))), "USD"),
    }
)
DEFINITIONS = (
    "measured: seen on this machine, on the real platform (Triton, gateway, supervisor) with an emulated engine, whose "
    "step times are a profile's; real vLLM only where a table says so.",
    "simulated: the platform's own scheduling, routing and admission code under a virtual clock, with step times of a "
    "profile. How far that may be off is said beside it.",
    "compared: simulated over measured, of the same offer to the same fleet. Never in one table with either.",
    "good: served, first token and inter-token time within the thresholds of its class.",
    "n/a: there is no such figure, with the reason beside the table.",
)


@dataclass(frozen=True, slots=True)
class OriginView:
    """`tag` is how tables refer to it: `measured 1`."""

    tag: str
    kind: OriginKind
    words: str


@dataclass(frozen=True, slots=True)
class TableView:
    """A table ready to print: `head` with `>` columns right, cells as text, why some are n/a."""

    key: str
    title: str
    origin: OriginView
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    marks: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SectionView:
    """`sufficiency` is "" where the number of requests is not what it rests on."""

    key: str
    title: str
    question: str
    findings: tuple[tuple[OriginView, str], ...]
    tables: tuple[TableView, ...]
    charts: tuple[Chart, ...]
    method: tuple[str, ...]
    absent: tuple[str, ...]
    sufficiency: str
    is_sufficient: bool


@dataclass(frozen=True, slots=True)
class PageView:
    """Everything a renderer shows."""

    title: str
    subtitle: str
    tone: Tone
    verdict: str
    meaning: str
    origins: tuple[OriginView, ...]
    sections: tuple[SectionView, ...]
    command: str
    definitions: tuple[str, ...]


def words_of(kind: Kind, value: float | None) -> str:
    """A figure as people read it."""
    return NOT_AVAILABLE if value is None else _WORDS[kind](value)


def page_view(report: PerformanceReport, charts: Mapping[str, Sequence[Chart]]) -> PageView:
    """`charts` by the key of their section."""
    origins = _numbered(report)
    tone, verdict, meaning = _verdict(report)
    return PageView(
        title="Performance",
        subtitle=_subtitle(report),
        tone=tone,
        verdict=verdict,
        meaning=meaning,
        origins=tuple(origins.values()),
        sections=tuple(_section(section, origins, charts.get(section.key, ())) for section in report.sections),
        command=report.command,
        definitions=DEFINITIONS,
    )


def _subtitle(report: PerformanceReport) -> str:
    if report.machine is None or report.began_at is None:
        return "simulated only: nothing was measured"
    took = "" if report.ended_at is None else f", {seconds(report.ended_at - report.began_at)}"
    return f"{date_time(report.began_at)}{took}; {report.machine}"


def _verdict(report: PerformanceReport) -> tuple[Tone, str, str]:
    if report.insufficient:
        titles = [section.title for section in report.sections if section.key in report.insufficient]
        few = f"{plural(len(titles), 'section')} with too few requests to rest a statement on: {', '.join(titles)}"
        return "unsure", "not sufficient", few
    return "good", "sufficient", "every section that states a share of good requests rests on enough of them"


def _numbered(report: PerformanceReport) -> dict[Origin, OriginView]:
    found: dict[Origin, None] = {}
    for section in report.sections:
        for finding in section.findings:
            found.setdefault(finding.origin)
        for table in section.tables:
            found.setdefault(table.origin)
    numbers: dict[OriginKind, int] = {}
    views = {}
    for origin in found:
        kind = kind_of(origin)
        numbers[kind] = numbers.get(kind, 0) + 1
        views[origin] = OriginView(f"{kind} {numbers[kind]}", kind, origin.words)
    return views


def _section(section: Section, origins: Mapping[Origin, OriginView], charts: Sequence[Chart]) -> SectionView:
    return SectionView(
        key=section.key,
        title=section.title,
        question=section.question,
        findings=tuple((origins[finding.origin], finding.text) for finding in section.findings),
        tables=tuple(_table(table, origins[table.origin]) for table in section.tables),
        charts=tuple(charts),
        method=section.method,
        absent=section.absent,
        sufficiency="" if section.sufficiency is None else section.sufficiency.words,
        is_sufficient=section.is_sufficient,
    )


def _table(table: Table, origin: OriginView) -> TableView:
    rows = tuple(
        (row.label, *(_cell(column.figures[index]) for column in table.columns)) for index, row in enumerate(table.rows)
    )
    reasons = dict.fromkeys(
        f"n/a, {column.label}: {figure.reason}."
        for column in table.columns
        for figure in column.figures
        if figure.reason
    )
    return TableView(
        key=table.key,
        title=table.title,
        origin=origin,
        head=(table.head, *(column.label for column in table.columns)),
        rows=rows,
        marks=tuple(row.mark for row in table.rows),
        notes=(*table.notes, *reasons),
    )


def _cell(figure: Figure) -> str:
    return words_of(figure.kind, figure.value)
