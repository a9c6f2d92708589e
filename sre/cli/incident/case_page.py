"""One incident on the terminal: what an on-call reads first stands first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation

from rich.console import Console
from rich.table import Table

from sre.cli.incident.action_table import action_table
from sre.cli.incident.head_table import cost_words
from sre.cli.incident.terminal import console, words
from sre.cli.incident.words import age
from sre.incidents.case import Case
from sre.incidents.durations import case_durations
from sre.incidents.events import AlertSeen, Event, Linked, Measured, MilestoneMark, Observed, kind_of
from sre.incidents.milestones import NAMES
from sre.reports.formats import NOT_AVAILABLE, clock, date, date_time, plural, seconds
from sre.webhook.stale import status_words

_QUIET = (MilestoneMark, AlertSeen, Linked, Measured)
"""Shown in sections of their own."""
_DIGITS = 12


def print_case(case: Case, now: float) -> None:
    """Head, milestones, durations, timeline, alerts, figures, links, actions."""
    screen = console()
    head = case.head
    screen.print(words(f"{head.id}  {head.severity}  {status_words(head)}  {head.title}", style="bold"))
    of = ", ".join(part for part in (head.origin, head.service, head.experiment, head.key) if part)
    screen.print(words(f"opened {date_time(head.opened_at)} ({age(now - head.opened_at)} ago), {of}"))
    failed = head.figures.get("requests_failed") or NOT_AVAILABLE
    screen.print(f"requests failed {failed}, cost {cost_words(head)}, {plural(head.events, 'event')}")
    _section(screen, "Milestones", _milestones(case))
    _section(screen, "Durations", _durations(case))
    _section(screen, "Timeline", _timeline(case.events))
    _section(screen, "Alerts", _alerts(case))
    _section(screen, "Figures", _figures(case))
    _section(screen, "Links", _links(case))
    if case.items:
        screen.print("\nActions", style="bold")
        action_table(case.items, date(now))


def print_events(case: Case) -> None:
    """Every event as it is kept, in the order it was written."""
    screen = console()
    table = Table("position", "seq", "at", "written", "kind", "actor", "source", "text", "hash", box=None)
    for event in case.events:
        cells = (
            *(str(event.position), str(event.seq), date_time(event.at), date_time(event.recorded_at)),
            *(kind_of(event.payload), event.actor, event.source, event.text, event.hash[:12]),
        )
        table.add_row(*map(words, cells))
    screen.print(table)


def _section(screen: Console, title: str, rows: Iterator[Sequence[str]]) -> None:
    found = list(rows)
    if not found:
        return
    screen.print(f"\n{title}", style="bold")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for row in found:
        table.add_row(*(words(cell, "dim" if cell.startswith(NOT_AVAILABLE) else "") for cell in row))
    screen.print(table)


def _milestones(case: Case) -> Iterator[Sequence[str]]:
    names = [*(name for name in NAMES if name in case.marks), *(name for name in case.marks if name not in NAMES)]
    for name in names:
        mark, source = case.marks[name]
        if mark.instant is None:
            yield name, f"{NOT_AVAILABLE}: {mark.reason or 'no reason was given'}", source
        else:
            doubt = f" (within {seconds(mark.uncertainty_s)})" if mark.uncertainty_s else ""
            yield name, f"{clock(mark.instant)}{doubt}", source


def _durations(case: Case) -> Iterator[Sequence[str]]:
    for duration in case_durations(case.marks):
        if duration.seconds is not None:
            flag = f"  {duration.flag}" if duration.flag else ""
            yield duration.name, f"{seconds(duration.seconds)}{flag}", f"{duration.start} to {duration.end}"


def _timeline(events: Sequence[Event]) -> Iterator[Sequence[str]]:
    day = ""
    for event in sorted(events, key=lambda event: (event.at, event.seq)):
        if isinstance(event.payload, _QUIET):
            continue
        today = date(event.at)
        if today != day:
            yield today, "", "", ""
            day = today
        kind = event.payload.kind if isinstance(event.payload, Observed) else kind_of(event.payload)
        evidence = event.payload.evidence if isinstance(event.payload, Observed) else ""
        yield clock(event.at), kind, event.text, evidence or f"{event.actor}, {event.source}"


def _alerts(case: Case) -> Iterator[Sequence[str]]:
    for alert in case.alerts:
        at = alert.started_at if alert.state == "firing" else alert.ended_at
        when = NOT_AVAILABLE if at is None else clock(at)
        yield when, alert.state, alert.severity, alert.name, alert.summary, alert.runbook


def _figures(case: Case) -> Iterator[Sequence[str]]:
    for name, value in case.head.figures.items():
        reason = case.reasons.get(name, "no reason was given")
        yield name, _short(value) if value else f"{NOT_AVAILABLE}: {reason}"


def _short(value: str) -> str:
    """Six digits of a long decimal; `--json` has all of them."""
    try:
        return value if len(value) <= _DIGITS else f"{Decimal(value):.6g}"
    except InvalidOperation:
        return value


def _links(case: Case) -> Iterator[Sequence[str]]:
    for link in case.links:
        yield link.rel, link.target, link.title, f"sha256 {link.sha256[:12]}" if link.sha256 else ""
