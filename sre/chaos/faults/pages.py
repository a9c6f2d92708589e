"""Metrics pages as faults see them: whose, where, and the way that observers take to them."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping

from sre.chaos.faults.model import Lease
from sre.chaos.faults.targets import chosen
from sre.errors import PlatformError
from sre.platforms.model import Platform, Unsupported

TIMEOUT_S = 3.0
GATEWAY = "gateway"
Series = Mapping[str, float]
"""A page's samples by what stands before the value: name and labels, as the exporter writes them."""


def page_of(platform: Platform, fault: str, page: str, *, seed: int) -> tuple[str, str]:
    """(`gateway` or a replica's name, URL) of the page meant. Raises PlatformError."""
    if platform.driver != "local":
        raise Unsupported(f"{fault}: a page can be put behind a proxy on the local platform only")
    if page == GATEWAY:
        return GATEWAY, f"{platform.gateway_url}/metrics"
    replica = chosen(platform, page, seed=seed)
    if replica.routed_by is not None:
        raise PlatformError(f"{replica.name} has a fault proxy already (of {replica.routed_by}): heal that one first")
    return replica.name, replica.metrics_url


def route_page(platform: Platform, lease: Lease, listen: str) -> None:
    """Send observers to `listen` for the page of this fault."""
    where = str(lease.plan.handles["where"])
    platform.route(where, owner=lease.fault_id, until=lease.deadline_at, metrics_url=f"http://{listen}/metrics")


def fetch(url: str) -> Series:
    """The page now. Raises PlatformError when it cannot be had."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, whatever the environment says
    try:
        with opener.open(url, timeout=TIMEOUT_S) as response:
            text = response.read().decode("utf-8")
    except (OSError, ValueError) as error:
        raise PlatformError(f"{url}: no metrics page ({error})") from error
    return series(text)


def series(page: str) -> Series:
    """Lines that are no sample are left out. Values follow the last blank; our exporters write no timestamps."""
    found: dict[str, float] = {}
    for line in page.splitlines():
        name, _, value = line.rpartition(" ")
        if name and not line.startswith("#"):
            try:
                found[name] = float(value)
            except ValueError:
                continue
    return found
