"""The command tree."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sre.cli import (
    autoscale,
    capacity,
    chaos,
    cost,
    doctor,
    gameday,
    incident,
    key,
    load,
    platform,
    profile,
    rehearse,
    replicas,
    report,
    risk,
    runbook,
    serve,
    simulate,
    slo,
    sweep,
    tabletop,
    whatif,
)
from sre.cli.chaos.leftovers import heal_what_was_left

app = typer.Typer(
    name="sre",
    help="Game-day kit for teams that serve large language models: run a platform, break it, measure what happened.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("up")(platform.up)
app.command("status")(platform.status)
app.command("down")(platform.down)
app.command("scale")(replicas.scale)
app.command("drain")(replicas.drain)
app.command("undrain")(replicas.undrain)
app.command("doctor")(doctor.doctor)
app.command("load")(load.load)
app.command("serve")(serve.serve)
app.command("capacity")(capacity.capacity)
app.command("simulate")(simulate.simulate)
app.command("sweep")(sweep.sweep)
app.command("rehearse")(rehearse.rehearse)
app.command("whatif")(whatif.whatif)
app.add_typer(gameday.app, name="gameday")
app.add_typer(incident.app, name="incident")
app.add_typer(chaos.app, name="chaos")
app.add_typer(report.app, name="report")
app.add_typer(risk.app, name="risk")
app.add_typer(runbook.app, name="runbook")
app.add_typer(slo.app, name="slo")
app.add_typer(tabletop.app, name="tabletop")
app.add_typer(key.app, name="key")
app.add_typer(profile.app, name="profile")
app.add_typer(autoscale.app, name="autoscale")
app.add_typer(cost.app, name="cost")


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("llm-gameday"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Game-day kit for teams that serve large language models: run a platform, break it, measure what happened."""
    heal_what_was_left(sys.argv[1:])
