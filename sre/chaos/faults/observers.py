"""Whether the platform's observers do their work: how old the newest sample is, and whether Prometheus answers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from sre.chaos.faults.targets import until
from sre.chaos.sight import SAMPLES, scrape_interval_s
from sre.errors import PlatformError
from sre.platforms.model import Platform

LATE_SCRAPES = 2
_ANY_METRIC = "prometheus_build_info"


def observers_of(platform: Platform) -> tuple[str, ...]:
    """Who scrapes here: `recorder`, and `prometheus` where one runs."""
    try:
        platform.process("prometheus")
    except PlatformError:
        return ("recorder",)
    return ("recorder", "prometheus")


def is_fresh(platform: Platform, observer: str) -> bool:
    """Whether it does its work now."""
    if observer == "recorder":
        age_s = newest_sample_age_s(platform.state_dir / SAMPLES)
        return age_s < LATE_SCRAPES * scrape_interval_s(platform.state_dir)
    try:
        return bool(platform.metric("prometheus", _ANY_METRIC))
    except PlatformError:
        return False


def wait_fresh(platform: Platform, observers: Iterable[str], *, timeout_s: float) -> float:
    """Wait until all do; since when, Unix time. Raises PlatformError on timeout."""
    deadline = time.monotonic() + timeout_s
    for observer in observers:
        left_s = max(0.0, deadline - time.monotonic())
        if not until(lambda who=observer: is_fresh(platform, who), within_s=left_s):  # type: ignore[misc]
            raise PlatformError(f"{observer} does not do its work after {timeout_s:g} s: see logs/{observer}.log")
    return time.time()


def newest_sample_age_s(samples: Path) -> float:
    """Seconds since the recorder last wrote; infinite when it never did."""
    return time.time() - max((path.stat().st_mtime for path in samples.glob("*.jsonl")), default=float("-inf"))
