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
Replicas = Annotated[
    int | None,
    typer.Option("--replicas", min=1, max=16, help="Triton replicas to run. Default: 3 emulated, 1 with vLLM."),
]
MaxReplicas = Annotated[int, typer.Option("--max-replicas", min=1, max=16, help="Most replicas `sre scale` may reach.")]
Autoscale = Annotated[
    Path | None,
    typer.Option("--autoscale", help="Policy to follow: a HorizontalPodAutoscaler or KEDA ScaledObject file."),
]
AutoscaleClock = Annotated[
    float, typer.Option("--autoscale-clock", help="Run the policy's own clock faster: 60 turns its minutes to seconds.")
]
Tenants = Annotated[Path | None, typer.Option("--tenants", help="API keys and limits by tenant (`sre key new`).")]
GatewayWorkers = Annotated[
    int, typer.Option("--gateway-workers", min=1, max=32, help="Processes that carry the gateway's bytes.")
]
ColdStart = Annotated[
    float, typer.Option("--cold-start", help="Emulate the profile's cold start, times this; 0 is none, 1 real time.")
]
Routing = Annotated[
    str, typer.Option("--routing", help="How the gateway spreads work: affinity, least_outstanding or round_robin.")
]
Seats = Annotated[int | None, typer.Option("--max-num-seqs", min=1, help="Sequences that a replica runs at once.")]
TokenBudget = Annotated[
    int | None, typer.Option("--max-num-batched-tokens", min=1, help="Tokens of one step of a replica.")
]
UnhealthyRestart = Annotated[
    float, typer.Option("--unhealthy-restart", help="Seconds out of rotation after which a replica is replaced.")
]
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
