"""`sre load`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from sre.cli.options import DEFAULT_STATE_DIR, Duration, Json, MaxPromptTokens, Rate, Seed, StateDir, Trace


def load(
    rate: Rate = None,
    duration: Duration = None,
    trace: Trace = None,
    seed: Seed = None,
    max_prompt_tokens: MaxPromptTokens = None,
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency", min=1, help="A closed loop: so many clients, each sending when its last one ended."
        ),
    ] = None,
    requests: Annotated[
        int | None, typer.Option("--requests", min=1, help="So many requests in all; --concurrency needs it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for requests.jsonl and workload.json; default: in --state-dir.")
    ] = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: Json = False,
) -> None:
    """Offer traffic to the running platform, open loop unless --concurrency. Exit 1 when a request failed."""
    from sre.console import Progress, print_json
    from sre.gameday.load import offer_load, plan_of

    asked = {
        "rate_rps": rate,
        "duration_s": duration,
        "seed": seed,
        "trace": None if trace is None else str(trace),
        "max_prompt_tokens": max_prompt_tokens,
        "concurrency": concurrency,
        "requests": requests,
    }
    plan = plan_of(asked, out=out or state_dir / "load")
    summary = offer_load(plan, state_dir, progress=Progress())
    if as_json:
        print_json(summary)
    else:
        _print(summary)
    raise typer.Exit(0 if summary["ok"] else 1)


def _print(summary: dict[str, Any]) -> None:
    for label, value in summary["workload"]["lines"]:
        typer.echo(f"{label:18} {value}")
    typer.echo(f"{'records':18} {summary['requests']}")
    for reason, count in summary["errors"].items():
        typer.echo(f"{'not served':18} {count} x {reason}")
