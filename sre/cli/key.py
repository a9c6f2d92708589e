"""`sre key ...`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sre.cli.options import Json

app = typer.Typer(help="API keys of the gateway's tenants.", no_args_is_help=True)


@app.command("new")
def new(
    tenant: Annotated[str, typer.Argument(help="Whose key it is: a name of letters, digits, '_', '.' and '-'.")],
    file: Annotated[Path, typer.Option("--file", help="The tenants file; created, with mode 0600, when absent.")],
    priority: Annotated[
        int | None, typer.Option("--priority", help="Of a new tenant; lower goes first. Default 0.")
    ] = None,
    requests_per_s: Annotated[float | None, typer.Option("--requests-per-s", help="Of a new tenant.")] = None,
    tokens_per_min: Annotated[float | None, typer.Option("--tokens-per-min", help="Of a new tenant.")] = None,
    max_inflight: Annotated[int | None, typer.Option("--max-inflight", help="Of a new tenant.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key for TENANT and print it: this once, for the file holds its hash alone."""
    from sre.console import print_json
    from sre.platforms.local import new_tenant_key

    asked = {
        "priority": priority,
        "requests_per_s": requests_per_s,
        "tokens_per_min": tokens_per_min,
        "max_inflight": max_inflight,
    }
    key = new_tenant_key(file, tenant, {name: value for name, value in asked.items() if value is not None})
    if as_json:
        print_json({"tenant": tenant, "key": key, "file": str(file)})
    else:
        typer.echo(key)
        typer.echo(f"Keep it: {file} holds its hash alone. The gateway reads the file when it starts.", err=True)
