"""Each fault of replicas and engines on three real replicas: proven, undone from the ledger alone, recovered, and gone.

Other runs' faults are undone by other processes, so every undo here gets the lease as the ledger has it.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sre.chaos.faults.catalogue import fault_class
from sre.chaos.faults.engine import GpuError, KvExhaustion, ReplicaSlow
from sre.chaos.faults.engine_start import BadRollout, ColdStart, ModelLoadFailure
from sre.chaos.faults.poison import PoisonRequest
from sre.chaos.faults.replica import ReplicaCrash, ReplicaHang, StubCrash
from sre.chaos.leases.lease import heal, inject
from sre.chaos.leases.ledger import Ledger
from sre.chaos.leases.records import Run, open_leases, run_begin
from sre.chaos.model import BlastRadius
from sre.errors import EnvironmentLacks, PlatformError
from sre.platforms.local import LocalPlatform, down, platform_spec, server_description, up
from sre.platforms.model import NoProcess
from sre.platforms.processes import ProcessRef, marked

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
RECOVERED_WITHIN_S = 60.0


@pytest.fixture(scope="module")
def platform(tmp_path_factory) -> Iterator[LocalPlatform]:
    try:
        server_description()
    except EnvironmentLacks as error:
        pytest.skip(f"Triton: {error}")
    state_dir = tmp_path_factory.mktemp("faults") / "state"
    spec = platform_spec(state_dir, port=0, replicas=3, unhealthy_restart_s=60.0)
    try:
        yield up(spec, state_dir, detached=False)
    finally:
        down(state_dir)
        assert marked(state_dir, None) == []


@pytest.fixture(scope="module")
def run(platform):
    me = psutil.Process()
    radius = BlastRadius(max_replicas=2, min_healthy=1, components=())
    run = Run("r-faults", ProcessRef(me.pid, me.create_time()), "faults", radius, time.time() + 600)
    Ledger(platform.state_dir).append(run_begin(run, at=time.time()))
    return run


def played(platform, run, fault) -> str:
    """Inject, heal as somebody else would, wait for recovery; returns the proof."""
    done = inject(platform, fault, lease_s=60.0, run=run)
    (lease,) = open_leases(Ledger(platform.state_dir).read())
    assert lease.plan == done.lease.plan
    assert heal(platform, lease, by="another process") is True
    fault_class(lease.fault).undo(platform, lease)  # once more changes nothing
    assert heal(platform, lease, by="a third") is False
    fault_class(lease.fault).recovered(platform, lease, timeout_s=RECOVERED_WITHIN_S)
    assert_well(platform)
    return done.proof


def assert_well(platform) -> None:
    deadline = time.monotonic() + RECOVERED_WITHIN_S
    while not all(replica.serving for replica in platform.replicas()):
        assert time.monotonic() < deadline, platform.replicas()
        time.sleep(0.1)
    for replica in platform.replicas():
        assert platform.infer(replica.name, "are you well", max_tokens=4).error is None
        assert platform.engine_faults(replica.name) == {}
        assert platform.condition(platform.process("stub", replica.name)) == "running"
    assert list(Path(platform.state_dir / "models").glob("*/llm/faults.json")) == []


FAULTS = [
    (ReplicaCrash(replica="llm-0"), "is gone"),
    (StubCrash(replica="llm-1"), "Stub process"),
    (ReplicaHang(replica="llm-2"), "is stopped"),
    (ReplicaHang(replica="llm-2", part="stub"), "is stopped"),
    (ReplicaSlow(replica="llm-0", factor=4.0), "16 tokens take"),
    (KvExhaustion(replica="llm-0", blocks=4), "gets no token"),
    (GpuError(replica="llm-0", xid=94), "XID 94"),
    (GpuError(replica="llm-1", xid=48), "XID 48"),
    (GpuError(replica="llm-2", xid=79), "XID 79"),
    (ModelLoadFailure(replica="llm-0"), "backs off"),
    (BadRollout(replica="llm-1", bad_output_every=4), "of 64 tokens are rubbish"),
    (ColdStart(replica="llm-2", extra_s=8.0), "start"),
    (PoisonRequest(), "crashed 2 of 3 engines"),
]


@pytest.mark.parametrize(("fault", "words"), FAULTS, ids=[f"{n} {fault.name}" for n, (fault, _) in enumerate(FAULTS)])
def test_a_fault_is_proven_undone_and_nothing_of_it_stays(platform, run, fault, words):
    assert words in played(platform, run, fault)


def test_the_gateway_says_that_it_put_the_poison_in_quarantine(platform):
    counted = {s.labels["event"]: s.value for s in platform.metric("gateway", "sre_gateway_poison_total")}
    assert counted["quarantined"] == 1


def test_another_process_undoes_it_with_the_ledger_alone(platform, run):
    done = inject(platform, ReplicaHang(replica="llm-0"), lease_s=60.0, run=run)
    sre = Path(sys.executable).with_name("sre")
    subprocess.run((sre, "chaos", "heal", "--state-dir", str(platform.state_dir)), check=True, timeout=60)
    assert platform.condition(done.lease.plan.handles["server"]) == "running"
    assert open_leases(Ledger(platform.state_dir).read()) == ()
    assert_well(platform)


def successor_of(platform, server, name):
    deadline = time.monotonic() + RECOVERED_WITHIN_S
    while True:
        with contextlib.suppress(NoProcess):
            if (now := platform.process("server", name))["pid"] != server["pid"]:
                return now
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_replica_that_was_replaced_meanwhile_is_left_alone(platform, run):
    done = inject(platform, StubCrash(replica="llm-0"), lease_s=60.0, run=run)
    platform.signal(done.lease.plan.handles["server"], "kill")  # as the supervisor does with an unhealthy one
    successor = successor_of(platform, done.lease.plan.handles["server"], "llm-0")
    platform.wait_ready("llm-0", timeout_s=RECOVERED_WITHIN_S)
    heal(platform, done.lease, by="another process")
    assert platform.process("server", "llm-0") == successor
    assert_well(platform)


def test_a_replica_that_was_scaled_away_meanwhile_is_not_missed(platform, run):
    done = inject(platform, GpuError(replica="llm-2", xid=79), lease_s=60.0, run=run)
    platform.scale(2, reason="test")
    deadline = time.monotonic() + RECOVERED_WITHIN_S
    while len(platform.replicas()) > 2:
        assert time.monotonic() < deadline, platform.replicas()
        time.sleep(0.1)
    heal(platform, done.lease, by="another process")
    assert GpuError.recovered(platform, done.lease, timeout_s=5.0) == 0.0
    platform.scale(3, reason="test")
    platform.wait_ready("llm-2", timeout_s=RECOVERED_WITHIN_S)
    assert_well(platform)


def test_two_faults_of_one_kind_do_not_share_an_engine(platform, run):
    done = inject(platform, ReplicaSlow(replica="llm-0"), lease_s=60.0, run=run)
    with pytest.raises(PlatformError, match="already: end that fault first"):
        inject(platform, ReplicaSlow(replica="llm-0"), lease_s=60.0, run=run)
    heal(platform, done.lease, by="another process")
    assert_well(platform)
