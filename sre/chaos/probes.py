"""Service level readings for a steady-state hypothesis, from the samples of its recorder or of a Prometheus.

A probe returns a plain number or fails with the reason. It never returns NaN or None: Chaos Toolkit's range tolerances
crash on them, and a crashed run plays no rollback.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from chaoslib.exceptions import ActivityFailed

from sre.chaos.sight import sight_of
from sre.errors import SreError
from sre.platforms.select import select_platform

__all__ = ["availability", "goodput", "healthy_replicas", "latency_quantile", "unhealthy_replicas"]

SIGNALS = {"ttft": "sre_gateway_ttft_seconds", "inter_token": "sre_gateway_inter_token_seconds"}
SLO_DIR = "SRE_SLO_DIR"
Configuration = dict[str, Any]
Number = TypeVar("Number", int, float)


def availability(window_s: float = 10.0, configuration: Configuration | None = None) -> float:
    """Good over all events of the SLO `availability` in the last `window_s` seconds, 0 to 1."""
    return _reading(lambda: _slo_ratio("availability", window_s, configuration))


def goodput(window_s: float = 10.0, configuration: Configuration | None = None) -> float:
    """Good over all events of the SLO `goodput` in the last `window_s` seconds, 0 to 1."""
    return _reading(lambda: _slo_ratio("goodput", window_s, configuration))


def latency_quantile(
    signal: str = "ttft", quantile: float = 0.95, window_s: float = 10.0, configuration: Configuration | None = None
) -> float:
    """A quantile of `ttft` or `inter_token` in the last `window_s` seconds, in seconds, by the gateway's histogram."""
    return _reading(lambda: _latency(signal, quantile, window_s, configuration))


def healthy_replicas(configuration: Configuration | None = None) -> int:
    """Replicas whose process lives and answered a real inference."""
    return _reading(lambda: sum(1 for r in select_platform(configuration).replicas() if r.state == "ready"))


def unhealthy_replicas(configuration: Configuration | None = None) -> int:
    """Replicas that do not serve now: 0 is steady, however many there are."""
    return _reading(lambda: sum(1 for r in select_platform(configuration).replicas() if r.state != "ready"))


def slo_directory(configuration: Configuration | None) -> Path:
    """`slo_dir` of the configuration, else $SRE_SLO_DIR, else `slo` in the current directory."""
    return Path(str((configuration or {}).get("slo_dir") or os.environ.get(SLO_DIR) or "slo"))


def _slo_ratio(name: str, window_s: float, configuration: Configuration | None) -> float:
    from sre.chaos.readings import good_ratio, sli_of

    sli = sli_of(name, slo_directory(configuration))
    sight = sight_of(configuration)
    with sight.open() as source:
        return good_ratio(source, sli, window_s=_positive(window_s), now=time.time(), stale_s=sight.stale_s)


def _latency(signal: str, quantile: float, window_s: float, configuration: Configuration | None) -> float:
    from sre.chaos import readings

    if signal not in SIGNALS:
        raise SreError(f"signal {signal!r} does not exist: use one of {', '.join(SIGNALS)}")
    if not 0 < quantile < 1:
        raise SreError(f"quantile is {quantile:g}: write a number between 0 and 1, e.g. 0.95")
    sight, histogram, window_s = sight_of(configuration), SIGNALS[signal], _positive(window_s)
    with sight.open() as source:
        return readings.quantile(source, histogram, quantile, window_s=window_s, now=time.time(), stale_s=sight.stale_s)


def _positive(window_s: float) -> float:
    if not 0 < window_s < math.inf:
        raise SreError(f"window_s is {window_s:g}: write seconds, above 0")
    return float(window_s)


def _reading(read: Callable[[], Number]) -> Number:
    try:
        value = read()
    except SreError as error:
        raise ActivityFailed(str(error)) from error
    if not math.isfinite(value):
        raise ActivityFailed(f"the reading is {value}, no number: look at the samples of its counters")
    return value
