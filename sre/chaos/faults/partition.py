"""A replica that cannot be reached, or cannot answer: its connections stay open and nothing comes.

By a fault proxy in the way, or, with root, by rules of the kernel's packet filter on loopback for exactly its gRPC
port. The proxy lets connections be made (the kernel answers for it) and holds what is sent until it is over, as
retransmissions would; the packet filter lets nothing be made. Rules carry the fault's id in a comment, by which they
are found again.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sre.chaos.faults.model import Lease, NotProven, Plan
from sre.chaos.faults.network import DIRECTIONS, SEEN_S, ProxiedFault, target_of
from sre.chaos.faults.parameters import one_of, require
from sre.chaos.faults.proxies import proxy_facts, take_out
from sre.chaos.faults.targets import until
from sre.chaos.processes.proxy.h2 import handshake_s
from sre.errors import EnvironmentLacks, PlatformError
from sre.platforms.model import Platform

HOWS = ("proxy", "iptables", "auto")
CHAIN = "INPUT"
SILENT_S = 1.5
_TOOL_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class NetworkPartition(ProxiedFault):
    """Nothing gets `to_replica`, nothing comes `from_replica`, or `both`. `how` is `proxy`, `iptables` (needs root), or
    `auto`: iptables where it can be had.
    """

    name: ClassVar[str] = "network-partition"
    summary: ClassVar[str] = "no packet reaches the replica, or none leaves it"
    protects: ClassVar[str] = "ejection by forward progress, mid-stream failover"
    platforms: ClassVar[tuple[str, ...]] = ("local", "kubernetes")

    direction: str = "both"
    how: str = "proxy"
    replica: str = "busiest"
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.name, one_of("direction", self.direction, DIRECTIONS), one_of("how", self.how, HOWS))

    def rules(self) -> Mapping[str, Any]:
        return {way: {"partition": True} for way in DIRECTIONS[1:] if self.direction in ("both", way)}

    def plan(self, platform: Platform) -> Plan:
        how = self.how
        if how == "auto":
            how = "iptables" if why_no_packet_filter() is None else "proxy"
        lack = why_no_packet_filter() if how == "iptables" else None
        if lack is not None:
            raise EnvironmentLacks(f"{self.name}: {lack}: use `how: proxy`")
        target = target_of(platform, self.name, self.replica, self.seed)
        handles = {"how": how, "grpc_address": target.grpc_address, "rules": {**self.rules(), "seed": self.seed}}
        return Plan(replicas=(target.name,), handles=handles)

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        if lease.plan.handles["how"] == "proxy":
            ProxiedFault.apply(platform, lease)
            return
        for rule in packet_rules(lease):
            _iptables("-I", CHAIN, *rule)

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        own = str(lease.plan.handles["grpc_address"])
        if lease.plan.handles["how"] == "iptables":
            return _proven_by_packets(lease, own)
        if not _answers(own):
            raise NotProven(f"{lease.plan.target} does not answer past the proxy either: is it well?")
        if _answers(str(proxy_facts(platform, lease)["listen"])):
            raise NotProven(f"{lease.plan.target} still answers through the proxy")
        facts = proxy_facts(platform, lease)
        held = sum(int(facts[way]["held_bytes"]) for way in DIRECTIONS[1:])
        return f"{lease.plan.target}: no answer in {SILENT_S:g} s through the proxy, one past it; {held} bytes are held"

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        if lease.plan.handles["how"] == "iptables":
            remove_packet_rules(lease)
        else:
            take_out(platform, lease, lease.plan.replicas[0])


def packet_rules(lease: Lease) -> list[tuple[str, ...]]:
    """Loopback, TCP, this port alone: to it, from it, or both."""
    host, _, port = str(lease.plan.handles["grpc_address"]).rpartition(":")
    ends = {"to_replica": ("-d", host, "--dport", port), "from_replica": ("-s", host, "--sport", port)}
    comment = ("-m", "comment", "--comment", _mark(lease))
    return [
        ("-i", "lo", "-p", "tcp", *ends[way], *comment, "-j", "DROP")
        for way in DIRECTIONS[1:]
        if way in lease.plan.handles["rules"]
    ]


def remove_packet_rules(lease: Lease) -> None:
    """Every rule with this fault's mark, and none without. Raises PlatformError when one stays."""
    for line in _iptables("-S", CHAIN).splitlines():
        words = shlex.split(line)
        if words[:1] == ["-A"] and _mark(lease) in words:
            _iptables("-D", *words[1:])


def why_no_packet_filter() -> str | None:
    """What is missing for rules of our own; None when nothing is."""
    if shutil.which("iptables") is None:
        return "iptables is not installed (apt-get install iptables)"
    if os.geteuid() != 0:
        return "iptables needs root"
    try:
        _iptables("-S", CHAIN)
    except PlatformError as error:
        return str(error)
    return None


def _proven_by_packets(lease: Lease, own: str) -> str:
    if _answers(own):
        raise NotProven(f"{lease.plan.target} still answers at {own}")
    if not until(lambda: _dropped(lease) > 0, within_s=SEEN_S):
        raise NotProven(f"{lease.plan.target}: the rules with comment {_mark(lease)} dropped no packet")
    return f"{lease.plan.target}: no answer in {SILENT_S:g} s; {_dropped(lease)} packets to or from {own} were dropped"


def _dropped(lease: Lease) -> int:
    """Packets that the fault's rules have dropped: the first column of the verbose listing."""
    lines = _iptables("-L", CHAIN, "-v", "-x", "-n").splitlines()
    return sum(int(line.split()[0]) for line in lines if f"/* {_mark(lease)} */" in line)


def _answers(address: str) -> bool:
    try:
        handshake_s(address, timeout_s=SILENT_S)
    except OSError:
        return False
    return True


def _mark(lease: Lease) -> str:
    return f"sre-fault-{lease.fault_id}"


def _iptables(*arguments: str) -> str:
    """`-w`: wait for others who change the table. Raises PlatformError."""
    tool = shutil.which("iptables") or "iptables"
    try:
        done = subprocess.run(
            (tool, "-w", "3", *arguments), capture_output=True, text=True, timeout=_TOOL_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlatformError(f"iptables {arguments[0]}: {error}: is it installed?") from error
    if done.returncode != 0:
        raise PlatformError(f"iptables {' '.join(arguments)}: {' '.join(done.stderr.split())}")
    return done.stdout
