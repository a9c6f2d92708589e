"""Faults of the machine the platform runs on."""

from __future__ import annotations

from typing import Any

from sre.chaos.acting import injected

Configuration = dict[str, Any]


def press_cpu(
    lease_s: float,
    workers: int | None = None,
    load_percent: float = 100.0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Keep `workers` cores (default: all) busy for `load_percent` of the time.

    Component `host`. `heal_faults` ends it; it ends by itself after `lease_s` seconds.
    """
    params = {"workers": workers, "load_percent": load_percent}
    return injected("cpu-pressure", params, lease_s=lease_s, configuration=configuration)


def press_memory(lease_s: float, memory_mb: int = 1024, configuration: Configuration | None = None) -> dict[str, Any]:
    """Hold `memory_mb` MiB of memory.

    Refused when less than a fifth of it all, or 1 GiB, would stay available. Component `host`. `heal_faults` gives it
    back; it ends by itself after `lease_s` seconds, and is the first that an out-of-memory killer takes.
    """
    return injected("memory-pressure", {"memory_mb": memory_mb}, lease_s=lease_s, configuration=configuration)


def fill_disk(
    lease_s: float,
    how: str = "limit",
    victim: str = "recorder",
    max_fs_mb: float = 1024.0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Let the disk be full for the `victim` (`recorder` or `gateway`: its component) by a limit of its process, or with
    `how: ballast` for all (components `host` and `recorder`).

    A ballast is refused unless the state directory lies on a file system of its own of at most `max_fs_mb` MiB. With
    the recorder as victim there are no samples meanwhile: say so in the guard. `heal_faults` makes room again.
    """
    params = {"how": how, "victim": victim, "max_fs_mb": max_fs_mb}
    return injected("disk-full", params, lease_s=lease_s, configuration=configuration)


def skew_clock(
    lease_s: float,
    skew_s: float = 300.0,
    replica: str = "any",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Set one replica's clock `skew_s` seconds ahead (below 0: behind), 2 at least.

    Ahead, it drops requests whose deadline has not come; behind, it serves those nobody waits for. `replica` is
    `busiest`, `any`, `random` (by `seed`) or a name. `heal_faults` sets it right.
    """
    params = {"skew_s": skew_s, "replica": replica, "seed": seed}
    return injected("clock-skew", params, lease_s=lease_s, configuration=configuration)
