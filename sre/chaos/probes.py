"""Service level readings for a steady-state hypothesis, from the samples the platform's recorder keeps.

A probe returns a plain number or fails with the reason. It never returns NaN or None: Chaos Toolkit's tolerances crash on
the one or take the other for a reading.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chaoslib.exceptions import ActivityFailed

from sre.errors import NoData, SreError
from sre.platforms.select import select_platform, state_directory

if TYPE_CHECKING:
    from sre.metrics.model import SampleSource
    from sre.slo.model import RatioSli

__all__ = ["availability", "goodput", "healthy_replicas", "latency_quantile"]

SIGNALS = {"ttft": "sre_gateway_ttft_seconds", "inter_token": "sre_gateway_inter_token_seconds"}
SLO_DIR = "SRE_SLO_DIR"
STALE_S = 5.0
Configuration = dict[str, Any]


def availability(window_s: float = 10.0, configuration: Configuration | None = None) -> float:
    """Good over all events of the SLO `availability` in the last `window_s` seconds, 0 to 1."""
    return _reading(lambda: slo_ratio("availability", window_s, configuration))


def goodput(window_s: float = 10.0, configuration: Configuration | None = None) -> float:
    """Good over all events of the SLO `goodput` in the last `window_s` seconds, 0 to 1."""
    return _reading(lambda: slo_ratio("goodput", window_s, configuration))


def latency_quantile(
    signal: str = "ttft", quantile: float = 0.95, window_s: float = 10.0, configuration: Configuration | None = None
) -> float:
    """A quantile of `ttft` or `inter_token` over the last `window_s` seconds, in seconds, from the gateway's histogram."""
    return _reading(lambda: histogram_quantile(signal, quantile, window_s, configuration))


def healthy_replicas(configuration: Configuration | None = None) -> int:
    """Replicas that answered a real inference and whose process lives."""
    platform = select_platform(configuration)
    return _reading(lambda: sum(1 for replica in platform.replicas() if replica.state == "ready"))
