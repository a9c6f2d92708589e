"""Engines that are told to be ill: each fault is seen from outside, and its undo takes back no more than it gave."""

import json
import time
from dataclasses import replace

import pytest

from sre.chaos.faults import engine, engine_start, pace, poison
from sre.chaos.faults.engine import GpuError, KvExhaustion, ReplicaSlow
from sre.chaos.faults.engine_start import BAD_OUTPUT, BadRollout, ColdStart, ModelLoadFailure
from sre.chaos.faults.model import NotProven
from sre.chaos.faults.poison import PoisonRequest
from sre.chaos.leases.lease import heal, inject
from sre.chaos.leases.ledger import Ledger
from sre.chaos.leases.records import open_leases
from sre.chaos.model import BlastRadius
from sre.errors import PlatformError, SreError
from sre.platforms.model import Inference

TARGET = "llm-1"
XID = (TARGET, "DCGM_FI_DEV_XID_ERRORS")
RUNNING = [
    ReplicaSlow(factor=3.0),
    KvExhaustion(blocks=4),
    GpuError(xid=79),
    GpuError(xid=48),
    GpuError(xid=94),
]
STARTING = [
    ModelLoadFailure(),
    BadRollout(error_every=3, restart="kill"),
    BadRollout(bad_output_every=4, restart="kill"),
    BadRollout(slow_factor=4.0, restart="kill"),
    ColdStart(extra_s=20.0),
]


class Engines:
    """Stands in for the engines of a FakePlatform: they have what they are told."""

    def __init__(self, platform):
        self.platform = platform
        self.deaf = False
        self.asked = 0
        self.tell, platform.set_engine_faults = platform.set_engine_faults, self.told
        self.seen, platform.replicas = platform.replicas, self.replicas
        platform.engine = self.answer

    def told(self, replica, faults):
        before = self.platform.engine_faults(replica)
        self.tell(replica, faults)
        xid = faults.get("xid", 0)
        if self.deaf or xid == before.get("xid", 0):
            return
        self.platform.metrics[(replica, "DCGM_FI_DEV_XID_ERRORS")] = xid
        if xid in (48, 79, 95):
            self.platform.signal(self.platform.process("stub", replica), "kill")

    def answer(self, replica, prompt, max_tokens):
        faults = {} if self.deaf else self.platform.engine_faults(replica)
        self.asked += 1
        if self.asked % faults.get("error_every", 10**9) == 0:
            return Inference("", 0.01, "injected fault: each so many-th request fails")
        if len(prompt.split()) > 16 * faults.get("kv_blocks", 10**9):
            return Inference("", float("inf"))
        every = faults.get("bad_output_every", 10**9)
        words = [BAD_OUTPUT if number % every == 0 else "word" for number in range(1, max_tokens + 1)]
        return Inference(" ".join(words), 0.01 * max_tokens * faults.get("slow_factor", 1.0))

    def replicas(self):
        """A replica that was told how to start has been started, as slowly or as badly as it was told."""
        return tuple(r if self.deaf else self.started(r) for r in self.seen())

    def started(self, replica):
        faults = self.platform.engine_faults(replica.name)
        if faults.get("fail_load"):
            return replace(replica, state="backoff", restarts=1)
        return replace(replica, state="starting") if faults.get("cold_start_extra_s") else replica


@pytest.fixture
def engines(platform, monkeypatch):
    platform.restart_s = 0.0  # a killed server is there again at once
    monkeypatch.setattr(pace, "_SEEN_WITHIN_S", 0.2)
    monkeypatch.setattr(engine, "SEEN_WITHIN_S", 0.2)
    monkeypatch.setattr(engine, "DEAD_WITHIN_S", 0.2)
    monkeypatch.setattr(engine_start, "REFUSED_WITHIN_S", 0.2)
    monkeypatch.setattr(engine_start, "RESTARTED_WITHIN_S", 0.2)
    return Engines(platform)


@pytest.fixture
def applied(platform, lease_for):
    def do(fault):
        made = lease_for(fault)
        fault.apply(platform, made)
        return made

    return do


def named(fault):
    return f"{fault.name} {getattr(fault, 'xid', '')}{getattr(fault, 'bad_output_every', '')}"


@pytest.mark.parametrize("fault", [*RUNNING, *STARTING], ids=named)
@pytest.mark.usefixtures("engines")
def test_each_is_proven_undone_from_the_ledger_and_leaves_nothing(platform, run, clock, fault):
    done = inject(platform, fault, lease_s=60, run=run, now=clock)
    assert done.proof.startswith(f"{TARGET}: " if fault.name != "bad-rollout" else "llm-0: ")
    (lease,) = open_leases(Ledger(platform.state_dir).read())
    assert heal(platform, lease, by="the watchdog", now=clock) is True
    assert heal(platform, lease, by="somebody else", now=clock) is False
    type(fault).undo(platform, lease)
    assert all(platform.engine_faults(replica.name) == {} for replica in platform.replicas())
    type(fault).recovered(platform, lease, timeout_s=5)


