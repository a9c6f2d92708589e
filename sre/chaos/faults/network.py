"""A bad network between the gateway and one replica: a fault proxy is put in the way, and given its rules once work
goes through it. (The replica's other ports, and those of the platform, are not touched.)

What runs when a fault begins goes on over the old way; to hit running streams all the same, the rules wait a moment
until some run through the proxy. On Kubernetes network policies do part of this (`kubernetes.py`).
"""

from __future__ import annotations

import contextlib
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, ClassVar

from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.parameters import number, one_of, require, whole
from sre.chaos.faults.proxies import arm, proxy_facts, start_proxy, take_out
from sre.chaos.faults.serving import serving_again
from sre.chaos.faults.targets import chosen, until
from sre.chaos.processes.proxy.h2 import handshake_s
from sre.chaos.processes.proxy.rules import MOST_LOSS
from sre.errors import PlatformError
from sre.platforms.model import Platform, Replica, Unsupported

DIRECTIONS = ("both", "to_replica", "from_replica")
ROUTED_S = 2.0
RUNNING_S = 1.0
SEEN_S = 6.0
ASK_S = 2.0
_KIB = 1024


def target_of(platform: Platform, fault: str, selector: str, seed: int) -> Replica:
    """The replica meant, if a proxy can be put in front of it. Raises PlatformError."""
    if platform.driver != "local":
        raise Unsupported(f"{fault}: a fault proxy needs the local platform: on Kubernetes use network-partition")
    replica = chosen(platform, selector, seed=seed)
    if replica.routed_by is not None:
        raise PlatformError(f"{replica.name} has a fault proxy already (of {replica.routed_by}): heal that one first")
    return replica


class ProxiedFault(Fault):
    """What a fault proxy does to one replica. `plan.handles` holds the address in question and the proxy's rules."""

    family: ClassVar[Family] = "network"
    replica: str
    seed: int

    @abstractmethod
    def rules(self) -> Mapping[str, Any]:
        """As `sre.chaos.processes.proxy.rules` reads them."""

    def plan(self, platform: Platform) -> Plan:
        target = target_of(platform, self.name, self.replica, self.seed)
        handles = {"grpc_address": target.grpc_address, "rules": {**self.rules(), "seed": self.seed}}
        return Plan(replicas=(target.name,), handles=handles)

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        name = lease.plan.replicas[0]
        listen = start_proxy(platform, lease, ("--target", lease.plan.handles["grpc_address"]))
        platform.route(name, owner=lease.fault_id, until=lease.deadline_at, grpc_address=listen)
        until(lambda: proxy_facts(platform, lease)["accepted"] > 0, within_s=ROUTED_S)
        until(lambda: platform.inflight().get(name, 0) > 0, within_s=RUNNING_S, poll_s=0.1)
        arm(platform, lease, lease.plan.handles["rules"])

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        take_out(platform, lease, lease.plan.replicas[0])

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        return serving_again(platform, lease.plan.replicas, timeout_s=timeout_s)


@dataclass(frozen=True, slots=True)
class NetworkLatency(ProxiedFault):
    """Each way takes `latency_ms` longer, evenly between latency_ms - jitter_ms and latency_ms + jitter_ms."""

    name: ClassVar[str] = "network-latency"
    summary: ClassVar[str] = "bytes to and from a replica arrive later, by latency and jitter"
    protects: ClassVar[str] = "routing by outstanding work; ejection of a replica much slower than the others"

    latency_ms: float = 100.0
    jitter_ms: float = 0.0
    direction: str = "both"
    replica: str = "busiest"
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.name,
            number("latency_ms", self.latency_ms, above=0, most=60_000),
            _from_0("jitter_ms", self.jitter_ms, most=60_000),
            one_of("direction", self.direction, DIRECTIONS),
        )

    def rules(self) -> Mapping[str, Any]:
        return _each(self.direction, {"latency_ms": self.latency_ms, "jitter_ms": self.jitter_ms})

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        rules = lease.plan.handles["rules"]
        asked_ms = sum(rules[way]["latency_ms"] for way in DIRECTIONS[1:] if way in rules)
        timeout_s = ASK_S + 4 * asked_ms / 1000
        own_ms = _round_trip_ms(lease.plan.handles["grpc_address"], timeout_s)
        way_ms = _round_trip_ms(str(proxy_facts(platform, lease)["listen"]), timeout_s)
        if way_ms - own_ms < asked_ms / 2:
            raise NotProven(f"{_who(lease)}: a round trip takes {way_ms:.0f} ms, {own_ms:.0f} ms without the proxy")
        late = _sum(platform, lease, "delayed_bytes")
        return f"{_who(lease)}: a round trip takes {way_ms:.0f} ms instead of {own_ms:.0f} ms; {late} bytes were late"


