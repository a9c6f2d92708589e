"""Faults of what the platform is watched with. They harm no request: they harm whoever decides by metrics.

What should protect: a guard that stops when it cannot read, alerts on absent data, and a second source that disagrees.
The component is the observer whose evidence suffers, `recorder` or `prometheus`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Literal, cast

from sre.chaos.faults.background import end_background, start_background
from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.observers import (
    is_fresh,
    newest_sample_age_s,
    observers_of,
    wait_fresh,
)
from sre.chaos.faults.pages import fetch, page_of, route_page
from sre.chaos.faults.parameters import one_of, require
from sre.chaos.faults.proxies import arm, proxy_facts, start_proxy, take_out
from sre.chaos.faults.targets import require_not_stopped, until
from sre.chaos.sight import scrape_interval_s
from sre.errors import PlatformError
from sre.platforms.model import Platform

KEEPER = "sre.chaos.processes.keep_down"
OBSERVERS = ("recorder", "prometheus")
GONE_S = 5.0
SEEN_S = 8.0
Observer = Literal["recorder", "prometheus"]


@dataclass(frozen=True, slots=True)
class MetricsDown(Fault):
    """The `recorder` or `prometheus` crashes as often as it is started, or one metrics page (`exporter`; `page` says
    whose: `gateway`, or a replica) resets every scrape.
    """

    name: ClassVar[str] = "metrics-down"
    family: ClassVar[Family] = "telemetry"
    summary: ClassVar[str] = "the recorder or Prometheus crash-loops, or a metrics page cannot be scraped"
    protects: ClassVar[str] = "a guard that fails closed; alerts on absent data and `up` 0; restarts by the supervisor"

    target: str = "recorder"
    page: str = "gateway"
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.name, one_of("target", self.target, (*OBSERVERS, "exporter")))

    def plan(self, platform: Platform) -> Plan:
        if self.target != "exporter":
            part = cast("Observer", self.target)
            return Plan(components=(part,), handles={"part": part, "process": dict(platform.process(part))})
        where, url = page_of(platform, self.name, self.page, seed=self.seed)
        return Plan(components=observers_of(platform), handles={"part": "exporter", "where": where, "url": url})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        handles = lease.plan.handles
        if handles["part"] == "exporter":
            address = str(handles["url"]).removeprefix("http://").removesuffix("/metrics")
            listen = start_proxy(platform, lease, ("--target", address))
            arm(platform, lease, {"reset": {"after_bytes": 0}})
            route_page(platform, lease, listen)
            return
        start_background(platform, lease, KEEPER, (json.dumps(dict(platform.reference)), handles["part"]))
        platform.signal(handles["process"], "kill")

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        handles = lease.plan.handles
        if handles["part"] == "exporter":
            return _page_is_down(platform, lease)
        if not until(lambda: platform.condition(handles["process"]) == "gone", within_s=GONE_S):
            raise NotProven(f"{handles['part']}: process {handles['process'].get('pid')} survives SIGKILL")
        return f"{handles['part']}: killed; {_nothing_new(platform, handles['part'])}"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        if lease.plan.handles["part"] == "exporter":
            take_out(platform, lease, lease.plan.handles["where"])
        else:
            end_background(lease)

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        return wait_fresh(platform, lease.plan.components, timeout_s=timeout_s)


@dataclass(frozen=True, slots=True)
class MetricsStale(Fault):
    """The `recorder` or `prometheus` stops (SIGSTOP): the process is there, and nothing new comes from it."""

    name: ClassVar[str] = "metrics-stale"
    family: ClassVar[Family] = "telemetry"
    summary: ClassVar[str] = "the recorder or Prometheus hangs: its newest sample grows old"
    protects: ClassVar[str] = "a guard that asks for the age of what it reads; alerts on absent data"

    target: str = "recorder"

    def __post_init__(self) -> None:
        require(self.name, one_of("target", self.target, OBSERVERS))

    def plan(self, platform: Platform) -> Plan:
        part = cast("Observer", self.target)
        process = dict(platform.process(part))
        require_not_stopped(platform, process, part)
        return Plan(components=(part,), handles={"part": part, "process": process})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        if not platform.signal(lease.plan.handles["process"], "stop"):
            raise PlatformError(f"{lease.plan.target} ended in this moment: try again")

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        handles = lease.plan.handles
        if not until(lambda: platform.condition(handles["process"]) == "stopped", within_s=GONE_S):
            raise NotProven(f"{handles['part']}: process {handles['process'].get('pid')} runs on after SIGSTOP")
        return f"{handles['part']}: stopped; {_nothing_new(platform, handles['part'])}"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        process = lease.plan.handles["process"]
        platform.signal(process, "continue")
        if not until(lambda: platform.condition(process) != "stopped", within_s=1.0, poll_s=0.01):
            raise PlatformError(f"{lease.plan.target}: process {process.get('pid')} stays stopped: see `ps`")

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        return wait_fresh(platform, lease.plan.components, timeout_s=timeout_s)


def _nothing_new(platform: Platform, part: Observer) -> str:
    """What is seen of an observer that does nothing. Raises NotProven when it does something."""
    if part == "prometheus":
        if not until(lambda: not is_fresh(platform, part), within_s=SEEN_S):
            raise NotProven("prometheus still answers")
        return "it does not answer"
    samples, least_s = platform.state_dir / "samples", 2 * scrape_interval_s(platform.state_dir)
    if not until(lambda: newest_sample_age_s(samples) >= least_s, within_s=SEEN_S + least_s):
        raise NotProven(f"{samples}: samples still come, the newest is {newest_sample_age_s(samples):.1f} s old")
    return f"the newest sample is {newest_sample_age_s(samples):.1f} s old"


def _page_is_down(platform: Platform, lease: Lease) -> str:
    """Ours and an observer's scrape fail, the page's own address answers."""
    where, url = lease.plan.handles["where"], lease.plan.handles["url"]
    way = f"http://{proxy_facts(platform, lease)['listen']}/metrics"
    fetch(url)
    try:
        fetch(way)
    except PlatformError:
        pass
    else:
        raise NotProven(f"{where}: its metrics page is still served at {way}")
    own = 1
    if not until(lambda: proxy_facts(platform, lease)["resets"] > own, within_s=SEEN_S):
        raise NotProven(f"{where}: no observer came for its metrics page in {SEEN_S:g} s: does one run?")
    return f"{where}: {proxy_facts(platform, lease)['resets']} scrapes were reset, {url} itself answers"
