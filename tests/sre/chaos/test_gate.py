"""What must hold before anything is broken; every refusal at once, each with its mend."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from sre.chaos.faults.replica import ReplicaCrash
from sre.chaos.gate.checks import radius_refusal
from sre.chaos.gate.incidents import OpenIncident, open_incidents
from sre.chaos.gate.lock import take_lock
from sre.chaos.leases.lease import inject
from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.chaos.leases.records import open_leases
from sre.chaos.model import BlastRadius
from sre.chaos.runs import admission
from sre.chaos.runs.admission import admit
from sre.chaos.section.terms import terms_of
from sre.chaos.sight import Sight
from sre.errors import BadDocument, PlatformError
from sre.incidents.events import Draft, Opened, StatusSet
from sre.incidents.store import open_store
from sre.metrics.exposition import SampleId
from sre.metrics.segments import SegmentWriter
from sre.metrics.targets import Target

SLO_DIR = Path(__file__).parents[3] / "slo"
NEVER = "zone: UTC\nfreeze: [{from: 2000-01-01, to: 2200-01-01, reason: no drills here}]"


def experiment(**section):
    stated = {"name": "llm-gameday", "blast_radius": {"max_replicas": 1, "min_healthy": 2}, "deadline_s": 60}
    return {"title": "crash", "extensions": [{**stated, **section}]}


@pytest.fixture
def workspace(tmp_path_factory):
    """A folder with SLO documents beside what the gate reads."""
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "slo").mkdir()
    shutil.copy(SLO_DIR / "availability.yaml", folder / "slo")
    return folder


@pytest.fixture
def gate(platform, clock, workspace, monkeypatch):
    """Asks for a run on a platform that is well; hands out what was let in, and takes it back."""
    clock.at = time.time()
    for name in platform.serving_since:
        platform.serving_since[name] = clock.at - 60
    (platform.state_dir / "samples").mkdir()
    write_requests(platform.state_dir / "samples", ok=6, error=0)
    monkeypatch.setattr(admission, "watches", lambda state_dir: True)
    monkeypatch.setenv("SRE_SLO_DIR", str(workspace / "slo"))
    let_in = []

    def ask(**section):
        admitted = admit(platform, experiment(**section), {})
        let_in.append(admitted)
        return admitted

    yield ask
    for admitted in let_in:
        admitted.lock.release()


def refused(ask, /, **section):
    with pytest.raises((PlatformError, BadDocument)) as error:
        ask(**section)
    assert "\n" not in str(error.value)
    return str(error.value)


def write_requests(directory, *, ok, error, seconds=60, until=None):
    """So many requests a second by outcome, as the recorder writes them."""
    for path in directory.iterdir():
        path.unlink()
    until = time.time() if until is None else until
    target = Target("gateway", "http://127.0.0.1:8400/metrics")
    writer = SegmentWriter(directory, [target], interval_s=1.0, segment_s=1e6, retention_s=1e6)
    for second in range(seconds + 1):
        at = round(until - seconds + second, 3)
        counts = {"ok": ok * second, "error": error * second, "truncated": 0, "rejected": 0}
        writer.advance(at)
        page = {SampleId("sre_gateway_requests_total", (("outcome", o),)): float(n) for o, n in counts.items()}
        writer.scraped(at, 0, page)
    writer.close()


# let in


def test_a_run_that_nothing_stands_against_is_registered_and_holds_the_lock(gate, platform):
    admitted = gate()
    assert admitted.run.deadline_at == pytest.approx(time.time() + 60, abs=5)
    assert Ledger(platform.state_dir).read()[0].event == "run_begin"
    with pytest.raises(PlatformError, match="another run goes on"):
        take_lock(platform.state_dir, "another")


def test_a_platform_too_young_to_be_judged_is_let_in_and_that_is_noted(gate, platform):
    gate()
    (note,) = (r for r in Ledger(platform.state_dir).read() if r.event == "gate_passed")
    assert note.detail["notes"] == [
        "availability: 360 requests are known, too few to have spent 0.1 % of them: not judged"
    ]


def test_a_workspace_without_slos_is_let_in_unless_the_experiment_asks_for_a_budget(gate, platform, workspace):
    shutil.rmtree(workspace / "slo")
    gate().lock.release()
    noted = [r.detail["notes"] for r in Ledger(platform.state_dir).read() if r.event == "gate_passed"]
    assert "the error budget was not looked at" in noted[0][0]
    assert "no such folder" in refused(gate, gate={"min_budget_left": 0.2})


# budget


def test_a_spent_budget_refuses(gate, platform):
    write_requests(platform.state_dir / "samples", ok=100, error=1)
    said = refused(gate)
    assert re.search(r"availability: -\d+ % of its budget is left; 10 % must be kept", said)


def test_a_budget_that_is_left_lets_in(gate, platform):
    write_requests(platform.state_dir / "samples", ok=1000, error=0)
    gate()


def test_what_earlier_runs_spent_was_decided_then(gate, platform):
    write_requests(platform.state_dir / "samples", ok=100, error=1, until=time.time())
    ledger, began = Ledger(platform.state_dir), time.time() - 70
    ledger.append(LedgerRecord(began, "run_begin", detail={"run": "r-1"}))
    ledger.append(LedgerRecord(began + 65, "run_end", detail={"run": "r-1"}))
    gate()


def test_a_budget_of_0_is_not_asked_for(gate, platform):
    write_requests(platform.state_dir / "samples", ok=100, error=50)
    gate(gate={"min_budget_left": 0})


def test_an_slo_that_is_not_there_refuses_with_those_that_are(gate):
    assert "no SLO is named nosuch: use one of availability" in refused(gate, gate={"slos": ["nosuch"]})


# incidents and calendar


def draft(payload, at=1.0):
    return Draft(at, payload, "told by a test", "test", "ada")


def incident(workspace, title="slow answers", *, origin="manual", status=None, at=1.0):
    """An incident in the workspace's store; its id."""
    with closing(open_store(workspace / "incidents.sqlite")) as store:
        later = [] if status is None else [draft(StatusSet(status))]
        return store.open(draft(Opened(title, origin, "SEV2"), at), *later).head.id


