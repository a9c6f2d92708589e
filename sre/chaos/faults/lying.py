"""A metrics page that is served and wrong. Nothing is absent or late, so only a second source can tell."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.observers import observers_of, wait_fresh
from sre.chaos.faults.pages import Series, fetch, page_of, route_page
from sre.chaos.faults.parameters import number, one_of, require
from sre.chaos.faults.proxies import arm, proxy_facts, start_proxy, take_out
from sre.chaos.faults.targets import until
from sre.platforms.model import Platform

HOWS = ("freeze", "scale")
SEEN_S = 8.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class MetricsLying(Fault):
    """The page of `page` (`gateway`, or a replica) as observers get it: with `freeze` as it was at first, for ever;
    with `scale` samples whose names begin with `prefix` times `factor`. The page itself is as it was.
    """

    name: ClassVar[str] = "metrics-lying"
    family: ClassVar[Family] = "telemetry"
    summary: ClassVar[str] = "observers get a metrics page with frozen counters, or with scaled ones"
    protects: ClassVar[str] = "two sources that are compared: counters at the gateway against what clients saw"

    how: str = "freeze"
    page: str = "gateway"
    factor: float = 0.5
    prefix: str = "sre_gateway_requests_total"
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.name,
            one_of("how", self.how, HOWS),
            None if self.factor == 0 else number("factor", self.factor, above=0, most=1e6),
            "factor is 1: the page would be true" if self.factor == 1 else None,
            None if self.prefix else "prefix is empty: say which samples are scaled",
        )

    def plan(self, platform: Platform) -> Plan:
        where, url = page_of(platform, self.name, self.page, seed=self.seed)
        scale = {"factor": self.factor, "names": [self.prefix]}
        rules = {"freeze": True} if self.how == "freeze" else scale
        return Plan(components=observers_of(platform), handles={"where": where, "url": url, "rules": rules})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        listen = start_proxy(platform, lease, ("--page", lease.plan.handles["url"]))
        arm(platform, lease, lease.plan.handles["rules"])
        route_page(platform, lease, listen)

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        url, rules = str(lease.plan.handles["url"]), lease.plan.handles["rules"]
        way = f"http://{proxy_facts(platform, lease)['listen']}/metrics"
        said = _frozen(url, way) if "freeze" in rules else _scaled(url, way, float(rules["factor"]))
        own = int(proxy_facts(platform, lease)["served"])
        if not until(lambda: int(proxy_facts(platform, lease)["served"]) > own, within_s=SEEN_S):
            raise NotProven(f"{way}: no observer came for the page in {SEEN_S:g} s: does one run?")
        return f"{lease.plan.handles['where']}: {said}"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        take_out(platform, lease, str(lease.plan.handles["where"]))

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        return wait_fresh(platform, lease.plan.components, timeout_s=timeout_s)


def _frozen(url: str, way: str) -> str:
    """The true page has moved on from the false one, which has not moved."""
    false, deadline = fetch(way), time.monotonic() + SEEN_S
    while not (moved := _differing(false, fetch(url))):
        if time.monotonic() > deadline:
            raise NotProven(f"{url}: nothing on the true page moved in {SEEN_S:g} s: drive some load")
        time.sleep(_POLL_S)
    if fetch(way) != false:
        raise NotProven(f"{way}: the page that observers get still moves")
    example = sorted(moved)[0]
    return f"{len(moved)} series stand still for observers, e.g. {example} at {false[example]:g}"


def _scaled(url: str, way: str, factor: float) -> str:
    """Series that did not move while both pages were read, and differ by just the factor."""
    deadline = time.monotonic() + SEEN_S
    while True:
        before, false, after = fetch(url), fetch(way), fetch(url)
        still = {name for name, value in before.items() if value and after.get(name) == value}
        off = [name for name in sorted(still) if name in false and false[name] == before[name] * factor]
        if off:
            break
        if time.monotonic() > deadline:
            raise NotProven(f"{way}: no series is {factor:g} times the true one: all are 0, or prefix fits none")
        time.sleep(_POLL_S)
    return f"{len(off)} series are off by {factor:g}, e.g. {off[0]}: {false[off[0]]:g} instead of {before[off[0]]:g}"


def _differing(false: Series, true: Series) -> set[str]:
    return {name for name, value in true.items() if name in false and false[name] != value}
