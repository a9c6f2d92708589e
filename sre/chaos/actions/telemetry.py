"""Faults of what the platform is watched with."""

from __future__ import annotations

from typing import Any

from sre.chaos.acting import injected

Configuration = dict[str, Any]


def stop_metrics(
    lease_s: float,
    target: str = "recorder",
    page: str = "gateway",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Crash the `recorder` or `prometheus` as often as it is started, or with `exporter` let every scrape of one
    metrics page fail: of `gateway`, or of a replica (`page`: `busiest`, `any`, `random` by `seed`, or a name).

    Component: the observer that suffers, for `exporter` all there are. `heal_faults` ends it, the supervisor starts
    the observer again within seconds; it ends by itself after `lease_s` seconds.
    """
    params = {"target": target, "page": page, "seed": seed}
    return injected("metrics-down", params, lease_s=lease_s, configuration=configuration)


def freeze_metrics(
    lease_s: float, target: str = "recorder", configuration: Configuration | None = None
) -> dict[str, Any]:
    """Stop (SIGSTOP) the `recorder` or `prometheus`, its component: nothing new is measured, nothing is missing yet.

    `heal_faults` lets it go on; the watchdog does after `lease_s` seconds.
    """
    return injected("metrics-stale", {"target": target}, lease_s=lease_s, configuration=configuration)


def falsify_metrics(
    lease_s: float,
    how: str = "freeze",
    page: str = "gateway",
    factor: float = 0.5,
    prefix: str = "sre_gateway_requests_total",
    seed: int = 0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Give observers a false metrics page of `gateway` or a replica: `freeze` (as it is now, for ever), or `scale`:
    samples whose names begin with `prefix` are multiplied by `factor`.

    Components: `recorder`, and `prometheus` where one runs. `heal_faults` ends it; it ends by itself after `lease_s`
    seconds.
    """
    params = {"how": how, "page": page, "factor": factor, "prefix": prefix, "seed": seed}
    return injected("metrics-lying", params, lease_s=lease_s, configuration=configuration)
