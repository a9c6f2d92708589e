"""Faults of a replica's processes."""

from __future__ import annotations

from typing import Any

from sre.chaos.acting import injected

Configuration = dict[str, Any]


def crash_replica(
    lease_s: float, replica: str = "busiest", seed: int = 0, configuration: Configuration | None = None
) -> dict[str, Any]:
    """Kill -9 one replica's server process.

    `replica` is `busiest` (most requests in flight), `any`, `random` (by `seed`), or a name. Refused outside the
    experiment's blast radius.
    """
    return injected("replica-crash", {"replica": replica, "seed": seed}, lease_s=lease_s, configuration=configuration)


def crash_stub(
    lease_s: float, replica: str = "busiest", seed: int = 0, configuration: Configuration | None = None
) -> dict[str, Any]:
    """Kill -9 one replica's model process: its server stays green and fails every request.

    Undone by killing the server, unless the supervisor has replaced it before.
    """
    return injected("stub-crash", {"replica": replica, "seed": seed}, lease_s=lease_s, configuration=configuration)


def hang_replica(
    lease_s: float,
    replica: str = "busiest",
    part: str = "server",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Freeze one replica (SIGSTOP): its `part` is `server`, or `stub`, the model process under a green server.

    Undone by SIGCONT, for a stub by killing its server, unless the supervisor has replaced it before.
    """
    params = {"replica": replica, "part": part, "seed": seed}
    return injected("replica-hang", params, lease_s=lease_s, configuration=configuration)
