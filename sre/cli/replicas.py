"""`sre drain`, `sre undrain`, `sre scale`: the platform's replicas while it serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir

if TYPE_CHECKING:
    from sre.console import Progress


def replica_names(context: typer.Context, incomplete: str) -> list[str]:
    """For the shell's completion: what runs, or nothing when that cannot be known."""
    import json

    try:
        directory = Path(context.params.get("state_dir") or DEFAULT_STATE_DIR)
        state = json.loads((directory / "state.json").read_text("utf-8"))
        names = [str(replica["name"]) for replica in state["replicas"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [name for name in names if name.startswith(incomplete)]


Name = Annotated[
    str, typer.Argument(help="A replica, for example llm-0.", autocompletion=replica_names, metavar="REPLICA")
]
Grace = Annotated[
    float, typer.Option("--grace", min=0, max=3600, help="Seconds for work in flight; the rest moves elsewhere then.")
]


def drain(
    replica: Name,
    grace: Grace = 30.0,
    restart: Annotated[bool, typer.Option("--restart", help="Start it again afterwards.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also the last replica that serves.")] = False,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: Json = False,
) -> None:
    """Take a replica out of service without an error for a client, and stop it. `sre undrain` brings it back."""
    from dataclasses import asdict

    from sre.console import print_json
    from sre.platforms.local import LocalPlatform
    from sre.platforms.local import drain as drain_replica

    with _step(f"{'restart' if restart else 'drain'} {replica}") as progress:
        done = drain_replica(
            LocalPlatform(state_dir), replica, grace_s=grace, restart=restart, force=force, on_progress=progress.note
        )
    if as_json:
        print_json({"ok": True, "restarted": restart, **asdict(done)})
        return
    moved = f", {done.inflight_left} requests moved to other replicas" if done.inflight_left else ""
    typer.echo(f"{replica} was empty and ended after {done.seconds:.1f} s{moved}")


def undrain(replica: Name, state_dir: StateDir = DEFAULT_STATE_DIR, as_json: Json = False) -> None:
    """Bring a drained replica back into service; one that still drains keeps its process."""
    from sre.console import print_json
    from sre.platforms.local import LocalPlatform
    from sre.platforms.local import undrain as undrain_replica

    with _step(f"undrain {replica}") as progress:
        undrain_replica(LocalPlatform(state_dir), replica, on_progress=progress.note)
    if as_json:
        print_json({"ok": True, "replica": replica})
    else:
        typer.echo(f"{replica} serves")


def scale(
    replicas: Annotated[int, typer.Argument(help="How many replicas there are to be.", min=1, metavar="N")],
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: Json = False,
) -> None:
    """Start or stop replicas until there are N. The youngest leave, drained first."""
    from dataclasses import asdict

    from sre.console import print_json
    from sre.platforms.local import LocalPlatform
    from sre.platforms.local import scale as scale_to

    platform = LocalPlatform(state_dir)
    with _step(f"{replicas} replicas") as progress:
        if (autoscaler := platform.state().autoscaler) is not None:
            progress.note(f"the autoscaler follows {autoscaler.policy} and will decide again")
        now = scale_to(platform, replicas, on_progress=progress.note)
    if as_json:
        print_json({"ok": True, "replicas": [asdict(replica) for replica in now]})
    else:
        noun = "replica" if len(now) == 1 else "replicas"
        typer.echo(f"{len(now)} {noun}: {', '.join(replica.name for replica in now)}")


@contextmanager
def _step(text: str) -> Iterator[Progress]:
    from sre.console import Progress

    progress = Progress()
    progress.step(text)
    try:
        yield progress
    except BaseException:
        progress.fail()
        raise
    progress.done()
