"""`sre incident stats`: what incidents took, with the open ones counted as not ended yet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sre.cli.incident.options import Store, Workspace
from sre.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sre.incidents.case import CaseHead
    from sre.incidents.statistics import SetStatistics

Grouping = Literal["all", "origin", "severity", "experiment", "month"]


def stats(
    origin: Annotated[
        list[str] | None, typer.Option("--origin", help="drill, alertmanager, manual, tabletop; repeatable.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Opened since: 7d (also h, m, w), a day, or a time with its zone.")
    ] = None,
    by: Annotated[Grouping, typer.Option("--by", help="The sets that are compared.")] = "all",
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Show n, median, 90th percentile and mean of each duration; incidents that go on count as at least so long."""
    import time

    from sre.cli.incident.opened import store_to_read
    from sre.cli.incident.words import chosen, since_moment
    from sre.console import print_json
    from sre.incidents.codec import encode
    from sre.incidents.events import Origin
    from sre.incidents.statistics import summarise

    origins = chosen(Origin, origin, "--origin")
    now = time.time()
    begin = None if since is None else since_moment(since, now)
    with store_to_read(workspace, store) as opened:
        heads: Sequence[CaseHead] = () if opened is None else opened.heads(origins=origins, since=begin)
    sets = [one for one in summarise(heads, now=now) if one.by == by]
    if as_json:
        print_json({"sets": encode(tuple(sets))})
    else:
        _print(sets)


def _print(sets: Sequence[SetStatistics]) -> None:
    from rich.table import Table

    from sre.cli.incident.terminal import console
    from sre.reports.formats import plural, seconds

    screen = console()
    for one in sets:
        zeros = ", ".join(f"{n} from {name}" for name, n in one.zeros) or "none has a beginning"
        goes = "1 goes on" if one.ongoing == 1 else f"{one.ongoing} go on"
        screen.print(f"{one.value}: {plural(one.incidents, 'incident')}, {goes}; counted {zeros}", style="bold")
        table = Table("", "n", "go on", "n/a", "median", "p90", "mean", "", box=None)
        for row in one.durations:
            if row.n == row.censored == 0:
                continue
            why = "; ".join(dict.fromkeys([*(reason for _, reason in row.reasons), *row.notes]))
            figures = (seconds(row.median_s), seconds(row.p90_s), seconds(row.mean_s))
            table.add_row(row.name, str(row.n), str(row.censored), str(row.missing), *figures, why)
        screen.print(table)
