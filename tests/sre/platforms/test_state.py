"""State files are read without trusting them: missing, corrupt and half-written ones end in one line."""

import json

import pytest

from serving.fleet.model import AutoscalerInfo, EndpointInfo, PlatformSpec, PlatformState, ProcessInfo, ReplicaInfo
from sre.errors import PlatformError
from sre.platforms.processes import ProcessRef
from sre.platforms.state import EventTail, NotUp, read_state

STATE = {
    "schema": 1,
    "platform_id": "abc12345",
    "phase": "ready",
    "error": None,
    "started_at": 5.0,
    "supervisor": {"name": "supervisor", "pid": 7, "created": 4.0, "state": "ready"},
    "gateway": {"pid": 8, "created": 5.5, "url": "http://127.0.0.1:8400", "state": "ready"},
    "prometheus": None,
    "recorder": None,
    "replicas": [
        {
            "name": "llm-0",
            "pid": 9,
            "created": 6.0,
            "state": "ready",
            "http_url": "http://127.0.0.1:1",
            "grpc_address": "127.0.0.1:2",
            "metrics_url": "http://127.0.0.1:3/metrics",
            "restarts": 1,
            "ready_at": 8.0,
        }
    ],
    "spec": {},
}


def test_a_state_file_is_read(tmp_path):
    (tmp_path / "state.json").write_text(json.dumps(STATE))
    state = read_state(tmp_path)
    assert (state.phase, state.gateway_url, state.supervisor) == ("ready", "http://127.0.0.1:8400", ProcessRef(7, 4.0))
    (replica,) = state.replicas
    assert (replica.name, replica.process, replica.restarts, replica.ready_at) == ("llm-0", ProcessRef(9, 6.0), 1, 8.0)
    assert state.prometheus_url is None


def test_what_an_older_supervisor_did_not_write_is_none(tmp_path):
    (tmp_path / "state.json").write_text(json.dumps(STATE))
    state = read_state(tmp_path)
    assert (state.desired_replicas, state.max_replicas, state.autoscaler) == (None, None, None)
    assert (state.replicas[0].serving, state.replicas[0].rotation) == (None, None)


def test_what_the_supervisor_itself_writes_is_read(tmp_path):
    """The writer's own types, so that neither side can drift."""
    replica = ReplicaInfo("llm-0", state="ready", pid=9, created=6.0, ready_at=8.0)
    replica.routed("half_open")
    written = PlatformState(
        "abc12345",
        5.0,
        ProcessInfo("supervisor", "ready", 7, 4.0),
        EndpointInfo("gateway", url="http://127.0.0.1:8400"),
        PlatformSpec(max_replicas=5, engine="vllm"),
        replicas=[replica],
        desired_replicas=2,
        autoscaler=AutoscalerInfo("autoscaler", state="ready", policy="/hpa.yaml"),
    )
    (tmp_path / "state.json").write_text(written.to_json())
    state = read_state(tmp_path)
    assert (state.desired_replicas, state.max_replicas, state.engine) == (2, 5, "vllm")
    assert (state.replicas[0].serving, state.replicas[0].rotation) == (True, "half_open")
    assert (state.autoscaler.policy, state.autoscaler.state) == ("/hpa.yaml", "ready")


def test_a_replica_between_two_lives_has_no_process(tmp_path):
    replica = {**STATE["replicas"][0], "pid": None, "created": None, "state": "backoff", "ready_at": None}
    (tmp_path / "state.json").write_text(json.dumps({**STATE, "replicas": [replica]}))
    assert read_state(tmp_path).replicas[0].process is None


def test_no_state_file_means_not_up_and_says_how_to_start(tmp_path):
    with pytest.raises(NotUp, match="sre up"):
        read_state(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"platform_id": 1}', json.dumps({**STATE, "replicas": [{"name": 1}]}), "\udcff"]
)
def test_a_corrupt_state_file_is_one_line_with_the_mend(tmp_path, text):
    (tmp_path / "state.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(PlatformError, match="sre down") as caught:
        read_state(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "state.json") in str(caught.value)


def test_events_are_read_on_and_a_cut_line_waits_for_its_end(tmp_path):
    path = tmp_path / "events.jsonl"
    tail = EventTail(tmp_path)
    assert tail.new() == []
    path.write_text('{"event": "a"}\n{"eve')
    assert tail.new() == [{"event": "a"}]
    assert tail.new() == []
    with path.open("a") as file:
        file.write('nt": "b"}\n')
    assert tail.new() == [{"event": "b"}]


def test_an_event_line_that_is_no_object_is_refused(tmp_path):
    (tmp_path / "events.jsonl").write_text("nonsense\n")
    with pytest.raises(PlatformError, match=r"events\.jsonl"):
        EventTail(tmp_path).new()
