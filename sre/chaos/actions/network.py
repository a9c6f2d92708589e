"""Faults of the network between the gateway and one replica."""

from __future__ import annotations

from typing import Any

from sre.chaos.acting import injected

Configuration = dict[str, Any]


def add_latency(
    lease_s: float,
    latency_ms: float = 100.0,
    jitter_ms: float = 0.0,
    direction: str = "both",
    replica: str = "busiest",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Delay bytes to and from one replica by `latency_ms` each way, evenly up to `jitter_ms` more or less.

    `direction` is `both`, `to_replica` or `from_replica`; `replica` is `busiest`, `any`, `random` (by `seed`) or a
    name. `heal_faults` takes it away; it ends by itself after `lease_s` seconds.
    """
    params = {"latency_ms": latency_ms, "jitter_ms": jitter_ms, "direction": direction}
    return _injected("network-latency", params, lease_s, replica, seed, configuration)


def lose_packets(
    lease_s: float,
    loss_ratio: float = 0.02,
    direction: str = "both",
    replica: str = "busiest",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Lose this share of the segments to and from one replica (0 to 0.9): its streams stall for 200 ms and more.

    `direction` is `both`, `to_replica` or `from_replica`. `heal_faults` takes it away; it ends by itself after
    `lease_s` seconds.
    """
    params = {"loss_ratio": loss_ratio, "direction": direction}
    return _injected("network-loss", params, lease_s, replica, seed, configuration)


def reset_connections(
    lease_s: float,
    after_kib: int = 0,
    share: float = 1.0,
    replica: str = "busiest",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Reset connections to one replica once they carried `after_kib` KiB (0: at once, again and again).

    `share` of the connections, by chance, above 0 to 1. `heal_faults` takes it away; it ends by itself after `lease_s`
    seconds.
    """
    return _injected("network-reset", {"after_kib": after_kib, "share": share}, lease_s, replica, seed, configuration)


def limit_bandwidth(
    lease_s: float,
    kbit_per_s: float = 256.0,
    replica: str = "busiest",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Let no more than `kbit_per_s` kbit/s pass to one replica, and as much from it, for each connection.

    `heal_faults` takes it away; it ends by itself after `lease_s` seconds.
    """
    return _injected("network-bandwidth", {"kbit_per_s": kbit_per_s}, lease_s, replica, seed, configuration)


def partition_replica(
    lease_s: float,
    direction: str = "both",
    how: str | None = None,
    replica: str = "busiest",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Let nothing reach one replica (`to_replica`), nothing come from it (`from_replica`), or `both`.

    `how`, on the local platform, is `proxy` (default), `iptables` (needs root) or `auto`. On Kubernetes a NetworkPolicy
    does it. `heal_faults` takes it away; after `lease_s` seconds the proxy ends by itself, and the watchdog undoes it.
    """
    return _injected("network-partition", {"direction": direction, "how": how}, lease_s, replica, seed, configuration)


def break_dns(
    lease_s: float, replica: str = "busiest", seed: int = 0, configuration: Configuration | None = None
) -> dict[str, Any]:
    """Let one pod resolve no name, for `lease_s` seconds at most or until `heal_faults`. Kubernetes only: the local
    platform resolves no names.
    """
    return _injected("dns-failure", {}, lease_s, replica, seed, configuration)


def _injected(
    fault: str,
    params: dict[str, Any],
    lease_s: float,
    replica: str,
    seed: int,
    configuration: Configuration | None,
) -> dict[str, Any]:
    return injected(fault, {**params, "replica": replica, "seed": seed}, lease_s=lease_s, configuration=configuration)
