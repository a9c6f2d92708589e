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
