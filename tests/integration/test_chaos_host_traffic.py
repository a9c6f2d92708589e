"""Faults of host, traffic, control plane and capacity on a real platform under load: proven from outside, undone,
and well again afterwards."""

import json
import re
import subprocess
import sys
import time

import psutil
import pytest

from sre.chaos.faults.background import background_processes
from sre.chaos.faults.capacity import AutoscalerThrash
from sre.chaos.faults.catalogue import fault_class
from sre.chaos.faults.control_plane import AutoscalerDown, GatewayCrash
from sre.chaos.faults.disk import DiskFull
from sre.chaos.faults.host import ClockSkew, CpuPressure, MemoryPressure
from sre.chaos.faults.machines import SpotPreemption, ZoneLoss
from sre.chaos.faults.traffic import DisconnectStorm, LongPromptFlood, RetryStorm, TrafficSurge
from sre.chaos.leases.lease import heal, inject
from sre.chaos.leases.ledger import Ledger, fault_windows
from sre.chaos.leases.records import Run, run_begin
from sre.chaos.model import BlastRadius
from sre.errors import EnvironmentLacks
from sre.platforms.local import down, platform_spec, server_description, start_load, up
from sre.platforms.processes import ProcessRef

pytestmark = pytest.mark.integration

POLICY = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: still}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: llm}
  minReplicas: 2
  maxReplicas: 4
  metrics:
    - type: Pods
      pods:
        metric: {name: vllm_num_requests_waiting}
        target: {type: AverageValue, averageValue: "1000"}
  behavior:
    scaleDown: {stabilizationWindowSeconds: 3600}