def test_an_open_incident_refuses(gate, workspace):
    incident(workspace)
    said = "incident INC-0001 is open (slow answers): resolve it first, `sre incident resolve INC-0001`"
    assert said in refused(gate)


@pytest.mark.parametrize("status", ["acknowledged", "mitigated"])
def test_what_is_not_resolved_is_not_over(gate, workspace, status):
    incident(workspace, status=status)
    assert f"incident INC-0001 is {status}" in refused(gate)


@pytest.mark.parametrize("status", ["resolved", "closed"])
def test_what_is_over_lets_in(gate, workspace, status):
    incident(workspace, status=status)
    gate()


def test_a_drill_that_was_never_resolved_refuses_an_exercise_at_a_table_does_not(gate, workspace):
    incident(workspace, "a crash", origin="drill")
    incident(workspace, "a talk", origin="tabletop")
    assert "INC-0001 is open (a crash)" in refused(gate)
    assert "TTX-0001" not in refused(gate)


def test_open_incidents_are_told_oldest_first(workspace):
    incident(workspace, "late", at=9.0)
    incident(workspace, "early", at=2.0)
    expected = (OpenIncident("INC-0002", "early", "open"), OpenIncident("INC-0001", "late", "open"))
    assert open_incidents(workspace, {}) == expected


def test_no_store_is_no_incident_and_asking_makes_none(tmp_path):
    assert open_incidents(tmp_path, {}) == ()
    assert list(tmp_path.iterdir()) == []


def test_the_store_may_lie_elsewhere(gate, workspace, tmp_path_factory, monkeypatch):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    incident(elsewhere)
    monkeypatch.setenv("SRE_INCIDENTS_URL", f"sqlite:///{elsewhere / 'incidents.sqlite'}")
    assert "INC-0001 is open" in refused(gate)


def test_a_store_that_cannot_be_read_refuses_with_the_reason(gate, workspace):
    (workspace / "incidents.sqlite").write_text("no database, whatever its name says\n" * 9)
    assert "incidents.sqlite: is no SQLite database: keep a copy" in refused(gate)


def test_a_server_that_does_not_answer_refuses_without_its_password(gate, monkeypatch):
    pytest.importorskip("psycopg", reason="psycopg is missing: pip install 'llm-gameday[postgres]'")
    monkeypatch.setenv("SRE_INCIDENTS_URL", "postgresql://sre:swordfish@127.0.0.1:1/incidents")
    said = refused(gate)
    assert "no connection" in said
    assert "swordfish" not in said


