"""How a cluster has faults that on one machine are made otherwise: by network policies, and by DCGM's error injection.

A pod is singled out by a label that carries the fault's id; the undo removes label and policy, in that order of harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.targets import chosen, until
from sre.errors import SreError
from sre.platforms.kubernetes import KubernetesPlatform
from sre.platforms.kubernetes.platform import FAULT_LABEL
from sre.platforms.model import Platform, Unsupported

SEEN_WITHIN_S = 10.0
DNS_PORT = 53
LAST_PORT = 65535
XID_FIELD = "230"  # DCGM_FI_DEV_XID_ERRORS
DIRECTIONS = ("both", "to_replica", "from_replica")


@dataclass(frozen=True, slots=True)
class PodPartition(Fault):
    """A NetworkPolicy that lets nothing in or out of one pod. It needs a network plugin that enforces policies."""

    name: ClassVar[str] = "network-partition"
    family: ClassVar[Family] = "network"
    summary: ClassVar[str] = "no packet reaches the replica, or none leaves it"
    protects: ClassVar[str] = "ejection by forward progress, mid-stream failover"
    platforms: ClassVar[tuple[str, ...]] = ("kubernetes",)

    replica: str = "busiest"
    direction: str = "both"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise SreError(f"network-partition: direction is {self.direction!r}: use one of {', '.join(DIRECTIONS)}")

    def plan(self, platform: Platform) -> Plan:
        target = chosen(_cluster(platform), self.replica, seed=self.seed)
        types = {"both": ["Ingress", "Egress"], "to_replica": ["Ingress"], "from_replica": ["Egress"]}[self.direction]
        return Plan(replicas=(target.name,), handles={"pod": target.name, "types": types})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        types = list(lease.plan.handles["types"])
        nothing: dict[str, list[Any]] = {kind.lower(): [] for kind in types}
        _isolate(_cluster(platform), lease, {"policyTypes": types, **nothing})

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        cluster, pod = _cluster(platform), str(lease.plan.handles["pod"])

        def unready() -> bool:
            return any(replica.name == pod and replica.state != "ready" for replica in cluster.replicas())

        if until(unready, within_s=SEEN_WITHIN_S, poll_s=0.5):
            return f"{pod}: its readiness probe fails behind network policy {_policy(lease)}"
        raise NotProven(
            f"{pod}: still ready {SEEN_WITHIN_S:g} s after network policy {_policy(lease)}: the cluster's network "
            "plugin does not enforce policies, or the kubelet is let through"
        )

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        _release(_cluster(platform), lease)


@dataclass(frozen=True, slots=True)
class DnsFailure(Fault):
    """A NetworkPolicy that lets one pod say everything but DNS: every port except 53 stays open."""

    name: ClassVar[str] = "dns-failure"
    family: ClassVar[Family] = "network"
    summary: ClassVar[str] = "the replica can resolve no name"
    protects: ClassVar[str] = "connections that stay open, addresses instead of names"
    platforms: ClassVar[tuple[str, ...]] = ("kubernetes",)

    replica: str = "busiest"
    seed: int = 0

    def plan(self, platform: Platform) -> Plan:
        cluster = _cluster(platform)
        target = chosen(cluster, self.replica, seed=self.seed)
        return Plan(replicas=(target.name,), handles={"pod": target.name})

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        ranges = ((1, DNS_PORT - 1), (DNS_PORT + 1, LAST_PORT))
        ports = [
            {"protocol": protocol, "port": low, "endPort": high} for protocol in ("TCP", "UDP") for low, high in ranges
        ]
        _isolate(_cluster(platform), lease, {"policyTypes": ["Egress"], "egress": [{"ports": ports}]})

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        cluster, pod = _cluster(platform), str(lease.plan.handles["pod"])
        if until(lambda: not cluster.resolves(pod), within_s=SEEN_WITHIN_S, poll_s=0.5):
            return f"{pod}: resolves no name behind network policy {_policy(lease)}"
        raise NotProven(f"{pod}: still resolves names: the cluster's network plugin does not enforce policies")

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        _release(_cluster(platform), lease)


@dataclass(frozen=True, slots=True)
class DcgmXid(Fault):
    """An XID error that DCGM reports for the GPU of one replica's node: what watches DCGM acts as if it were real.

    The GPU itself goes on working. `gpu` is its index on that node.
    """

    name: ClassVar[str] = "gpu-xid"
    family: ClassVar[Family] = "engine"
    summary: ClassVar[str] = "DCGM reports an XID error of the replica's GPU"
    protects: ClassVar[str] = "node health checks, replacement of the replica"
    platforms: ClassVar[tuple[str, ...]] = ("kubernetes",)
    needs: ClassVar[tuple[str, ...]] = ("dcgm-exporter",)

    replica: str = "busiest"
    xid: int = 79
    gpu: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.xid <= 200:
            raise SreError(f"gpu-xid: xid is {self.xid}: write a code, e.g. 79 (GPU lost), 48 (ECC), 94 (contained)")
        if not 0 <= self.gpu <= 15:
            raise SreError(f"gpu-xid: gpu is {self.gpu}: write the GPU's index on its node, 0 to 15")

    def plan(self, platform: Platform) -> Plan:
        cluster = _cluster(platform)
        target = chosen(cluster, self.replica, seed=self.seed)
        pod, container = cluster.dcgm_pod(target.name)
        handles = {"pod": target.name, "dcgm_pod": pod, "container": container, "xid": self.xid, "gpu": self.gpu}
        return Plan(replicas=(target.name,), handles=handles)

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        _inject_xid(_cluster(platform), lease.plan.handles, int(lease.plan.handles["xid"]))

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        cluster, handles = _cluster(platform), lease.plan.handles
        if until(lambda: cluster.xid_of(handles) == int(handles["xid"]), within_s=SEEN_WITHIN_S, poll_s=1.0):
            return f"{handles['dcgm_pod']}: DCGM reports XID {handles['xid']} for GPU {handles['gpu']}"
        raise NotProven(f"{handles['dcgm_pod']}: DCGM does not report XID {handles['xid']}: does its engine run?")

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        cluster = _cluster(platform)
        if cluster.has_dcgm_pod(lease.plan.handles):  # what was injected is gone with it
            _inject_xid(cluster, lease.plan.handles, 0)


def _cluster(platform: Platform) -> KubernetesPlatform:
    if isinstance(platform, KubernetesPlatform):
        return platform
    raise Unsupported("this fault needs a cluster: set `platform: kubernetes`")


def _policy(lease: Lease) -> str:
    return f"sre-{lease.fault_id}"


def _label(lease: Lease, value: str | None) -> dict[str, str | None]:
    """Each fault has a key of its own: a pod may have several faults, and each undo takes back its own."""
    return {f"{FAULT_LABEL}-{lease.fault_id}": value}


def _isolate(cluster: KubernetesPlatform, lease: Lease, rules: Mapping[str, Any]) -> None:
    """The policy first: it selects nothing until the pod carries the label."""
    spec = {"podSelector": {"matchLabels": _label(lease, "")}, **rules}
    metadata = {"name": _policy(lease), "labels": {"app.kubernetes.io/managed-by": "llm-gameday"}}
    cluster.api.create_policy(
        {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    )
    cluster.api.label_pod(str(lease.plan.handles["pod"]), _label(lease, ""))


def _release(cluster: KubernetesPlatform, lease: Lease) -> None:
    cluster.api.remove_policy(_policy(lease))
    cluster.api.label_pod(str(lease.plan.handles["pod"]), _label(lease, None))


def _inject_xid(cluster: KubernetesPlatform, handles: Mapping[str, Any], xid: int) -> None:
    cluster.run_dcgm(
        handles, ["dcgmi", "test", "--inject", "--gpuid", str(handles["gpu"]), "-f", XID_FIELD, "-v", str(xid)]
    )
