"""`sre chaos heal`: undo what is broken, whoever broke it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir

if TYPE_CHECKING:
    from sre.chaos.leases.healing import Healed


def heal(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Faults to undo (`sre chaos faults`). Default: all.", metavar="[ID]...")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until what was hit is well again.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait for that, in all.")] = 60.0,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: Json = False,
) -> None:
    """Undo every open fault, or those named. Exit 0 when nothing remains, 1 when something stays or is not well."""
    from sre.chaos.leases.healing import heal_all
    from sre.console import print_json
    from sre.platforms.local import LocalPlatform

    platform = LocalPlatform(state_dir)
    only = _known(platform.state_dir, ids or [])
    done = heal_all(platform, by="sre chaos heal", only=only)
    ill = _wait(platform, timeout) if wait else []
    ok = done.nothing_remains and not ill
    if as_json:
        print_json({"ok": ok, **_figures(done), "not_recovered": ill})
    else:
        _print(done, ill)
    raise typer.Exit(0 if ok else 1)


def _known(state_dir: Path, ids: list[str]) -> frozenset[str] | None:
    """The ids, checked. Raises SreError for one that the ledger does not have."""
    from sre.chaos.leases.standing import standing
    from sre.errors import SreError

    known = {fault.fault_id for fault in standing(state_dir).faults}
    for unknown in sorted(set(ids) - known):
        raise SreError(f"fault {unknown!r} is not in {state_dir / 'chaos.jsonl'}: see `sre chaos faults --all`")
    return frozenset(ids) or None


def _wait(platform: Any, timeout_s: float) -> list[str]:
    """What did not recover, a line each."""
    import time

    from sre.chaos.leases.recovery import end_when_well
    from sre.chaos.leases.standing import standing
    from sre.errors import SreError

    deadline, ill = time.monotonic() + timeout_s, []
    for lease in standing(platform.state_dir).unended:
        try:
            end_when_well(platform, lease, timeout_s=max(0.0, deadline - time.monotonic()))
        except SreError as error:
            ill.append(f"{lease.fault_id} ({lease.fault} of {lease.plan.target}): {error}")
    return ill


def _figures(done: Healed) -> dict[str, Any]:
    return {
        "undone": [
            {"fault_id": lease.fault_id, "fault": lease.fault, "target": lease.plan.target} for lease in done.undone
        ],
        "stayed": [
            {"fault_id": one.lease.fault_id, "fault": one.lease.fault, "target": one.lease.plan.target, "why": one.why}
            for one in done.stayed
        ],
        "damage": list(done.damage),
    }


def _print(done: Healed, ill: list[str]) -> None:
    for lease in done.undone:
        typer.echo(f"undid {lease.fault} of {lease.plan.target} ({lease.fault_id})")
    for one in done.stayed:
        typer.echo(f"{one.lease.fault} of {one.lease.plan.target} ({one.lease.fault_id}) stays: {one.why}", err=True)
    for line in (*done.damage, *(f"not well yet: {line}" for line in ill)):
        typer.echo(line, err=True)
    if done.nothing_remains and not ill:
        typer.echo("no fault is open")
