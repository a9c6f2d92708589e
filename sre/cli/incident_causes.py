"""`sre incident causes`: what may have begun it, ranked by evidence; `--score`: how often that is right on drills."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sre.incidents.causes.folder import Observed
    from sre.incidents.causes.model import CauseEvidence, CauseRanking
    from sre.incidents.causes.score import Scored, Tally

_HELP_TIME = "30m ago as -30m, RFC 3339 or Unix seconds"


def causes(
    folder: Annotated[Path | None, typer.Argument(help="A drill's report folder; its ledger is not opened.")] = None,
    samples: Annotated[
        Path | None, typer.Option("--samples", help="Samples of a real incident: a recorder's folder or a file.")
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option("--prometheus", help="Address of a Prometheus server with its samples.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option("--events", help="The supervisor's events.jsonl, with --samples or --prometheus.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help=f"Begin ({_HELP_TIME}), with a while in which all was well.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help=f"End ({_HELP_TIME}).")] = None,
    top: Annotated[int, typer.Option("--top", min=1, help="Show so many candidates.")] = 3,
    score: Annotated[
        Path | None, typer.Option("--score", help="Rank every drill below this folder and hold it to its ledger.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Rank what may have begun an incident: which replica or component, which failure, on what evidence.

    Changes are told against the time before them and against the other replicas, so begin early enough: a dozen
    scrapes in which all was well. A ranking, not a verdict. Exit 1: nothing stands out.
    """
    from sre.console import print_json
    from sre.errors import SreError
    from sre.incidents.causes.rank import rank_causes
    from sre.incidents.codec import encode

    if sum(given is not None for given in (folder, samples, prometheus, score)) != 1:
        raise SreError("give one of a report folder, --samples, --prometheus and --score")
    if score is not None:
        _score(score, as_json=as_json)
        return
    seen = _observed(folder, samples, prometheus, events, since, until)
    ranking = rank_causes(seen.samples, seen.events, start=seen.start, end=seen.end)
    if as_json:
        print_json({"start": seen.start, "end": seen.end, **encode(ranking)})
    else:
        _print(ranking, seen.start, top)
    if not ranking.candidates:
        raise typer.Exit(1)


def _observed(
    folder: Path | None,
    samples: Path | None,
    prometheus: str | None,
    events: Path | None,
    since: str | None,
    until: str | None,
) -> Observed:
    import time

    from sre.cli.incident.words import moment
    from sre.errors import SreError
    from sre.incidents.causes.folder import observed_from, observed_in, refuse_outside

    now = time.time()
    start = None if since is None else moment(since, now, "--since")
    end = None if until is None else moment(until, now, "--until")
    if start is not None and end is not None and start >= end:
        raise SreError("--since is not before --until: nothing lies between them")
    if folder is not None:
        _no_incident(folder)
        return observed_in(folder, since=start, until=end)
    from sre.metrics.opening import SourceSpec, open_source

    if prometheus is not None and start is None:
        raise SreError("--prometheus needs --since: a while before the incident")
    source = open_source(SourceSpec(prometheus=prometheus, path=samples))
    if samples is not None:
        refuse_outside(source, start, end)
    return observed_from(source, events, since=start, until=end)


def _no_incident(folder: Path) -> None:
    """Raises SreError where an incident's id stands in place of a folder: the store holds no samples to rank."""
    from sre.cli.incident.words import incident_id
    from sre.errors import SreError

    known = incident_id(str(folder))
    if not folder.exists() and (known != str(folder) or known.startswith(("INC-", "TTX-"))):
        raise SreError(
            f"{known} is an incident, and the store keeps no samples: give its drill's report folder (`sre incident "
            f"show {known}` links to it), or --samples with --since for a real one"
        )


def _score(folder: Path, *, as_json: bool) -> None:
    from sre.console import Progress, print_json
    from sre.incidents.causes.score import reports_in, score_folder, tallies
    from sre.incidents.codec import encode
    from sre.reports.formats import plural

    drills: list[Scored] = []
    progress = Progress(quiet=as_json)
    progress.step("rank each drill without its ledger")
    for report in reports_in(folder):
        progress.detail(report.name)
        drill = score_folder(report)
        if drill is not None:
            drills.append(drill)
    progress.done(plural(len(drills), "drill"))
    found = tallies(drills)
    if as_json:
        print_json({"tallies": encode(found), "drills": [_drill_json(drill) for drill in drills]})
    else:
        _print_tallies(found, drills)


def _drill_json(drill: Scored) -> dict[str, object]:
    first = drill.first
    return {
        "report": drill.report,
        "experiment": drill.truth.experiment,
        "failure": drill.truth.failure,
        "subjects": sorted(drill.truth.subjects),
        "subject_rank": drill.subject_rank,
        "failure_rank": drill.failure_rank,
        "candidates": drill.candidates,
        "first": None if first is None else {"subject": first.subject, "failure": first.signature},
    }


def _print(ranking: CauseRanking, start: float, top: int) -> None:
    from rich.console import Console
    from rich.markup import escape

    from sre.incidents.visible import visible

    console = Console(highlight=False)
    if ranking.began_at is not None:
        console.print(f"The first change stands {ranking.began_at - start:.1f} s after the begin.", style="dim")
    told: set[CauseEvidence] = set()
    for one in ranking.candidates[:top]:
        before = len(told)
        title = f"{one.rank}. {one.signature} on {one.subject}"
        console.print(f"[bold]{escape(visible(title))}[/bold]  {one.kind}, score {one.score:.2f}")
        for row in one.evidence:
            if row in told:
                continue
            told.add(row)
            at = "" if row.at is None else f"+{row.at - start:.1f} s"
            console.print(f"   {at:>9}  {escape(visible(row.text))}", soft_wrap=True)
            console.print(f"   {'':>9}  [dim]{escape(visible(row.source))}[/dim]", soft_wrap=True)
        if again := len(one.evidence) - (len(told) - before):
            console.print(f"   {'':>9}  and {again} seen above", style="dim")
    more = len(ranking.candidates) - top
    if more > 0:
        console.print(f"{more} weaker ones with --top {len(ranking.candidates)}", style="dim")
    for limit in ranking.limits:
        console.print(f"Limit: {escape(visible(limit))}", style="yellow", soft_wrap=True)


def _print_tallies(found: Sequence[Tally], drills: Sequence[Scored]) -> None:
    from rich.console import Console
    from rich.table import Table

    from sre.incidents.causes.score import TOP

    table = Table("failure", box=None)
    for head in ("n", "subject first", f"in {TOP}", "failure first", f"in {TOP}", "no trace"):
        table.add_column(head, justify="right")
    for one in found:
        counts = (one.subject_first, one.subject_among, one.failure_first, one.failure_among, one.silent)
        table.add_row(one.name, str(one.n), *(str(count) for count in counts))
    console = Console(highlight=False)
    console.print(table)
    silent = sorted({drill.truth.failure for drill in drills if drill.candidates == 0})
    if silent:
        console.print(f"left no trace that stands out: {', '.join(silent)}", style="yellow", soft_wrap=True)
