"""Network faults with a real fault proxy in front of a port that acknowledges HTTP/2 settings, on a fake platform."""

import contextlib
import os
import signal
import socket
import socketserver
import threading
import time
import uuid
from dataclasses import replace

import pytest
from chaoslib.exceptions import ActivityFailed

from sre.chaos import actions
from sre.chaos.faults import network, partition, proxies
from sre.chaos.faults.background import background_processes
from sre.chaos.faults.kubernetes import DnsFailure
from sre.chaos.faults.model import NotProven
from sre.chaos.faults.network import NetworkBandwidth, NetworkLatency, NetworkLoss, NetworkReset
from sre.chaos.faults.partition import NetworkPartition
from sre.chaos.faults.targets import until
from sre.chaos.processes.proxy.h2 import handshake_s
from sre.errors import EnvironmentLacks, PlatformError, SreError
from sre.platforms.model import Unsupported

ACK = bytes([0, 0, 0, 4, 1, 0, 0, 0, 0])


class Acknowledging(socketserver.BaseRequestHandler):
    """Acknowledges each SETTINGS frame, as any HTTP/2 server."""

    def handle(self):
        file = self.request.makefile("rb")
        with contextlib.suppress(OSError):
            file.read(24)
            while header := file.read(9):
                file.read(int.from_bytes(header[:3], "big"))
                if header[3] == 4 and not header[4]:
                    self.request.sendall(ACK)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@pytest.fixture(scope="module")
def port():
    with Server(("127.0.0.1", 0), Acknowledging) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def world(platform, port, monkeypatch):
    """The fake platform, its busiest replica at a real port. Nobody but us goes through its routes."""
    monkeypatch.setattr(network, "ROUTED_S", 0.0)
    monkeypatch.setattr(network, "RUNNING_S", 0.0)
    platform.grpc_addresses["llm-1"] = port
    return platform


@pytest.fixture
def lease_of(world, lease_for):
    """The lease of a fault, which is undone after the test whatever happened."""
    made = []

    def make(fault):
        lease = replace(
            lease_for(fault, fault_id=f"f-{uuid.uuid4().hex[:8]}"), deadline_at=time.time() + 60, begin=time.time()
        )
        made.append((fault, lease))
        return lease

    yield make
    for fault, lease in made:
        fault.undo(world, lease)
        assert until(lambda lease=lease: background_processes(lease.fault_id) == [], within_s=5.0)
        assert world.routes == {}


