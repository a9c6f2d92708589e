"""`sre slo status`: a table for the engineer, a sentence for everybody else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir
from sre.cli.slo.options import (
    CaFile,
    Corrections,
    DrillClockFactor,
    Only,
    Paths,
    PrometheusUrl,
    SamplesPath,
    TokenFile,
)

if TYPE_CHECKING:
    from sre.slo.status import Standing

At = Annotated[
    str | None,
    typer.Option("--at", help="Judge at this time (RFC 3339 or Unix seconds). Default: now, or where a file ends."),
]


def status(
    paths: Paths = None,
    prometheus: PrometheusUrl = None,
    samples: SamplesPath = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    only: Only = None,
    at: At = None,
    corrections: Corrections = None,
    drill_clock: DrillClockFactor = 1.0,
    watch: Annotated[bool, typer.Option("--watch", help="Look again every --interval seconds, until Ctrl-C.")] = False,
    interval: Annotated[
        float, typer.Option("--interval", min=0.5, help="Seconds between two looks with --watch.")
    ] = 10.0,
    as_json: Json = False,
) -> None:
    """Budget left, burn in every window, what fires, when the budget is gone. Exit 1: one pages, is spent or blind."""
    from sre.cli.slo.looking import looker, moment_to_judge
    from sre.cli.slo.options import slos_of, source_of
    from sre.errors import SreError

    if watch and at is not None:
        raise SreError("--watch follows the present and --at names a moment: give one")
    slos = slos_of(paths, only)
    opened = source_of(
        prometheus=prometheus, samples=samples, token_file=token_file, ca_file=ca_file, state_dir=state_dir
    )
    with opened as source:
        look = looker(source, slos, corrections, drill_clock)
        if watch:
            _watch(look, interval, as_json)
            return
        standings = look(moment_to_judge(at, source, slos, live=prometheus is not None))
    _show(standings, as_json)
    raise typer.Exit(1 if any(one.state in ("page", "exhausted", "no data") for one in standings) else 0)


def _watch(look: Callable[[float], tuple[Standing, ...]], interval: float, as_json: bool) -> None:
    """A table that stays in place; with --json one object a look, a line each."""
    import json

    from rich.live import Live
    from rich.text import Text

    from sre.cli.slo.standing_table import standing_lines
    from sre.slo.status_json import standings_json

    if as_json:
        while True:
            typer.echo(json.dumps(standings_json(look(time.time())), default=str))
            time.sleep(interval)
    with Live(auto_refresh=False, screen=False) as live:
        while True:
            lines = standing_lines(look(time.time()), colour=True)
            live.update(Text.from_ansi("\n".join(lines)), refresh=True)
            time.sleep(interval)


def _show(standings: Sequence[Standing], as_json: bool) -> None:
    import sys

    from sre.cli.slo.standing_table import standing_lines
    from sre.console import print_json
    from sre.slo.status_json import standings_json

    if as_json:
        print_json(standings_json(standings))
        return
    for line in standing_lines(standings, colour=sys.stdout.isatty()):
        typer.echo(line)
