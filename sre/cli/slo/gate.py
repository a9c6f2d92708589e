"""`sre slo gate`: the error budget policy as an exit code, for pipelines and before drills."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from sre.slo.gate import Decision, GateRule


def gate(
    paths: Paths = None,
    action: Annotated[
        str, typer.Option("--for", help="What is to go on: deploy, drill, or an action of --policy.")
    ] = "deploy",
    policy: Annotated[Path | None, typer.Option("--policy", help="Your error budget policy, a YAML file.")] = None,
    min_remaining: Annotated[
        float | None, typer.Option("--min-remaining", min=0, max=1, help="Share of each budget that must be left.")
    ] = None,
    cost: Annotated[
        float, typer.Option("--cost", min=0, help="Share of the budget that the action itself is expected to spend.")
    ] = 0.0,
    prometheus: PrometheusUrl = None,
    samples: SamplesPath = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    only: Only = None,
    corrections: Corrections = None,
    drill_clock: DrillClockFactor = 1.0,
    at: Annotated[
        str | None, typer.Option("--at", help="Judge at this time. Default: now, or where a file ends.")
    ] = None,
    as_json: Json = False,
) -> None:
    """May a deploy or a drill go on? Exit 0 yes, 1 no, with the reason for each SLO. Without data the answer is no."""
    from dataclasses import replace

    from sre.cli.slo.looking import looker, moment_to_judge
    from sre.cli.slo.options import slos_of, source_of
    from sre.slo.gate import SHIPPED, decide, read_policy, rule_for

    rules, where = (SHIPPED, "the shipped policy") if policy is None else (read_policy(policy), str(policy))
    rule = rule_for(action, rules, where=where)
    rule = rule if min_remaining is None else replace(rule, min_remaining=min_remaining)
    slos = slos_of(paths, only)
    opened = source_of(
        prometheus=prometheus, samples=samples, token_file=token_file, ca_file=ca_file, state_dir=state_dir
    )
    with opened as source:
        look = looker(source, slos, corrections, drill_clock)
        standings = look(moment_to_judge(at, source, slos, live=prometheus is not None))
    decision = decide(standings, rule, cost=cost)
    _print(decision, as_json)
    raise typer.Exit(0 if decision.allowed else 1)


def _print(decision: Decision, as_json: bool) -> None:
    if as_json:
        from sre.console import print_json

        print_json(_record(decision))
        return
    typer.secho(f"{decision.rule.action}: {'may go on' if decision.allowed else 'BLOCKED'}", bold=True)
    for reason in sorted(decision.reasons, key=lambda one: not one.blocks):
        typer.echo(f"  {'no ' if reason.blocks else 'yes'}  {reason.slo}: {reason.text}")


def _record(decision: Decision) -> dict[str, Any]:
    rule: GateRule = decision.rule
    return {
        "ok": decision.allowed,
        "action": rule.action,
        "rule": {"min_remaining": rule.min_remaining, "block_on": list(rule.block_on), "no_data": rule.no_data},
        "cost": decision.cost,
        "slos": [{"name": one.slo, "blocks": one.blocks, "reason": one.text} for one in decision.reasons],
    }
