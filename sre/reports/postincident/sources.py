"""Every source a report names, numbered as a reader meets them: one footnote a source, however often it is used."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from sre.reports.postincident.model import Evidence, PostIncidentReport, Source, Sourced

Key = tuple[str, float | None, str]


def key_of(source: Source) -> Key:
    """What makes two sources the same footnote; how the text follows from it may differ."""
    return source.where, source.at, source.pick


def sources_of(report: PostIncidentReport) -> tuple[Source, ...]:
    """Each once, in reading order; the appendix itself is left out."""
    found: dict[Key, Source] = {}
    for field in dataclasses.fields(report):
        if field.name != "evidence":
            for source in _within(getattr(report, field.name)):
                found.setdefault(key_of(source), source)
    return tuple(found.values())


def statements_of(report: PostIncidentReport) -> tuple[Sourced, ...]:
    """Every statement and figure of the report."""
    return tuple(_sourced(report))


def numbers(evidence: tuple[Evidence, ...]) -> dict[Key, int]:
    """The footnote of each source."""
    return {key_of(entry.source): entry.number for entry in evidence}


def _within(value: Any) -> Iterator[Source]:
    if isinstance(value, Source):
        yield value
    else:
        for part in _parts(value):
            yield from _within(part)


def _sourced(value: Any) -> Iterator[Sourced]:
    if isinstance(value, Sourced):
        yield value
    else:
        for part in _parts(value):
            yield from _sourced(part)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        yield from value
    elif dataclasses.is_dataclass(value):
        yield from (getattr(value, field.name) for field in dataclasses.fields(value))