def test_a_freeze_refuses(gate, workspace):
    (workspace / "calendar.yaml").write_text(NEVER)
    assert "drills are frozen" in refused(gate)


def test_a_calendar_that_cannot_be_read_refuses(gate, workspace):
    (workspace / "calendar.yaml").write_text("zone: Nowhere")
    assert "calendar.yaml:1: zone" in refused(gate)


# the escape hatch


def test_the_policy_can_be_overridden_with_a_reason_that_is_kept(gate, platform, workspace, monkeypatch):
    (workspace / "calendar.yaml").write_text(NEVER)
    monkeypatch.setenv("SRE_CHAOS_OVERRIDE", "the fix of INC-7 must be proven tonight")
    gate()
    (kept,) = (r for r in Ledger(platform.state_dir).read() if r.event == "gate_overridden")
    assert kept.detail["reason"] == "the fix of INC-7 must be proven tonight"
    assert "drills are frozen" in kept.detail["refusals"][0]


def test_safety_cannot_be_overridden(gate, platform, monkeypatch):
    monkeypatch.setenv("SRE_CHAOS_OVERRIDE", "I know better")
    platform.serving["llm-1"] = False
    assert "blast radius" in refused(gate)


def test_an_empty_reason_is_none(gate, workspace, monkeypatch):
    (workspace / "calendar.yaml").write_text(NEVER)
    monkeypatch.setenv("SRE_CHAOS_OVERRIDE", " ")
    assert "frozen" in refused(gate)


# safety


def test_too_few_healthy_replicas_refuse_before_anything_is_broken(gate, platform):
    platform.serving["llm-2"] = False
    said = refused(gate)
    assert "2 healthy replica(s) now, 1 may be hit, 2 must stay: start more, or wait until all are ready" in said


@pytest.mark.parametrize(
    ("radius", "healthy", "fits"),
    [
        (BlastRadius(1, 1), 2, True),
        (BlastRadius(1, 1), 1, False),
        (BlastRadius(1, 0), 1, True),  # the last one, because the file says so
        (BlastRadius(3, 0), 3, True),
        (BlastRadius(5, 1), 3, False),
        (BlastRadius(0, 3), 3, True),
        (BlastRadius(0, 3), 2, False),
    ],
)
def test_the_last_replica_is_hit_only_when_the_file_says_so(radius, healthy, fits):
    assert (list(radius_refusal(radius, healthy)) == []) == fits


def test_a_recorder_that_fell_silent_refuses(gate, platform):
    (path,) = (platform.state_dir / "samples").iterdir()
    os.utime(path, (time.time() - 60, time.time() - 60))
    assert re.search(r"the recorder has written nothing for (59|60|61) s", refused(gate))
    Sight(platform.state_dir / "samples").require_fresh(now=time.time() - 60)


def test_a_guard_limit_that_names_no_slo_refuses(gate):
    assert "no SLO is named" in refused(gate, guard={"slos": {"avialability": {"max_burn": 3}}})


def test_a_guard_limit_that_can_never_be_passed_refuses(gate):
    said = refused(gate, guard={"slos": {"availability": {"max_burn": 1000}}})
    assert "availability can burn 1000x at most, max_burn is 1000: lower it" in said


def test_what_an_earlier_run_left_is_undone_and_the_run_let_in(gate, platform, run):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = run.__class__(run.run_id, run.process.__class__(gone.pid, 1.0), run.title, run.radius, time.time() + 60)
    inject(platform, ReplicaCrash(), lease_s=30, run=dead)
    platform.clock.at += 10  # it is there again
    gate()
    assert open_leases(Ledger(platform.state_dir).read()) == ()


def test_a_damaged_ledger_refuses(gate, platform):
    ledger = Ledger(platform.state_dir)
    ledger.append(LedgerRecord(1.0, "run_begin"))
    with ledger.path.open("a") as file:
        file.write("no record\n" + json.dumps({"at": 1}) + "\n")
    assert "chaos.jsonl:2: no ledger record" in refused(gate)


def test_every_refusal_is_told_at_once_in_one_line(gate, platform, workspace):
    incident(workspace)
    (workspace / "calendar.yaml").write_text(NEVER)
    write_requests(platform.state_dir / "samples", ok=100, error=50)
    platform.serving["llm-1"] = False
    said = refused(gate, guard={"slos": {"nosuch": {"max_burn": 3}}})
    for part in ("INC-0001", "frozen", "budget is left", "blast radius", "no SLO is named nosuch"):
        assert part in said


