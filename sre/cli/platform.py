"""`sre up`, `sre status`, `sre down`: the platform alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from sre.cli.options import (
    DEFAULT_PORT,
    DEFAULT_PROFILE,
    DEFAULT_STATE_DIR,
    Json,
    Port,
    Profile,
    Prometheus,
    Replicas,
    StateDir,
    TimeScale,
)

if TYPE_CHECKING:
    from sre.platforms.local import LocalPlatform


def up(
    replicas: Replicas = 3,
    profile: Profile = DEFAULT_PROFILE,
    time_scale: TimeScale = 1.0,
    port: Port = DEFAULT_PORT,
    prometheus: Prometheus = True,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: Json = False,
) -> None:
    """Start the platform in the background: Triton replicas behind an OpenAI gateway. Stop it with `sre down`."""
    from sre.console import Progress, print_json
    from sre.platforms.local import platform_spec
    from sre.platforms.local import up as start

    spec = platform_spec(
        state_dir,
        replicas=replicas,
        profile=profile,
        time_scale=time_scale,
        port=port,
        prometheus="auto" if prometheus else "off",
    )
    progress = Progress()
    progress.step(f"platform: {replicas} Triton replicas, gateway")
    try:
        platform = start(spec, state_dir, on_progress=progress.note)
    except BaseException:
        progress.fail()
        raise
    progress.done(platform.gateway_url)
    if as_json:
        print_json(_status(platform))
    else:
        typer.echo(f"OpenAI API   {platform.gateway_url}/v1   (model llm)")
        typer.echo(f"Prometheus   {platform.state().prometheus_url or 'not running'}")
        typer.echo("stop it with `sre down`")


def status(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: Json = False) -> None:
    """Show the running platform. Exit 1 when a replica does not serve, 3 when no platform is up."""
    from sre.console import print_json
    from sre.platforms.local import LocalPlatform

    seen = _status(LocalPlatform(state_dir))
    if as_json:
        print_json(seen)
    else:
        _print_status(seen)
    raise typer.Exit(0 if seen["ok"] else 1)


def down(state_dir: StateDir = DEFAULT_STATE_DIR, as_json: Json = False) -> None:
    """Stop the platform and whatever it left behind, also after a kill -9. Harmless when nothing runs."""
    from dataclasses import asdict

    from sre.console import Progress, print_json
    from sre.platforms.local import down as stop

    progress = Progress()
    progress.step("platform down")
    report = stop(state_dir)
    progress.done()
    if as_json:
        print_json({"ok": True, **asdict(report)})
        return
    for line in (*report.notes, *(f"killed {orphan}: it did not end with the platform" for orphan in report.orphans)):
        typer.echo(line)
    typer.echo("nothing is left running" if report.was_up else f"no platform was up in {state_dir.resolve()}")


def _status(platform: LocalPlatform) -> dict[str, Any]:
    from dataclasses import asdict

    from sre.errors import PlatformError
    from sre.platforms.local import footprint_mb

    state = platform.state()
    replicas = platform.replicas()
    try:
        inflight = dict(platform.inflight())
    except PlatformError:
        inflight = {}
    return {
        "ok": state.phase == "ready" and bool(inflight) and all(r.state == "ready" for r in replicas),
        "phase": state.phase,
        "platform_id": state.platform_id,
        "gateway_url": state.gateway_url,
        "gateway_answers": bool(inflight),
        "prometheus_url": state.prometheus_url,
        "started_at": state.started_at,
        "memory_mb": footprint_mb(platform),
        "replicas": [{**asdict(r), "inflight": inflight.get(r.name)} for r in replicas],
    }


def _print_status(seen: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("replica", "state", "pid", "restarts", "in flight", box=None)
    for replica in seen["replicas"]:
        inflight = replica["inflight"]
        table.add_row(
            replica["name"],
            replica["state"],
            str(replica["pid"] or "-"),
            str(replica["restarts"]),
            "n/a" if inflight is None else f"{inflight:g}",
        )
    console = Console(highlight=False)
    memory = "n/a" if seen["memory_mb"] is None else f"{seen['memory_mb']:.0f} MB"
    answers = "" if seen["gateway_answers"] else "  (does not answer)"
    console.print(f"platform {seen['platform_id']}: {seen['phase']}, memory {memory}")
    console.print(f"gateway    {seen['gateway_url']}{answers}")
    console.print(f"prometheus {seen['prometheus_url'] or 'not running'}")
    console.print(table)
