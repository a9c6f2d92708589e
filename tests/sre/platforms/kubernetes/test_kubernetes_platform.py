"""The driver against an API server that speaks as the reference says; what runs in containers runs for real."""

import json

import psutil
import pytest

from sre.errors import EnvironmentLacks, PlatformError
from sre.platforms.kubernetes import ClusterSettings, KubernetesPlatform
from sre.platforms.model import Unsupported
from sre.platforms.select import select_platform

PAGE = '# TYPE a_total counter\na_total{kind="x"} 3.0\nsre_gateway_replica_inflight{replica="llm-1"} 4.0\n'


def test_pods_are_replicas_with_the_states_a_person_would_say(api, cluster):
    api.pods = {
        "llm-0": api.pod("llm-0"),
        "llm-1": api.pod("llm-1", ready=False),
        "llm-2": api.pod("llm-2", ready=False, waiting="CrashLoopBackOff"),
        "llm-3": api.pod("llm-3", deleted=True),
        "other": api.pod("other", labels={"app": "web"}),
    }
    found = {replica.name: replica for replica in cluster.replicas()}
    assert {name: r.state for name, r in found.items()} == {
        "llm-0": "ready",
        "llm-1": "starting",
        "llm-2": "backoff",
        "llm-3": "draining",
    }
    assert found["llm-0"].restarts == 2
    assert found["llm-0"].ready_at == 1793527260.0
    assert found["llm-1"].serving is False


def test_a_selector_without_pods_says_where_it_looked(api, cluster):
    api.pods = {}
    with pytest.raises(PlatformError, match="context drills, namespace serving: no pod matches app=llm"):
        cluster.replicas()


def test_a_process_is_stopped_and_goes_on(api, cluster, server):
    handle = cluster.process("server", "llm-1")
    assert json.loads(json.dumps(handle)) == handle
    assert cluster.condition(handle) == "running"
    assert cluster.signal(handle, "stop")
    assert psutil.Process(server.pid).status() == psutil.STATUS_STOPPED
    assert cluster.condition(handle) == "stopped"
    assert cluster.signal(handle, "continue")
    assert cluster.condition(handle) == "running"


def test_a_successor_of_the_process_is_never_touched(api, cluster, server):
    handle = {**cluster.process("server", "llm-1"), "started": 1}
    assert cluster.condition(handle) == "gone"
    assert not cluster.signal(handle, "stop")
    assert psutil.Process(server.pid).status() != psutil.STATUS_STOPPED


def test_a_successor_of_the_pod_is_never_touched(api, cluster, server):
    handle = cluster.process("server", "llm-1")
    api.pods["llm-1"] = api.pod("llm-1", uid="uid-of-the-next")
    assert not cluster.signal(handle, "kill")
    assert cluster.condition(handle) == "gone"
    assert "llm-1" in api.pods


def test_a_kill_deletes_exactly_that_pod_without_grace(api, cluster, server):
    handle = cluster.process("server", "llm-1")
    assert cluster.signal(handle, "kill")
    assert api.calls[-1] == ("delete", "llm-1", 0)
    assert cluster.condition(handle) == "gone"
    assert not cluster.signal(handle, "kill")
    assert server.poll() is None


def test_process_one_of_a_container_cannot_be_stopped_from_inside_and_that_is_said(api, cluster, server):
    handle = {**cluster.process("server", "llm-1"), "pid": 1}
    with pytest.raises(Unsupported, match="shareProcessNamespace"):
        cluster.signal(handle, "stop")


def test_engine_faults_are_written_read_and_removed_in_the_container(api, settings, tmp_path):
    path = tmp_path / "faults.json"
    fields = {name: getattr(settings, name) for name in ClusterSettings.__dataclass_fields__}
    cluster = KubernetesPlatform(ClusterSettings(**{**fields, "faults_path": str(path)}), tmp_path)
    assert cluster.engine_faults("llm-0") == {}
    cluster.set_engine_faults("llm-0", {"slow_factor": 3.0, "poison": "quote\"'$(x)"})
    assert cluster.engine_faults("llm-0") == {"slow_factor": 3.0, "poison": "quote\"'$(x)"}
    cluster.set_engine_faults("llm-0", {})
    assert not path.exists()
    cluster.set_engine_faults("llm-0", {})


