"""`sre tabletop ...`."""

from __future__ import annotations

import typer

from sre.cli.tabletop import new

app = typer.Typer(
    help="Tabletop exercises: packages made from experiments and real drills, sessions, after-action reports.",
    no_args_is_help=True,
)
app.command("new")(new.new)


@app.callback()
def _group() -> None:
    """Keeps `new` a verb: with one command alone typer would run it without its name."""
