"""Faults of a replica's engine. `replica` is `busiest`, `any`, `random` (by `seed`), or a name."""

from __future__ import annotations

from typing import Any

from sre.chaos.acting import injected

Configuration = dict[str, Any]


def slow_replica(
    lease_s: float,
    replica: str = "busiest",
    factor: float = 3.0,
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Make each step of one engine take `factor` times as long (above 1.25), as on a GPU that throttles.

    Undone in the running engine.
    """
    params = {"replica": replica, "factor": factor, "seed": seed}
    return injected("replica-slow", params, lease_s=lease_s, configuration=configuration)


def gpu_error(
    lease_s: float,
    replica: str = "busiest",
    xid: int = 79,
    error_every: int = 4,
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Give one replica a GPU error by its XID code.

    79: the GPU is lost, and no start of the engine succeeds until undone. 48 and 95: the engine dies once. 94: one
    request fails, then each `error_every`-th. Undone by a sound GPU, and a restart where the engine is dead.
    """
    params = {"replica": replica, "xid": xid, "error_every": error_every, "seed": seed}
    return injected("gpu-xid", params, lease_s=lease_s, configuration=configuration)


def exhaust_kv(
    lease_s: float,
    replica: str = "busiest",
    blocks: int = 8,
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Leave one engine no more than `blocks` blocks of its KV cache (0 to 128; 16 tokens each, by the profile).

    Running requests are preempted and lose nothing; what needs more waits. Undone in the running engine.
    """
    params = {"replica": replica, "blocks": blocks, "seed": seed}
    return injected("kv-exhaustion", params, lease_s=lease_s, configuration=configuration)


def send_poison(
    lease_s: float,
    max_crashed: int = 2,
    timeout_s: float = 20.0,
    api_key_env: str | None = None,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Send one request through the gateway that crashes whichever engine serves it.

    `max_crashed` replicas count for the blast radius; the proof says how many it was. Its client waits `timeout_s`
    seconds at most; `api_key_env` names the environment variable with a key, where the gateway wants one. Undone by a
    restart of those that are dead.
    """
    params = {"max_crashed": max_crashed, "timeout_s": timeout_s, "api_key_env": api_key_env}
    return injected("poison-request", params, lease_s=lease_s, configuration=configuration)


def fail_model_load(
    lease_s: float,
    replica: str = "busiest",
    restart: str = "kill",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Restart one replica (`restart`: `kill`, or an orderly `drain`) with a model that cannot be loaded.

    Undone by a model that can: the supervisor's next try succeeds, after its back-off of up to 30 s.
    """
    params = {"replica": replica, "restart": restart, "seed": seed}
    return injected("model-load-failure", params, lease_s=lease_s, configuration=configuration)


def roll_out_bad_model(
    lease_s: float,
    replica: str = "any",
    error_every: int | None = None,
    bad_output_every: int | None = None,
    slow_factor: float | None = None,
    restart: str = "drain",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Restart one replica with a bad version: each `error_every`-th request fails, each `bad_output_every`-th token is
    rubbish, each step takes `slow_factor` times as long. Without any of the three each third request fails.

    `restart` is `drain` or `kill`. Undone in the running engine, which is the good version again.
    """
    params = {
        "replica": replica,
        "error_every": error_every,
        "bad_output_every": bad_output_every,
        "slow_factor": slow_factor,
        "restart": restart,
        "seed": seed,
    }
    return injected("bad-rollout", params, lease_s=lease_s, configuration=configuration)


def slow_cold_start(
    lease_s: float,
    replica: str = "busiest",
    extra_s: float = 20.0,
    restart: str = "kill",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Restart one replica (`restart`: `kill` or `drain`) whose start takes `extra_s` seconds more than it would.

    Undone at once, also in a start under way.
    """
    params = {"replica": replica, "extra_s": extra_s, "restart": restart, "seed": seed}
    return injected("cold-start", params, lease_s=lease_s, configuration=configuration)