@pytest.mark.parametrize("fault", [*RUNNING, *STARTING], ids=named)
def test_an_engine_that_does_not_have_it_proves_nothing_and_gets_its_keys_taken(platform, engines, run, clock, fault):
    engines.deaf = True
    if fault.name == "cold-start":
        fault = replace(fault, restart="drain")  # and nobody restarts it
    with pytest.raises(NotProven):
        inject(platform, fault, lease_s=60, run=run, now=clock)
    assert all(platform.engine_faults(replica.name) == {} for replica in platform.replicas())


@pytest.mark.parametrize("fault", [*RUNNING, *STARTING], ids=named)
@pytest.mark.usefixtures("engines")
def test_other_faults_of_the_same_engine_are_left_as_they_are(platform, applied, fault):
    for name in ("llm-0", TARGET):
        platform.set_engine_faults(name, {"clock_skew_s": 30.0})
    made = applied(fault)
    (hit,) = made.plan.replicas
    assert set(platform.engine_faults(hit)) == {"clock_skew_s", *made.plan.handles["keys"]}
    fault.undo(platform, made)
    assert platform.engine_faults(hit) == {"clock_skew_s": 30.0}


@pytest.mark.usefixtures("engines")
def test_the_prompt_that_proves_a_lack_of_blocks_has_a_deadline_at_which_its_engine_drops_it(platform, run, clock):
    """Else it would hold up all behind it: Triton does not hear a client that gives up."""
    deadlines, ask = [], platform.infer

    def infer(replica, prompt, *, deadline_at=None, timeout_s, **how):
        if "kv_blocks" not in platform.engine_faults(replica):
            return ask(replica, prompt, timeout_s=timeout_s, **how)
        within_s = deadline_at - time.time()
        deadlines.append(within_s)
        assert within_s < timeout_s
        return Inference("", within_s, "DEADLINE_EXCEEDED: deadline_at passed before the first token: none was made")

    platform.infer = infer
    done = inject(platform, KvExhaustion(blocks=4), lease_s=60, run=run, now=clock)
    assert done.proof == f"{TARGET}: a prompt of over 4 blocks gets no token in 2.0 s"
    assert deadlines == [pytest.approx(2.0, abs=0.1)]


@pytest.mark.usefixtures("engines")
def test_a_prompt_that_is_dropped_at_once_proves_a_wrong_clock_and_no_lack_of_blocks(platform, run, clock):
    platform.set_engine_faults(TARGET, {"clock_skew_s": 300.0})
    with pytest.raises(NotProven, match="fails instead of waiting: DEADLINE_EXCEEDED"):
        inject(platform, KvExhaustion(blocks=4), lease_s=60, run=run, now=clock)


@pytest.mark.parametrize("fault", [*RUNNING, *STARTING, PoisonRequest()], ids=named)
@pytest.mark.usefixtures("engines")
def test_an_engine_that_has_it_already_is_refused(platform, lease_for, fault):
    made = lease_for(fault)
    told = dict.fromkeys(made.plan.handles["keys"])
    for name in made.plan.replicas:
        platform.set_engine_faults(name, told)
    with pytest.raises(PlatformError, match="already: end that fault first"):
        fault.plan(platform)


@pytest.mark.parametrize("fault", [*RUNNING, *STARTING, PoisonRequest()], ids=named)
@pytest.mark.usefixtures("engines")
def test_a_plan_is_json_and_touches_nothing(platform, lease_for, fault):
    handles = lease_for(fault).plan.handles
    assert json.loads(json.dumps(handles)) == handles
    assert (platform.signals, platform.told, platform.orders) == ([], [], [])


@pytest.mark.usefixtures("engines")
def test_a_replica_that_was_scaled_away_is_not_missed(platform, applied):
    made = applied(GpuError(xid=79))
    del platform.serving_since[TARGET]
    GpuError.undo(platform, made)
    assert platform.engine_faults(TARGET) == {}
    assert GpuError.recovered(platform, made, timeout_s=0.2) == 0.0


@pytest.mark.usefixtures("engines")
def test_a_dead_engine_is_restarted_by_the_undo_and_a_living_one_is_not(platform, applied):
    for xid, killed in ((48, True), (94, False)):
        made = applied(GpuError(xid=xid))
        platform.signals.clear()
        GpuError.undo(platform, made)
        assert (("server", TARGET, "kill") in platform.signals) is killed
        platform.replicas()


def test_a_fatal_gpu_error_is_proven_without_a_page_too(platform, engines, applied):
    made = applied(GpuError(xid=79))
    assert "its page says XID 79" in GpuError.prove(platform, made)
    platform.silent.add(TARGET)
    assert "its page is gone" in GpuError.prove(platform, made)


