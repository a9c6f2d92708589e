"""Faults that only a cluster has: what they create, what they leave behind (nothing), undone from the lease alone."""

import json

import pytest

from sre.chaos.faults.kubernetes import DcgmXid, DnsFailure, PodPartition
from sre.chaos.faults.model import Lease, NotProven
from sre.chaos.faults.replica import ReplicaHang, StubCrash
from sre.errors import PlatformError, SreError
from sre.platforms.select import select_platform

LABEL = "sre.dev/fault-f-1234abcd"


def lease_of(fault, cluster, fault_id="f-1234abcd"):
    return Lease(fault_id, fault.name, fault.plan(cluster), deadline_at=2e9)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr("sre.chaos.faults.kubernetes.SEEN_WITHIN_S", 0.0)


def test_a_partition_singles_one_pod_out_by_a_label(api, cluster):
    lease = lease_of(PodPartition(replica="llm-1"), cluster)
    assert api.calls == []
    PodPartition.apply(cluster, lease)
    (policy,) = api.policies.values()
    assert policy["spec"]["podSelector"]["matchLabels"] == {LABEL: ""}
    assert policy["spec"] | {"podSelector": 0} == {
        "podSelector": 0,
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [],
        "egress": [],
    }
    carrying = [name for name, pod in api.pods.items() if LABEL in pod["metadata"]["labels"]]
    assert carrying == ["llm-1"]


@pytest.mark.parametrize(("direction", "types"), [("to_replica", ["Ingress"]), ("from_replica", ["Egress"])])
def test_a_partition_can_have_one_direction(api, cluster, direction, types):
    lease = lease_of(PodPartition(replica="llm-1", direction=direction), cluster)
    PodPartition.apply(cluster, lease)
    assert api.policies["sre-f-1234abcd"]["spec"]["policyTypes"] == types


def test_a_partition_is_proven_by_the_readiness_that_is_lost(api, cluster):
    lease = lease_of(PodPartition(replica="llm-1"), cluster)
    PodPartition.apply(cluster, lease)
    with pytest.raises(NotProven, match="does not enforce policies"):
        PodPartition.prove(cluster, lease)
    api.pods["llm-1"] = api.pod("llm-1", ready=False)
    assert "readiness probe fails" in PodPartition.prove(cluster, lease)


@pytest.mark.parametrize("fault", [PodPartition(replica="llm-1"), DnsFailure(replica="llm-1")])
def test_the_undo_leaves_nothing_and_can_be_repeated(api, cluster, fault):
    lease = lease_of(fault, cluster)
    type(fault).undo(cluster, lease)  # never applied
    type(fault).apply(cluster, lease)
    for _ in range(2):
        type(fault).undo(cluster, lease)
        assert api.policies == {}
        assert LABEL not in api.pods["llm-1"]["metadata"]["labels"]
    del api.pods["llm-1"]
    type(fault).undo(cluster, lease)


def test_of_two_faults_of_one_pod_each_undo_takes_back_its_own(api, cluster):
    cut, deaf = PodPartition(replica="llm-1"), DnsFailure(replica="llm-1")
    first, second = lease_of(cut, cluster), lease_of(deaf, cluster, "f-2")
    cut.apply(cluster, first)
    deaf.apply(cluster, second)
    assert {LABEL, "sre.dev/fault-f-2"} <= set(api.pods["llm-1"]["metadata"]["labels"])
    cut.undo(cluster, first)
    assert set(api.policies) == {"sre-f-2"}
    assert set(api.pods["llm-1"]["metadata"]["labels"]) == {"app", "sre.dev/fault-f-2"}


def test_without_dns_every_other_port_stays_open(api, cluster):
    lease = lease_of(DnsFailure(replica="llm-1"), cluster)
    DnsFailure.apply(cluster, lease)
    (rule,) = api.policies["sre-f-1234abcd"]["spec"]["egress"]
    covered = {
        protocol: {p for r in rule["ports"] if r["protocol"] == protocol for p in range(r["port"], r["endPort"] + 1)}
        for protocol in ("TCP", "UDP")
    }
    assert all(ports == set(range(1, 65536)) - {53} for ports in covered.values())
    api.exec_answer = lambda command: "false"
    assert "resolves no name" in DnsFailure.prove(cluster, lease)
    api.exec_answer = lambda command: "true"
    with pytest.raises(NotProven):
        DnsFailure.prove(cluster, lease)


