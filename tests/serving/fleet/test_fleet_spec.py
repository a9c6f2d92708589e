"""The platform specification refuses what cannot run, in one line, all faults at once."""

import json
from pathlib import Path

import pytest

from serving.backoff import Backoff
from serving.engine.vllm import VllmConfig
from serving.errors import BadInput, EnvironmentLacks
from serving.fleet.model import PlatformSpec, Sidecar
from serving.fleet.ports import free_ports, require_free
from serving.fleet.spec import GpuPrice

EPHEMERAL_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_a_spec_survives_its_file():
    spec = PlatformSpec(
        replicas=2,
        port=0,
        engine="vllm",
        vllm=VllmConfig(max_model_len=2048, tensor_parallel_size=2),
        autoscale="/policy.yaml",
        tenants="/tenants.yaml",
        gateway_workers=2,
        price=GpuPrice("ours", "2.10", "EUR", 2),
        sidecars=(Sidecar("recorder", ("python", "-m", "x")),),
    )
    assert PlatformSpec.from_json(spec.to_json()) == spec
    assert PlatformSpec.from_json(PlatformSpec().to_json()) == PlatformSpec()


def test_all_faults_are_named_at_once():
    with pytest.raises(BadInput, match=r"replicas is 0.*time_scale is 0.*port is 70000.*gateway_workers is 33"):
        PlatformSpec(replicas=0, time_scale=0.0, port=70000, gateway_workers=33)


@pytest.mark.parametrize("text", ["{", "[]", '{"replica": 3}', '{"sidecars": [{"name": "x"}]}', '{"replicas": "3"}'])
def test_a_malformed_spec_file_is_one_line(text):
    with pytest.raises(BadInput) as caught:
        PlatformSpec.from_json(text, path="here/spec.json")
    assert str(caught.value).startswith("here/spec.json: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"replicas": 2.5}, "replicas is 2.5"),
        ({"port": 80.5}, "port is 80.5"),
        ({"profile": 7}, "profile is 7"),
        ({"ttft_threshold_s": float("nan")}, "ttft_threshold_s is nan"),
        ({"tpot_threshold_s": 4000.0}, "tpot_threshold_s is 4000"),
        ({"time_scale": 300.0}, "time_scale is 300: use 0.01 to 20"),
        ({"cold_start_scale": -1.0}, "cold_start_scale is -1"),
        ({"engine": "tgi"}, "engine is 'tgi': use emulated or vllm"),
        ({"vllm": {"tensor_parallel_size": 0}}, "tensor_parallel_size"),
        ({"vllm": {"tensor_paralel_size": 1}}, "tensor_paralel_size"),
        ({"replicas": 4, "max_replicas": 3}, "max_replicas is 3: use replicas (4) to 16"),
        ({"unhealthy_restart_s": 0.0}, "unhealthy_restart_s is 0"),
        ({"price": {"name": "x", "per_gpu_hour": "free"}}, "price is 'free' a GPU-hour: use an amount above 0"),
        ({"price": {"name": "x", "per_gpu_hour": "2", "gpus_per_replica": 0}}, "price is '2' a GPU-hour"),
        ({"price": {"per_hour": "2"}}, "per_hour"),
        ({"routing": "random"}, "routing is 'random': use affinity, least_outstanding, round_robin"),
        ({"max_num_seqs": 0}, "max_num_seqs is 0: use 1 to 1000000"),
        ({"max_num_seqs": 8, "max_num_batched_tokens": 4}, "max_num_seqs 8 exceeds max_num_batched_tokens 4"),
        ({"engine": "vllm", "max_num_seqs": 8}, "are of the emulated engine"),
    ],
)
def test_what_the_gateway_or_triton_would_choke_on_is_refused_before_they_start(fields, named):
    with pytest.raises(BadInput) as caught:
        PlatformSpec.from_json(json.dumps(fields))
    assert named in str(caught.value)


def test_unknown_keys_are_listed_with_the_known_ones():
    with pytest.raises(BadInput, match=r"unknown keys \(gpus\): known are .*replicas"):
        PlatformSpec.from_json(json.dumps({"gpus": 8}))


def test_free_ports_are_distinct():
    assert len(set(free_ports(20))) == 20


@pytest.mark.skipif(not EPHEMERAL_RANGE.exists(), reason="not Linux: the kernel's ephemeral range is not known")
def test_no_outgoing_connection_can_take_a_free_port_before_its_owner_listens():
    first = int(EPHEMERAL_RANGE.read_text().split()[0])
    if first < 13_000:
        pytest.skip(f"nearly all ports are ephemeral here (from {first})")
    assert max(free_ports(50)) < first


def test_a_port_in_use_is_refused_with_the_mend(unused_tcp_socket):
    port = unused_tcp_socket.getsockname()[1]
    with pytest.raises(EnvironmentLacks, match=rf"port {port} .* in use.*--port") as caught:
        require_free(port)
    assert caught.value.exit_code == 3


@pytest.fixture
def unused_tcp_socket():
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock


def test_backoff_doubles_up_to_its_cap():
    backoff = Backoff(first_s=0.5, cap_s=3.0)
    assert [backoff.next_delay(served_s=0.0) for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_backoff_forgives_a_replica_that_served_for_long():
    backoff = Backoff(first_s=0.5, forgive_after_s=60.0)
    for _ in range(4):
        backoff.next_delay(served_s=1.0)
    assert backoff.next_delay(served_s=61.0) == 0.5
