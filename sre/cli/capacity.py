"""`sre capacity`."""

from __future__ import annotations

from typing import Annotated

import typer

from sre.cli.options import Json


def capacity(
    profile: Annotated[str | None, typer.Argument(help="GPU profile; all of them without one.")] = None,
    as_json: Json = False,
) -> None:
    """Say what a replica holds and why: memory, KV blocks, sequences, step times, cold start."""
    from sre.platforms.local import capacity_report, profile_names

    reports = [capacity_report(name) for name in ([profile] if profile else profile_names())]
    if as_json:
        from sre.console import print_json

        print_json({"profiles": reports})
        return
    for number, report in enumerate(reports):
        typer.echo(("\n" if number else "") + report["profile"])
        for label, value in report["lines"]:
            typer.echo(f"  {label:18} {value}")