def test_a_refused_run_holds_no_lock_and_registers_nothing(gate, platform):
    platform.serving["llm-1"] = False
    refused(gate)
    take_lock(platform.state_dir, "another").release()
    assert Ledger(platform.state_dir).read() == ()


# the lock


def test_the_lock_names_who_holds_it(tmp_path):
    held = take_lock(tmp_path, "A replica crash loses no request")
    expected = rf"another run goes on here, 'A replica crash loses no request' of process {os.getpid()}, since 20"
    with pytest.raises(PlatformError, match=expected):
        take_lock(tmp_path, "another")
    held.release()
    held.release()
    take_lock(tmp_path, "another").release()


HOLD = """
import sys, time
from pathlib import Path
from sre.chaos.gate.lock import take_lock
lock = take_lock(Path(sys.argv[1]), "the first")
print("held", flush=True)
time.sleep(60)
"""


def test_the_kernel_frees_the_lock_of_a_killed_process(tmp_path):
    first = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(PlatformError, match=f"'the first' of process {first.pid}"):
            take_lock(tmp_path, "the second")
    finally:
        first.kill()
        first.wait()
        first.stdout.close()
    take_lock(tmp_path, "the second").release()


def test_who_wrote_nothing_into_the_lock_is_still_respected(tmp_path):
    held = take_lock(tmp_path, "the first")
    (tmp_path / "run.lock").write_text("{")
    with pytest.raises(PlatformError, match="which has not said who it is"):
        take_lock(tmp_path, "the second")
    held.release()


def test_no_state_directory_no_lock(tmp_path):
    with pytest.raises(PlatformError, match="is a platform up here"):
        take_lock(tmp_path / "none", "a run")


# the terms


def test_the_terms_are_read_from_what_the_toolkit_loaded():
    guard = {"slos": {"availability": {"max_burn": 300}}, "max_failed_requests": 4, "metrics_may_vanish": True}
    terms = terms_of(experiment(guard=guard, gate={"min_budget_left": 0.5}, expected={"recovered_within_s": 7}))
    assert terms.radius == BlastRadius(1, 2)
    assert [(limit.slo, limit.max_burn, limit.window_s, limit.min_bad) for limit in terms.guard.burns] == [
        ("availability", 300, 10, 5)
    ]
    assert (terms.guard.max_failed_requests, terms.guard.metrics_may_vanish) == (4, True)
    assert (terms.gate.min_budget_left, terms.gate.stated, terms.settle_s) == (0.5, True, 7)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"guard": {"max_failed_share": 2}}, "guard.max_failed_share: is 2: write a share of 0 to 1"),
        ({"guard": {"max_ttft_p95_s": 10}}, "below 10, where the histogram ends"),
        ({"guard": {"slos": ["availability"]}}, "guard.slos: is a list"),
        ({"guard": {"slos": {"availability": {}}}}, "guard.slos.availability.max_burn: missing"),
        ({"guard": {"slos": {"availability": {"max_burn": float("nan")}}}}, "max_burn: is nan"),
        ({"guard": {"min_healthy_replicas": 1.5}}, "min_healthy_replicas: is 1.5"),
        ({"guard": {"metrics_may_vanish": "yes"}}, "write true"),
        ({"guard": []}, "guard: is a list"),
        ({"gate": {"min_budget_left": "10 %"}}, "gate.min_budget_left: is '10 %'"),
        ({"deadline_s": 0}, "deadline_s: is 0: write seconds"),
        ({"deadline_s": float("inf")}, "deadline_s: is inf"),
        ({"expected": {"recovered_within_s": -1}}, "recovered_within_s: is -1"),
    ],
)
def test_terms_that_are_wrong_say_where_and_how_to_mend_them(section, said):
    with pytest.raises(BadDocument) as error:
        terms_of(experiment(**section))
    assert said in str(error.value)
    assert ":0:" not in str(error.value)


def test_an_experiment_without_our_section_is_told_what_to_add():
    with pytest.raises(BadDocument, match="none is named llm-gameday: add it with blast_radius and deadline_s"):
        terms_of({"title": "crash"})
