"""Faults of what steers the replicas, and of the cloud below them."""

from __future__ import annotations

from typing import Any

from sre.chaos.acting import injected

Configuration = dict[str, Any]


def crash_gateway(lease_s: float, configuration: Configuration | None = None) -> dict[str, Any]:
    """Kill -9 the gateway with all it has in flight. It is started again by the supervisor.

    Component `gateway`. Nothing to undo; `heal_faults` waits until it is ready.
    """
    return injected("gateway-crash", {}, lease_s=lease_s, configuration=configuration)


def stop_autoscaler(lease_s: float, how: str = "stop", configuration: Configuration | None = None) -> dict[str, Any]:
    """Stop the autoscaler (`how: stop`, until `heal_faults`) or kill it (`kill`: it is started again by itself).

    Needs a platform with an autoscaler. Component `autoscaler`.
    """
    return injected("autoscaler-down", {"how": how}, lease_s=lease_s, configuration=configuration)


def preempt_replica(
    lease_s: float,
    notice_s: float = 5.0,
    replica: str = "busiest",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Take a replica's machine back with a notice of `notice_s` seconds: drained, then gone. Returns when it is gone.

    `replica` is `busiest`, `any`, `random` (by `seed`) or a name; `lease_s` must be longer than the notice.
    `heal_faults` gives the machine back.
    """
    params = {"notice_s": notice_s, "replica": replica, "seed": seed}
    return injected("spot-preemption", params, lease_s=lease_s, configuration=configuration)


def lose_zone(
    lease_s: float,
    replicas: int | list[str] = 2,
    stay_away: bool = True,
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Kill -9 several replicas at once: `replicas` is how many (drawn by `seed`) or their names.

    With `stay_away` they come back by `heal_faults`, else the supervisor starts them again in seconds.
    """
    params = {"replicas": replicas, "stay_away": stay_away, "seed": seed}
    return injected("zone-loss", params, lease_s=lease_s, configuration=configuration)