@dataclass(frozen=True, slots=True)
class NetworkLoss(ProxiedFault):
    """Segments are lost with `loss_ratio`: each time, the stream waits for its retransmission (200 ms, doubling)."""

    name: ClassVar[str] = "network-loss"
    summary: ClassVar[str] = "segments to and from a replica are lost; streams wait for retransmissions"
    protects: ClassVar[str] = "patience by pace: short stalls are sat out, long ones fail over"

    loss_ratio: float = 0.02
    direction: str = "both"
    replica: str = "busiest"
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.name,
            number("loss_ratio", self.loss_ratio, above=0, most=MOST_LOSS),
            one_of("direction", self.direction, DIRECTIONS),
        )

    def rules(self) -> Mapping[str, Any]:
        return _each(self.direction, {"loss_ratio": self.loss_ratio})

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        listen, slowest_s = str(proxy_facts(platform, lease)["listen"]), 0.0
        deadline = time.monotonic() + SEEN_S
        while time.monotonic() < deadline and not (_sum(platform, lease, "lost_segments") and slowest_s > 0.15):
            began = time.monotonic()
            with contextlib.suppress(TimeoutError):
                handshake_s(listen, payload_bytes=16 * _KIB, timeout_s=ASK_S)
            slowest_s = max(slowest_s, time.monotonic() - began)
        lost, all_of = _sum(platform, lease, "lost_segments"), _sum(platform, lease, "segments")
        if not lost:
            raise NotProven(f"{_who(lease)}: of {all_of} segments none was lost: raise loss_ratio")
        return f"{_who(lease)}: {lost} losses in {all_of} segments; a round trip took up to {slowest_s * 1000:.0f} ms"


@dataclass(frozen=True, slots=True)
class NetworkReset(ProxiedFault):
    """Connections are reset (RST) once they carried `after_kib` KiB; 0: at once, the open ones too. By chance only
    `share` of all connections. The gateway has one for each replica, for all its streams.
    """

    name: ClassVar[str] = "network-reset"
    summary: ClassVar[str] = "connections to a replica are reset, with every stream on them"
    protects: ClassVar[str] = "mid-stream failover; a lost connection is seen at once"

    after_kib: int = 0
    share: float = 1.0
    replica: str = "busiest"
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.name,
            whole("after_kib", self.after_kib, least=0, most=10_000_000),
            number("share", self.share, above=0, most=1),
        )

    def rules(self) -> Mapping[str, Any]:
        return {"reset": {"after_bytes": self.after_kib * _KIB, "share": self.share}}

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        listen = str(proxy_facts(platform, lease)["listen"])
        after = int(lease.plan.handles["rules"]["reset"]["after_bytes"])
        felt, deadline = 0, time.monotonic() + SEEN_S
        while time.monotonic() < deadline and not (felt and proxy_facts(platform, lease)["resets"]):
            try:
                handshake_s(listen, payload_bytes=min(after + 1, 512 * _KIB), timeout_s=ASK_S)
            except (ConnectionError, TimeoutError):
                felt += 1
            time.sleep(0.06)
        resets = proxy_facts(platform, lease)["resets"]
        if not resets:
            raise NotProven(f"{_who(lease)}: no connection was reset in {SEEN_S:g} s: lower after_kib or raise share")
        return f"{_who(lease)}: {resets} connections were reset; we felt {felt} ourselves"


@dataclass(frozen=True, slots=True)
class NetworkBandwidth(ProxiedFault):
    """Each way carries `kbit_per_s` at most, for each connection; the gateway has one for each replica."""

    name: ClassVar[str] = "network-bandwidth"
    summary: ClassVar[str] = "the way to a replica is narrow"
    protects: ClassVar[str] = "routing by outstanding work; ejection of a replica much slower than the others"

    kbit_per_s: float = 256.0
    replica: str = "busiest"
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.name, number("kbit_per_s", self.kbit_per_s, above=1, most=1e6))

    def rules(self) -> Mapping[str, Any]:
        return _each("both", {"kbit_per_s": self.kbit_per_s})

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        """A second's worth of bytes, at most 256 KiB, must take its time, and the same way without the proxy not."""
        asked = float(lease.plan.handles["rules"]["to_replica"]["kbit_per_s"])
        size = int(min(256 * _KIB, max(1460, asked * 125)))
        least_s = size / (asked * 125)
        own_s = handshake_s(lease.plan.handles["grpc_address"], payload_bytes=size, timeout_s=ASK_S)
        listen = str(proxy_facts(platform, lease)["listen"])
        took_s = handshake_s(listen, payload_bytes=size, timeout_s=ASK_S + 4 * least_s)
        if took_s < least_s * 0.9:
            raise NotProven(f"{_who(lease)}: {size} bytes took {took_s * 1000:.0f} ms, not {least_s * 1000:.0f}")
        rate = size * 8 / took_s / 1000
        return f"{_who(lease)}: {size} bytes went at {rate:.0f} kbit/s, at {size * 8 / own_s / 1000:.0f} past the proxy"


def _round_trip_ms(address: str, timeout_s: float) -> float:
    """The median of three. Raises NotProven when there is no answer."""
    try:
        return median(handshake_s(address, timeout_s=timeout_s) for _ in range(3)) * 1000
    except OSError as error:
        raise NotProven(f"{address} does not answer ({error}): is the replica well?") from error


def _each(direction: str, rules: Mapping[str, Any]) -> dict[str, Any]:
    """The rules for both directions, or for the one that is named."""
    return {way: dict(rules) for way in DIRECTIONS[1:] if direction in ("both", way)}


def _sum(platform: Platform, lease: Lease, count: str) -> int:
    facts = proxy_facts(platform, lease)
    return sum(int(facts[way][count]) for way in DIRECTIONS[1:])


def _who(lease: Lease) -> str:
    return lease.plan.replicas[0]


def _from_0(name: str, value: object, *, most: float) -> str | None:
    """A finite number, 0 or more."""
    return None if value == 0 and not isinstance(value, bool) else number(name, value, above=0, most=most)