"""
"""An autoscaler that finds no reason to do anything in the minutes of this test."""


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    try:
        server_description()
    except EnvironmentLacks as error:
        pytest.skip(f"Triton: {error}")
    folder = tmp_path_factory.mktemp("platform")
    (folder / "still.yaml").write_text(POLICY)
    spec = platform_spec(folder / "state", port=0, max_replicas=4, autoscale=folder / "still.yaml", prometheus="off")
    platform = up(spec, folder / "state", detached=False)
    load = offered(platform, folder)
    yield platform
    load.terminate()
    load.wait(20)
    down(folder / "state")
    assert Ledger(folder / "state").open_faults() == ()


def offered(platform, folder):
    plan = {"url": platform.gateway_url, "out": str(folder / "load"), "rate_rps": 3.0, "duration_s": 600, "seed": 3}
    (folder / "plan.json").write_text(json.dumps(plan))
    return start_load(platform, folder / "plan.json", log=folder / "load.log")


@pytest.fixture(scope="module")
def run(platform):
    me = psutil.Process()
    components = ("gateway", "autoscaler", "recorder", "host", "traffic")
    radius = BlastRadius(max_replicas=2, min_healthy=1, components=components)
    run = Run("r-1", ProcessRef(me.pid, me.create_time()), "faults", radius, time.time() + 900)
    Ledger(platform.state_dir).append(run_begin(run, at=time.time()))
    return run


@pytest.fixture
def proven(platform, run):
    """Inject, and undo at the end what the test has not undone; waits until all is well again."""
    held = []

    def make(fault, *, lease_s=30.0):
        done = inject(platform, fault, lease_s=lease_s, run=run)
        held.append(done.lease)
        return done

    yield make
    for lease in held:
        heal(platform, lease, by="run")
        fault_class(lease.fault).recovered(platform, lease, timeout_s=40)
        assert background_processes(lease.fault_id) == []
    mine = {lease.fault_id for lease in held}
    windows = [window for window in fault_windows(Ledger(platform.state_dir).read()) if window.fault_id in mine]
    assert all(window.proven for window in windows)


def heal_elsewhere(platform):
    """As the watchdog would: another process, with nothing but the ledger."""
    code = (
        "import sys; from sre.chaos.leases.lease import heal; from sre.chaos.leases.ledger import Ledger\n"
        "from sre.chaos.leases.records import open_leases; from sre.platforms.select import select_platform\n"
        "platform = select_platform({'state_dir': sys.argv[1]})\n"
        "for lease in open_leases(Ledger(platform.state_dir).read()): heal(platform, lease, by='watchdog')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(platform.state_dir)], check=True, timeout=30)


@pytest.mark.parametrize(
    ("fault", "shows"),
    [
        (TrafficSurge(rate_rps=15.0, output_tokens=20), r"\(15.0 requests/s\): \d+ ok"),
        (TrafficSurge(factor=4.0, output_tokens=20), " ok; the gateway counted ok"),
        (LongPromptFlood(prompt_tokens=3000, rate_rps=3.0), "ok"),
        (
            RetryStorm(clients=8, timeout_s=0.15, output_tokens=200),
            "timed out, .* repeated; the gateway counted cancelled",
        ),
        (DisconnectStorm(rate_rps=8.0), r"hung up; the gateway counted cancelled \+"),
    ],
    ids=["surge", "factor", "long prompts", "retries", "disconnects"],
)
def test_a_storm_arrives_at_the_gateway_and_goes(platform, proven, fault, shows):
    done = proven(fault)
    assert re.search(shows, done.proof), done.proof
    (helper,) = background_processes(done.lease.fault_id)
    heal_elsewhere(platform)
    assert not helper.is_running() or helper.status() == psutil.STATUS_ZOMBIE


def test_a_core_is_taken(proven):
    assert "1 burner(s) use" in proven(CpuPressure(workers=1, load_percent=80)).proof


def test_memory_is_taken(proven):
    assert "MiB are resident" in proven(MemoryPressure(memory_mb=128)).proof


def test_a_recorder_without_disk_keeps_running_and_goes_on_when_there_is_room(platform, proven):
    recorder = platform.process("recorder")
    assert "samples has not grown" in proven(DiskFull()).proof
    heal_elsewhere(platform)
    assert platform.condition(recorder) == "running"
    assert platform.file_limit(recorder) is None


def test_a_gateway_without_disk_serves(platform, proven):
    gateway = platform.process("gateway")
    before = served(platform)
    assert "gateway.log has not grown" in proven(DiskFull(victim="gateway")).proof
    time.sleep(1)
    assert served(platform) > before
    assert platform.condition(gateway) == "running"


def served(platform):
    return {s.labels["outcome"]: s.value for s in platform.metric("gateway", "sre_gateway_requests_total")}["ok"]


@pytest.mark.parametrize(("skew_s", "shows"), [(120.0, "dropped as late"), (-120.0, "was served")])
def test_a_wrong_clock_judges_deadlines_wrongly(platform, proven, skew_s, shows):
    done = proven(ClockSkew(skew_s=skew_s))
    assert shows in done.proof
    heal_elsewhere(platform)
    assert platform.engine_faults(done.lease.plan.target) == {}


def test_a_killed_gateway_is_ready_again_at_the_same_address(platform, proven):
    url = platform.gateway_url
    done = proven(GatewayCrash())
    since = GatewayCrash.recovered(platform, done.lease, timeout_s=30)
    assert 0 < since - done.lease.begin < 20
    assert platform.gateway_url == url


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_nobody_scales(platform, proven, how):
    done = proven(AutoscalerDown(how=how))
    assert "autoscaler" in done.proof
    heal_elsewhere(platform)


def test_a_machine_with_notice_is_gone_and_comes_back_by_the_undo(platform, proven):
    done = proven(SpotPreemption(notice_s=2.0))
    name = done.lease.plan.target
    assert "was drained, and was gone" in done.proof
    time.sleep(1.5)  # a killed replica would be starting again by now
    assert {r.name: r.state for r in platform.replicas()}[name] == "drained"
    heal_elsewhere(platform)


def test_a_lost_zone_stays_lost_until_the_undo(platform, proven):
    done = proven(ZoneLoss(replicas=2))
    assert "their server processes are gone" in done.proof
    time.sleep(1.5)
    states = {r.name: r.state for r in platform.replicas()}
    assert {states[name] for name in done.lease.plan.replicas} == {"drained"}
    heal_elsewhere(platform)


def test_a_count_that_jumps_goes_back_to_what_it_was(platform, proven):
    done = proven(AutoscalerThrash(low=2, high=4, period_s=3.0))
    assert done.proof == "replicas went from 3 to 4"
    deadline = time.monotonic() + 30
    while not any(each["to"] == 2 for each in scalings(platform, done.lease)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    heal_elsewhere(platform)
    AutoscalerThrash.recovered(platform, done.lease, timeout_s=40)
    scaled = scalings(platform, done.lease)
    assert [each["to"] for each in scaled[:2]] == [4, 2]
    assert scaled[-1]["to"] == 3
    assert scaled[-1]["reason"] == f"undo of fault {done.lease.fault_id}"


def scalings(platform, lease):
    """Those of this fault: the autoscaler may have a word in between."""
    scaled = [event["detail"] for event in events(platform) if event["event"] == "scaled"]
    return [detail for detail in scaled if lease.fault_id in detail["reason"]]


def events(platform):
    return [json.loads(line) for line in (platform.state_dir / "events.jsonl").read_text().splitlines()]
