"""`sre tabletop ...`."""

from __future__ import annotations

import typer

from sre.cli.tabletop import close, listing, new, run

app = typer.Typer(
    help="Tabletop exercises: packages made from experiments and real drills, sessions, after-action reports.",
    no_args_is_help=True,
)
app.command("new")(new.new)
app.command("run")(run.run)
app.command("close")(close.close)
app.command("approve")(close.approve)
app.command("list")(listing.list_)
app.command("show")(listing.show)