FAULTS = {
    "latency": (NetworkLatency(latency_ms=40), "a round trip takes"),
    "latency of one direction": (NetworkLatency(latency_ms=40, direction="to_replica"), "a round trip takes"),
    "loss": (NetworkLoss(loss_ratio=0.2), "losses in"),
    "resets": (NetworkReset(), "connections were reset"),
    "resets after so much": (NetworkReset(after_kib=64), "connections were reset"),
    "bandwidth": (NetworkBandwidth(kbit_per_s=2000), "kbit/s"),
    "partition": (NetworkPartition(), "no answer"),
    "partition of the requests": (NetworkPartition(direction="to_replica"), "no answer"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_proven_by_what_goes_through_the_proxy(world, lease_of, monkeypatch, name):
    monkeypatch.setattr(partition, "SILENT_S", 0.3)
    fault, words = FAULTS[name]
    lease = lease_of(fault)
    fault.apply(world, lease)
    assert world.routes["llm-1"]["owner"] == lease.fault_id
    assert world.routes["llm-1"]["until"] == lease.deadline_at
    assert words in fault.prove(world, lease)
    fault.undo(world, lease)
    assert world.routes == {}
    fault.undo(world, lease)


def test_without_its_rules_no_fault_is_proven(world, lease_of, monkeypatch):
    """A proxy that does nothing must never pass for a fault."""
    monkeypatch.setattr(network, "SEEN_S", 0.3)
    monkeypatch.setattr(partition, "SILENT_S", 0.3)
    for fault, _ in FAULTS.values():
        lease = lease_of(fault)
        fault.apply(world, lease)
        proxies.arm(world, lease, {}, revision=2)
        with pytest.raises(NotProven):
            fault.prove(world, lease)
        fault.undo(world, lease)


def test_a_dead_proxy_is_no_obstacle_to_the_undo(world, lease_of):
    fault = NetworkLatency(latency_ms=10)
    lease = lease_of(fault)
    fault.apply(world, lease)
    (helper,) = background_processes(lease.fault_id)
    os.kill(helper.pid, signal.SIGKILL)
    fault.undo(world, lease)
    assert world.routes == {}


def test_a_proxy_that_hangs_is_killed_by_the_undo(world, lease_of, monkeypatch):
    monkeypatch.setattr(proxies, "OBEYS_S", 0.3)
    fault = NetworkLatency(latency_ms=10)
    lease = lease_of(fault)
    fault.apply(world, lease)
    (helper,) = background_processes(lease.fault_id)
    helper.suspend()
    fault.undo(world, lease)
    assert background_processes(lease.fault_id) == []


def test_a_fault_that_was_never_applied_is_undone_without_a_word(world, lease_of):
    for fault, _ in FAULTS.values():
        fault.undo(world, lease_of(fault))


def test_a_route_that_cannot_be_taken_back_leads_through_a_harmless_proxy(world, lease_of, monkeypatch):
    fault = NetworkPartition()
    lease = lease_of(fault)
    fault.apply(world, lease)
    listen = world.routes["llm-1"]["grpc_address"]

    def deaf(*_, **__):
        raise PlatformError("the supervisor takes no orders")

    with monkeypatch.context() as patch:
        patch.setattr(world, "unroute", deaf)
        with pytest.raises(PlatformError, match="takes no orders"):
            fault.undo(world, lease)
    assert handshake_s(listen, timeout_s=5.0) < 5.0


def test_a_replica_has_one_proxy_at_a_time(world):
    world.route("llm-1", owner="f-0", until=9e9, grpc_address="127.0.0.1:9")
    with pytest.raises(PlatformError, match=r"llm-1 has a fault proxy already \(of f-0\)"):
        NetworkLatency().plan(world)


def test_a_proxy_that_does_not_come_up_is_told_with_its_log(world, lease_of, monkeypatch):
    monkeypatch.setattr(proxies, "START_S", 0.2)
    monkeypatch.setattr(proxies, "MODULE", "sre.no_such_module")
    fault = NetworkLatency()
    with pytest.raises(PlatformError, match="does not start"):
        fault.apply(world, lease_of(fault))


BAD = {
    "a negative latency": (lambda: NetworkLatency(latency_ms=-1), "latency_ms"),
    "a latency in words": (lambda: NetworkLatency(latency_ms="50ms"), "latency_ms"),
    "a negative jitter": (lambda: NetworkLatency(jitter_ms=-0.5), "jitter_ms"),
    "a direction that is none": (lambda: NetworkLatency(direction="up"), "to_replica"),
    "all packets": (lambda: NetworkLoss(loss_ratio=1), "0.9"),
    "no packet": (lambda: NetworkLoss(loss_ratio=0), "loss_ratio"),
    "half a KiB": (lambda: NetworkReset(after_kib=0.5), "after_kib"),
    "a share of nothing": (lambda: NetworkReset(share=0), "share"),
    "no bandwidth": (lambda: NetworkBandwidth(kbit_per_s=0), "kbit_per_s"),
    "a means that is none": (lambda: NetworkPartition(how="tc"), "iptables"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_parameter_is_told_in_one_line(name):
    make, named = BAD[name]
    with pytest.raises(SreError) as refused:
        make()
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_elsewhere_it_is_told_that_there_is_no_proxy(platform):
    platform.driver = "kubernetes"
    with pytest.raises(Unsupported, match="network-partition"):
        NetworkLatency().plan(platform)


def test_dns_cannot_fail_where_no_names_are_resolved(platform):
    with pytest.raises(Unsupported, match="needs a cluster"):
        DnsFailure().plan(platform)


def test_an_action_passes_its_parameters_on(monkeypatch):
    seen = {}

    def injected(name, params, *, lease_s, configuration):
        seen.update(name=name, params=params, lease_s=lease_s)
        return {}

    monkeypatch.setattr("sre.chaos.actions.network.injected", injected)
    actions.partition_replica(5, direction="to_replica", replica="llm-0")
    assert seen == {
        "name": "network-partition",
        "params": {"direction": "to_replica", "how": None, "replica": "llm-0", "seed": 0},
        "lease_s": 5,
    }


def test_outside_a_run_nothing_is_broken(tmp_path):
    with pytest.raises(ActivityFailed):
        actions.add_latency(5, configuration={"state_dir": str(tmp_path)})


# the packet filter, as a stand-in that keeps rules


class Filter:
    def __init__(self):
        self.rules = []
        self.dropped = 0
        self.foreign = "-A INPUT -i lo -p tcp -m tcp --dport 22 -m comment --comment mine -j DROP"

    def __call__(self, command, *_arguments):
        arguments = list(_arguments)
        if command == "-I":
            chain, *rule = arguments
            self.rules.insert(0, " ".join([f"-A {chain}", *rule]))
        elif command == "-D":
            self.rules.remove(" ".join(["-A", *arguments]))
        elif command == "-S":
            return "\n".join(["-P INPUT ACCEPT", self.foreign, *self.rules])
        elif command == "-L":
            self.dropped += 3
            listed = [
                f"{self.dropped} 60 DROP 6 -- lo * /* {r.split('--comment ')[1].split()[0]} */" for r in self.rules
            ]
            return "\n".join(["Chain INPUT (policy ACCEPT)", "pkts bytes target", "9 9 DROP /* mine */", *listed])
        return ""


@pytest.fixture
def packets(monkeypatch):
    made = Filter()
    monkeypatch.setattr(partition, "_iptables", made)
    monkeypatch.setattr(partition, "why_no_packet_filter", lambda: None)
    return made


def test_packet_rules_name_this_port_alone_and_carry_the_fault_s_id(world, lease_of, packets, port):
    fault = NetworkPartition(how="iptables")
    lease = lease_of(fault)
    fault.apply(world, lease)
    number = port.split(":")[1]
    assert sorted(packets.rules) == [
        f"-A INPUT -i lo -p tcp -d 127.0.0.1 --dport {number} -m comment --comment sre-fault-{lease.fault_id} -j DROP",
        f"-A INPUT -i lo -p tcp -s 127.0.0.1 --sport {number} -m comment --comment sre-fault-{lease.fault_id} -j DROP",
    ]
    assert world.routes == {}
    fault.undo(world, lease)
    assert packets.rules == []
    fault.undo(world, lease)


def test_packets_that_were_dropped_are_the_proof(world, lease_of, packets):
    fault = NetworkPartition(how="auto", direction="to_replica")
    lease = lease_of(fault)
    fault.apply(world, lease)
    with pytest.raises(NotProven, match="still answers"):
        fault.prove(world, lease)
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        handles = {**lease.plan.handles, "grpc_address": f"127.0.0.1:{unheard.getsockname()[1]}"}
        lease = replace(lease, plan=replace(lease.plan, handles=handles))
        assert "packets to or from" in fault.prove(world, lease)


def test_without_root_or_tool_iptables_is_refused_and_auto_takes_the_proxy(world, monkeypatch):
    monkeypatch.setattr(partition.shutil, "which", lambda _: None)
    with pytest.raises(EnvironmentLacks, match=r"not installed.*how: proxy"):
        NetworkPartition(how="iptables").plan(world)
    assert NetworkPartition(how="auto").plan(world).handles["how"] == "proxy"
    monkeypatch.setattr(partition.shutil, "which", lambda _: "/usr/sbin/iptables")
    monkeypatch.setattr(partition.os, "geteuid", lambda: 1000)
    with pytest.raises(EnvironmentLacks, match="needs root"):
        NetworkPartition(how="iptables").plan(world)
