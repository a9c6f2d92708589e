"""Options that several verbs share, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout; progress goes to stderr.")]
StateDir = Annotated[
    Path,
    typer.Option("--state-dir", envvar="SRE_STATE_DIR", help="Where the running platform keeps its state."),
]
Replicas = Annotated[int, typer.Option("--replicas", min=1, max=16, help="Triton replicas to run.")]
Profile = Annotated[str, typer.Option("--profile", help="GPU profile the emulated engine follows.")]
TimeScale = Annotated[float, typer.Option("--time-scale", help="Stretch step times: 2 is half speed.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Gateway port on 127.0.0.1; 0 picks a free one.")]
Prometheus = Annotated[
    bool, typer.Option("--prometheus/--no-prometheus", help="Start Prometheus when its binary is there.")
]
Trace = Annotated[
    Path | None,
    typer.Option("--trace", help="Azure LLM trace (.csv) or Mooncake (.jsonl); default: a seeded generator."),
]
Rate = Annotated[float | None, typer.Option("--rate", help="Mean arrival rate, requests a second; above 0.")]
Duration = Annotated[float | None, typer.Option("--duration", help="Seconds of load; above 0.")]
MaxPromptTokens = Annotated[
    int | None, typer.Option("--max-prompt-tokens", min=1, help="Cut longer prompts of the load to this length.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Seed of the generator and of the prompts.")]

DEFAULT_STATE_DIR = Path(".sre")
DEFAULT_PROFILE = "h100-llama3-8b-tp1"
DEFAULT_PORT = 8400