def test_metrics_are_read_through_the_api_servers_proxy(api, cluster):
    api.pods["gateway-0"] = api.pod("gateway-0", labels={"app": "gateway"})
    api.pages = {("gateway-0", 8400): PAGE, ("llm-1", 8002): PAGE}
    assert cluster.inflight() == {"llm-1": 4.0}
    (sample,) = cluster.metric("llm-1", "a_total")
    assert (sample.labels, sample.value) == ({"kind": "x"}, 3.0)
    with pytest.raises(PlatformError, match="HTTP 503"):
        cluster.metric("llm-2", "a_total")


def test_a_pod_that_came_back_under_another_name_counts_as_recovery(api, cluster):
    del api.pods["llm-1"]
    with pytest.raises(PlatformError, match="not ready after 0 s"):
        cluster.wait_ready("llm-1", timeout_s=0)
    api.pods["llm-9"] = api.pod("llm-9")
    assert cluster.wait_ready("llm-1", timeout_s=0) == 1793527260.0


def test_scaling_and_eviction_go_to_the_workload_and_to_the_pod(api, cluster):
    cluster.scale(5, reason="drill")
    assert api.calls[-1] == ("scale", "deployments", "llm", 5)
    cluster.drain("llm-2", grace_s=12.0)
    assert api.calls[-1] == ("evict", "llm-2", 12)


def test_a_disruption_budget_that_refuses_is_quoted(api, cluster):
    api.forbidden = {"eviction"}
    with pytest.raises(PlatformError, match="disruption budget"):
        cluster.drain("llm-2")


def test_the_last_ready_pod_is_not_drained(api, cluster):
    api.pods = {"llm-0": api.pod("llm-0"), "llm-1": api.pod("llm-1", ready=False)}
    with pytest.raises(PlatformError, match="the last one that is ready"):
        cluster.drain("llm-0")


def test_a_right_that_is_missing_is_named(api, cluster):
    api.forbidden = {"list"}
    with pytest.raises(PlatformError, match=r"HTTP 403: pods is forbidden.*grant it"):
        cluster.replicas()


def test_an_unknown_context_is_one_line(api, settings, tmp_path):
    fields = {name: getattr(settings, name) for name in ClusterSettings.__dataclass_fields__}
    other = KubernetesPlatform(ClusterSettings(**{**fields, "context": "elsewhere"}), tmp_path)
    with pytest.raises(EnvironmentLacks, match="kubectl config get-contexts"):
        other.replicas()


def test_a_dead_api_server_is_one_line(api, settings, tmp_path):
    api.url = "http://127.0.0.1:9"
    api.kubeconfig(tmp_path)
    with pytest.raises(PlatformError, match=r"cannot list pods app=llm .*kubectl cluster-info"):
        KubernetesPlatform(settings, tmp_path).replicas()


def test_what_a_cluster_has_not_is_said(api, cluster):
    for part in ("gateway", "recorder", "prometheus"):
        with pytest.raises(Unsupported, match="no process of"):
            cluster.process(part)
    with pytest.raises(Unsupported, match="kubectl describe hpa"):
        cluster.metric("autoscaler", "x")
    with pytest.raises(PlatformError, match="gateway_url: missing"):
        _ = cluster.gateway_url


def test_another_process_can_have_the_same_platform_from_its_reference(api, cluster):
    reference = json.loads(json.dumps(cluster.reference))
    again = select_platform(reference)
    assert again.settings == cluster.settings
    assert [r.name for r in again.replicas()] == ["llm-0", "llm-1", "llm-2"]


def test_an_unknown_replica_is_answered_with_those_there_are(api, cluster):
    with pytest.raises(PlatformError, match="'llm-7' does not exist: use one of llm-0, llm-1, llm-2"):
        cluster.process("server", "llm-7")