def test_a_new_version_is_rolled_out_in_order_unless_told_to_kill(platform, engines, lease_for):
    fault = BadRollout(replica=TARGET, bad_output_every=4)
    fault.apply(platform, lease_for(fault))
    assert platform.orders == [("drain", TARGET, engine_start.DRAIN_GRACE_S, True, False)]
    assert platform.signals == []
    assert engines.platform.engine_faults(TARGET) == {"bad_output_every": 4}


@pytest.mark.usefixtures("engines")
def test_a_bad_version_errs_on_each_third_request_unless_told_otherwise(lease_for):
    assert lease_for(BadRollout()).plan.handles["keys"] == {"error_every": 3}
    assert lease_for(BadRollout(slow_factor=2.0)).plan.handles["keys"] == {"slow_factor": 2.0}


@pytest.mark.usefixtures("engines")
def test_a_short_delay_of_a_start_is_read_from_the_page(platform, applied):
    made = applied(ColdStart(extra_s=0.5))
    phases = {(("phase", "injected"),): 0.5, (("phase", "load_weights"),): 9.0}
    platform.metrics[(TARGET, "sre_engine_cold_start_seconds")] = phases
    assert "took 0.5 s more" in ColdStart.prove(platform, made)


@pytest.fixture
def poisonous(platform, monkeypatch, engines):
    """A gateway that tries a request on so many replicas, one after the other."""

    def tries(count):
        def send(platform, lease):
            for name in sorted(platform.serving_since)[:count]:
                if "poison" in platform.engine_faults(name):
                    platform.signal(platform.process("stub", name), "kill")
            return "HTTP 500 poison_suspected"

        monkeypatch.setattr(poison, "_send", send)
        monkeypatch.setattr(poison, "ARMED_WITHIN_S", 0.0)
        monkeypatch.setattr(poison, "DEAD_WITHIN_S", 0.1)

    return tries


def test_the_proof_of_a_poison_says_how_many_engines_it_took(platform, poisonous, run, clock):
    poisonous(2)
    done = inject(platform, PoisonRequest(), lease_s=60, run=run, now=clock)
    assert done.proof == "1 request crashed 2 of 3 engines (llm-0, llm-1); its client got HTTP 500 poison_suspected"
    (lease,) = open_leases(Ledger(platform.state_dir).read())
    assert lease.plan.at_most == 2
    assert lease.plan.target == "llm-0, llm-1, llm-2 (at most 2 of them)"
    heal(platform, lease, by="the watchdog", now=clock)
    assert {(part, name) for part, name, signal in platform.signals if part == "server"} == {
        ("server", "llm-0"),
        ("server", "llm-1"),
    }
    assert all(platform.engine_faults(name) == {} for name in platform.serving_since)
    PoisonRequest.recovered(platform, lease, timeout_s=5)


def test_a_gateway_that_does_not_answer_the_poison_is_no_answer(platform, lease_for):
    assert poison._send(platform, lease_for(PoisonRequest())).startswith("no answer (")


def test_a_poison_that_crashes_nobody_is_not_proven(platform, poisonous, run, clock):
    poisonous(0)
    with pytest.raises(NotProven, match="crashed no engine"):
        inject(platform, PoisonRequest(), lease_s=60, run=run, now=clock)


def test_the_blast_radius_counts_those_a_poison_may_take(platform, poisonous, run, clock):
    poisonous(2)
    narrow = replace(run, radius=BlastRadius(max_replicas=1, min_healthy=1))
    with pytest.raises(PlatformError, match="max_replicas is 1"):
        inject(platform, PoisonRequest(), lease_s=60, run=narrow, now=clock)
    careful = replace(run, radius=BlastRadius(max_replicas=2, min_healthy=2))
    with pytest.raises(PlatformError, match="1 healthy replica"):
        inject(platform, PoisonRequest(), lease_s=60, run=careful, now=clock)


def test_without_any_ready_replica_nobody_is_poisoned(platform, engines):
    for name in platform.serving_since:
        platform.serving_since[name] = float("inf")
    with pytest.raises(PlatformError, match="no replica is ready"):
        PoisonRequest().plan(platform)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ReplicaSlow(factor=1.0), "factor is 1.0: write a number above 1.25"),
        (lambda: ReplicaSlow(factor=True), "factor is True"),
        (lambda: KvExhaustion(blocks=-1), "blocks is -1: write a whole number from 0 to 128"),
        (lambda: GpuError(xid=13), "xid is 13: write one of 48, 79, 94, 95"),
        (lambda: GpuError(xid="79"), "xid is '79'"),
        (lambda: GpuError(error_every=0), "error_every is 0"),
        (lambda: PoisonRequest(max_crashed=0), "max_crashed is 0"),
        (lambda: ModelLoadFailure(restart="reboot"), "restart is 'reboot': write one of drain, kill"),
        (lambda: BadRollout(error_every=0, slow_factor=1), "error_every is 0.*slow_factor is 1"),
        (lambda: ColdStart(extra_s=float("nan")), "extra_s is nan"),
    ],
)
def test_a_wrong_parameter_is_one_line_with_the_mend(make, words):
    with pytest.raises(SreError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