def test_an_xid_goes_through_the_dcgm_pod_of_the_replicas_node(api, cluster):
    labels = {"app": "dcgm-exporter"}
    api.pods["dcgm-a"] = api.pod("dcgm-a", labels=labels, node="node-a")
    api.pods["dcgm-b"] = api.pod("dcgm-b", labels=labels, node="node-b")
    api.pods["llm-1"] = api.pod("llm-1", node="node-b")
    said, reported = [], ["0"]

    def answer(command):
        said.append(command)
        if command[1] == "test":
            reported[0] = command[-1]
            return "Successfully injected field info.\n"
        return f"#Entity   XIDER\nID\nGPU 0     {reported[0]}\n"

    api.exec_answer = answer
    lease = lease_of(DcgmXid(replica="llm-1", xid=48), cluster)
    DcgmXid.apply(cluster, lease)
    assert ("exec", "dcgm-b", "triton", "dcgmi") in api.calls
    assert said[-1] == ["dcgmi", "test", "--inject", "--gpuid", "0", "-f", "230", "-v", "48"]
    assert "XID 48" in DcgmXid.prove(cluster, lease)
    DcgmXid.undo(cluster, lease)
    assert said[-1][-1] == "0"
    with pytest.raises(NotProven):
        DcgmXid.prove(cluster, lease)


def test_an_xid_is_gone_with_the_dcgm_pod_that_reported_it(api, cluster):
    api.pods["dcgm-a"] = api.pod("dcgm-a", labels={"app": "dcgm-exporter"})
    lease = lease_of(DcgmXid(replica="llm-1"), cluster)
    del api.pods["dcgm-a"]
    api.pods["dcgm-b"] = api.pod("dcgm-b", labels={"app": "dcgm-exporter"})
    api.calls.clear()
    DcgmXid.undo(cluster, lease)
    assert api.calls == []


@pytest.mark.parametrize("fault", [ReplicaHang(replica="llm-1"), StubCrash(replica="llm-1")])
def test_a_pod_that_was_evicted_has_nothing_to_undo(api, cluster, fault, server):
    api.exec_answer = lambda command: '[{"pid": 7, "started": 1}]'
    lease = lease_of(fault, cluster)
    api.pods["llm-1"] = api.pod("llm-1", ready=False, phase="Failed")
    api.exec_answer = lambda command: pytest.fail("nothing runs in it")
    api.calls.clear()
    type(fault).undo(cluster, lease)
    assert api.calls == []


def test_a_pod_that_nobody_could_look_into_is_not_killed(api, cluster):
    api.exec_answer = lambda command: '[{"pid": 7, "started": 1}]'
    lease = lease_of(StubCrash(replica="llm-1"), cluster)
    api.rights = api.rights - {("create", "pods/exec"), ("get", "pods/exec")}
    with pytest.raises(PlatformError, match="pod llm-1: Handshake status 403 Forbidden: grant it as in"):
        StubCrash.undo(cluster, lease)
    assert [call for call in api.calls if call[0] == "delete"] == []


def test_who_undoes_has_the_cluster_from_the_lease_alone(cluster, monkeypatch):
    monkeypatch.setenv("SRE_KUBE_CONTAINER", "another")
    monkeypatch.setenv("SRE_KUBE_DCGM_NAMESPACE", "elsewhere")
    found = select_platform(json.loads(json.dumps(cluster.reference)))
    assert found.settings == cluster.settings


def test_a_node_without_dcgm_is_refused_before_anything_is_touched(api, cluster):
    with pytest.raises(PlatformError, match="deploy dcgm-exporter there"):
        DcgmXid(replica="llm-1").plan(cluster)


@pytest.mark.parametrize(
    "make", [lambda: PodPartition(direction="up"), lambda: DcgmXid(xid=0), lambda: DcgmXid(gpu=99)]
)
def test_a_wrong_parameter_is_one_line(make):
    with pytest.raises(SreError, match="is "):
        make()
