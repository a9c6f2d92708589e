"""Each fault of network and telemetry on two real replicas under load: proven, undone, and no request fails.

What is proven, and how long each part took, is in the log at level INFO (`--log-cli-level=INFO`).
"""

import http.client
import json
import logging
import threading
import time
import urllib.request

import psutil
import pytest

from sre.chaos.faults.background import background_processes
from sre.chaos.faults.catalogue import fault_class
from sre.chaos.faults.lying import MetricsLying
from sre.chaos.faults.network import NetworkBandwidth, NetworkLatency, NetworkLoss, NetworkReset
from sre.chaos.faults.partition import NetworkPartition, why_no_packet_filter
from sre.chaos.faults.proxies import proxy_facts
from sre.chaos.faults.telemetry import MetricsDown, MetricsStale
from sre.chaos.leases.lease import heal, inject
from sre.chaos.leases.ledger import Ledger
from sre.chaos.leases.records import Run, open_leases, run_begin
from sre.chaos.model import BlastRadius
from sre.errors import EnvironmentLacks
from sre.platforms.local import down, platform_spec, server_description, up
from sre.platforms.processes import ProcessRef, marked

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
RECOVERED_WITHIN_S = 30.0
CLIENTS = 6
logger = logging.getLogger(__name__)


class Load:
    """Clients that ask one request after another; `failures` are (time, what)."""

    def __init__(self, url):
        self._url = f"{url}/v1/completions"
        self._stop = threading.Event()
        self.answered = 0
        self.failures = []
        self._threads = [threading.Thread(target=self._client, args=(n,)) for n in range(CLIENTS)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(40)

    def _client(self, number):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        turn = 0
        while not self._stop.is_set():
            turn += 1
            body = {"model": "llm", "prompt": f"client {number} turn {turn}", "max_tokens": 40, "stream": True}
            request = urllib.request.Request(  # noqa: S310  (the platform's own gateway)
                self._url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
            )
            try:
                with opener.open(request, timeout=35) as response:
                    text = response.read()
                if b"[DONE]" not in text or b'"error"' in text:
                    raise OSError(text[-300:].decode())
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append((time.time(), str(error)))
                time.sleep(0.1)

    def until_answered(self, more):
        wanted, deadline = self.answered + more, time.monotonic() + RECOVERED_WITHIN_S
        while self.answered < wanted:
            assert time.monotonic() < deadline, self.failures
            time.sleep(0.02)


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    try:
        server_description()
    except EnvironmentLacks as error:
        pytest.skip(f"Triton: {error}")
    state_dir = tmp_path_factory.mktemp("network") / "state"
    spec = platform_spec(state_dir, port=0, replicas=2, unhealthy_restart_s=60.0)
    try:
        yield up(spec, state_dir, detached=False)
    finally:
        down(state_dir)
        assert marked(state_dir, None) == []


@pytest.fixture(scope="module")
def run(platform):
    me = psutil.Process()
    radius = BlastRadius(max_replicas=1, min_healthy=1, components=("recorder", "prometheus"))
    run = Run("r-network", ProcessRef(me.pid, me.create_time()), "network", radius, time.time() + 600)
    Ledger(platform.state_dir).append(run_begin(run, at=time.time()))
    return run


@pytest.fixture(scope="module")
def load(platform):
    with Load(platform.gateway_url) as made:
        made.until_answered(CLIENTS)
        yield made


def routes(platform):
    state = json.loads((platform.state_dir / "state.json").read_text())
    return [info["route"] for info in (state["gateway"], *state["replicas"]) if info["route"] is not None]


def played(platform, run, load, fault) -> str:
    begun = time.time()
    done = inject(platform, fault, lease_s=60.0, run=run)
    proven = time.time()
    (lease,) = open_leases(Ledger(platform.state_dir).read())
    load.until_answered(CLIENTS)
    assert heal(platform, lease, by="another process") is True
    healed = time.time()
    fault_class(lease.fault).undo(platform, lease)  # once more changes nothing
    fault_class(lease.fault).recovered(platform, lease, timeout_s=RECOVERED_WITHIN_S)
    well = time.time()
    assert routes(platform) == []
    load.until_answered(3 * CLIENTS)
    during = [what for at, what in load.failures if begun <= at < well]
    times = (proven - begun, healed - proven, well - healed)
    logger.info("%.1f s to proof, %.1f s under it, %.1f s to recover: %s", *times, done.proof)
    assert during == []
    assert [what for at, what in load.failures if at >= well] == []
    deadline = time.monotonic() + 10
    while background_processes(lease.fault_id):
        assert time.monotonic() < deadline, "the proxy lingers although nothing runs through it"
        time.sleep(0.1)
    return done.proof


NETWORK = {
    "latency": (NetworkLatency(latency_ms=80, jitter_ms=20), "a round trip takes"),
    "latency of one direction": (NetworkLatency(latency_ms=120, direction="from_replica"), "a round trip takes"),
    "loss": (NetworkLoss(loss_ratio=0.05), "losses in"),
    "resets": (NetworkReset(), "were reset"),
    "resets after so much": (NetworkReset(after_kib=16), "were reset"),
    "bandwidth": (NetworkBandwidth(kbit_per_s=256), "kbit/s"),
    "partition": (NetworkPartition(), "no answer"),
    "partition of the answers": (NetworkPartition(direction="from_replica"), "no answer"),
}


@pytest.mark.parametrize("name", NETWORK)
def test_a_bad_network_is_proven_and_undone_and_nobody_fails(platform, run, load, name):
    fault, words = NETWORK[name]
    assert words in played(platform, run, load, fault)


@pytest.mark.parametrize("direction", ["both", "from_replica"])
def test_the_kernel_s_packet_filter_partitions_too_and_is_left_as_it_was(platform, run, load, direction):
    lack = why_no_packet_filter()
    if lack is not None:
        pytest.skip(lack)
    assert "dropped" in played(platform, run, load, NetworkPartition(direction=direction, how="iptables"))


TELEMETRY = {
    "recorder down": (MetricsDown(target="recorder"), "newest sample"),
    "a page down": (MetricsDown(target="exporter"), "were reset"),
    "a replica's page down": (MetricsDown(target="exporter", page="any"), "were reset"),
    "recorder stale": (MetricsStale(target="recorder"), "newest sample"),
    "a frozen page": (MetricsLying(how="freeze"), "stand still"),
    "a scaled page": (MetricsLying(how="scale", factor=0.1, prefix="sre_gateway_"), "off by 0.1"),
}


@pytest.mark.parametrize("name", TELEMETRY)
def test_lost_telemetry_is_proven_and_undone(platform, run, load, name):
    fault, words = TELEMETRY[name]
    assert words in played(platform, run, load, fault)


@pytest.mark.parametrize(
    ("fault", "words"),
    [(MetricsDown(target="prometheus"), "killed"), (MetricsStale(target="prometheus"), "stopped")],
    ids=["down", "stale"],
)
def test_prometheus_is_lost_and_comes_back(platform, run, load, fault, words):
    if platform.state().prometheus is None:
        pytest.skip("Prometheus is not installed")
    assert words in played(platform, run, load, fault)


def test_a_proxy_that_was_killed_costs_no_request_and_its_fault_is_undone(platform, run, load):
    done = inject(platform, NetworkLatency(latency_ms=20), lease_s=60.0, run=run)
    begun = time.time()
    for helper in background_processes(done.lease.fault_id):
        helper.kill()
    load.until_answered(3 * CLIENTS)
    heal(platform, done.lease, by="another process")
    fault_class(done.lease.fault).recovered(platform, done.lease, timeout_s=RECOVERED_WITHIN_S)
    load.until_answered(CLIENTS)
    assert routes(platform) == []
    assert [what for at, what in load.failures if at >= begun] == []


def test_a_fault_that_nobody_undoes_is_over_at_its_deadline(platform, run, load):
    """No watchdog runs here: the supervisor takes the route back, the proxy goes by itself."""
    done = inject(platform, NetworkPartition(), lease_s=5.0, run=run)
    begun = time.time()
    while routes(platform) or background_processes(done.lease.fault_id):
        assert time.time() < done.lease.deadline_at + 8
        time.sleep(0.1)
    assert time.time() >= done.lease.deadline_at
    heal(platform, done.lease, by="a latecomer")
    fault_class(done.lease.fault).recovered(platform, done.lease, timeout_s=RECOVERED_WITHIN_S)
    load.until_answered(CLIENTS)
    assert [what for at, what in load.failures if at >= begun] == []


def test_a_gateway_that_restarts_goes_on_through_the_proxy(platform, run, load):
    done = inject(platform, NetworkLatency(latency_ms=20), lease_s=60.0, run=run)
    before = proxy_facts(platform, done.lease)["accepted"]
    pid = platform.process("gateway")["pid"]
    platform.signal(platform.process("gateway"), "kill")
    deadline = time.monotonic() + RECOVERED_WITHIN_S
    while (gateway := platform.state().gateway) is None or gateway.pid == pid:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    load.until_answered(3 * CLIENTS)
    assert proxy_facts(platform, done.lease)["accepted"] > before
    heal(platform, done.lease, by="another process")
    fault_class(done.lease.fault).recovered(platform, done.lease, timeout_s=RECOVERED_WITHIN_S)
    well = time.time()
    load.until_answered(CLIENTS)
    assert [what for at, what in load.failures if at >= well] == []
