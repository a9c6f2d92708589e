"""A suite is played in an order that starts few platforms; what breaks costs itself only; what was done is kept."""

import contextlib
import importlib.util
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sre.chaos.exit_codes import ExitCode
from sre.errors import BadDocument, EnvironmentLacks, PlatformError
from sre.gameday.model import DrillOptions
from sre.gameday.prepare import prepare
from sre.gameday.suite import batches, cannot_play, suite_of
from sre.gameday.suite_drills import prepare_all, suite_exit_code
from sre.gameday.suite_run import SuiteRun
from sre.reports.suite_model import Entry, SuiteReport

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def report():
    """A drill's report, made by the factory of the report tests."""
    name = "sre_drill_factory"
    path = ROOT / "tests" / "sre" / "reports" / "drill_factory.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    if not hasattr(module, "make_drill"):
        spec.loader.exec_module(module)
    return module.make_drill(requests=30)


@pytest.fixture
def workspace(tmp_path):
    shutil.copytree(ROOT / "slo", tmp_path / "slo")
    (tmp_path / "experiments").mkdir()
    return tmp_path


def experiment(workspace, name, *, replicas=3, tags="[llm-serving]", number=1):
    text = (ROOT / "experiments" / "replica-crash.yaml").read_text()
    for old, new in (
        ("replicas: 3", f"replicas: {replicas}"),
        ("tags: [llm-serving, triton, replica]", f"tags: {tags}"),
        ("id: EXP-001", f"id: EXP-{number:03}"),
        ("title: A replica crash loses no request", f"title: {name}"),
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    path = workspace / "experiments" / f"{name}.yaml"
    path.write_text(text)
    return path


def options(workspace, path=None):
    return DrillOptions(path or workspace, workspace, workspace / ".sre", workspace / "reports")


@pytest.fixture
def drills(workspace):
    """a and c ask for three replicas, b for four."""
    paths = [experiment(workspace, name, replicas=4 if name == "b" else 3) for name in "abc"]
    return [prepare(options(workspace, path), now=0.0) for path in paths]


class Told:
    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)

    def step(self, text):
        self.lines.append(text)

    detail = done = fail = lambda self, *_: None


class FakeStage:
    """`breaks` raises in the drill of that title, `sick` is wrong after it, `no_start` are specs by replicas."""

    def __init__(self, report, *, breaks=None, sick=None, no_start=()):
        self.report, self.breaks, self.sick, self.no_start = report, breaks or {}, sick or {}, no_start
        self.log, self.last = [], None

    @contextlib.contextmanager
    def platform(self, spec):
        if spec.replicas in self.no_start:
            raise EnvironmentLacks("Triton is absent")
        self.log.append(f"up {spec.replicas}")
        try:
            yield spec.replicas
        finally:
            self.log.append("down")

    def drill(self, prepared, running, *, is_first):
        self.last = prepared.drill.title
        self.log.append(f"{self.last} on {running}{' first' if is_first else ''}")
        if self.last in self.breaks:
            raise self.breaks[self.last]
        return replace(self.report, title=self.last)

    def unwell(self, running):
        return self.sick.get(self.last)


def played(drills, stage):
    run = SuiteRun(stage, Told())
    run.play(batches(drills))
    return run, {entry.title: entry.outcome for entry in run.entries}


def test_drills_that_ask_for_the_same_platform_share_it_in_their_own_order(drills, report):
    stage = FakeStage(report)
    run, outcomes = played(drills, stage)
    assert stage.log == ["up 3", "a on 3 first", "c on 3", "down", "up 4", "b on 4 first", "down"]
    assert outcomes == dict.fromkeys("acb", "passed")
    assert (run.starts, [entry.platform for entry in run.entries]) == (2, [1, 1, 2])


def test_a_drill_that_breaks_costs_itself_only(drills, report):
    stage = FakeStage(report, breaks={"a": PlatformError("the load generator died"), "b": ZeroDivisionError("x")})
    run, outcomes = played(drills, stage)
    assert outcomes == {"a": "error", "c": "passed", "b": "error"}
    assert run.entries[0].reasons == ("the load generator died",)
    assert "a defect of this kit: ZeroDivisionError" in run.entries[2].reasons[0]
    assert stage.log.count("up 3") == 1


def test_a_platform_that_does_not_come_back_to_calm_is_started_anew_and_said_so(drills, report):
    stage = FakeStage(report, sick={"a": "llm-1 is backoff"})
    run, outcomes = played(drills, stage)
    assert stage.log[:5] == ["up 3", "a on 3 first", "down", "up 3", "c on 3 first"]
    assert run.notes == ["The platform was started anew after a.yaml: llm-1 is backoff."]
    assert set(outcomes.values()) == {"passed"}


def test_nobody_waits_for_a_platform_that_has_no_drill_left(drills, report):
    stage = FakeStage(report, sick={"c": "would be started anew"})
    assert played(drills, stage)[0].notes == []


def test_a_platform_that_does_not_start_fails_its_own_drills_only(drills, report):
    run, outcomes = played(drills, FakeStage(report, no_start=(3,)))
    assert outcomes == {"a": "error", "c": "error", "b": "passed"}
    assert run.entries[0].reasons == ("the platform did not come up: Triton is absent",)


def test_an_interruption_ends_in_order_and_keeps_what_was_done(drills, report):
    stage = FakeStage(report, breaks={"c": KeyboardInterrupt()})
    run, outcomes = played(drills, stage)
    assert outcomes == {"a": "passed", "c": "interrupted", "b": "not run"}
    assert run.is_interrupted
    assert stage.log[-1] == "down"


def test_an_interruption_between_drills_is_no_drills_own(drills, report):
    class Impatient(FakeStage):
        def unwell(self, running):
            raise KeyboardInterrupt

    assert played(drills, Impatient(report))[1] == {"a": "passed", "c": "not run", "b": "not run"}


def test_the_progress_says_which_drill_of_how_many(drills, report):
    stage, told = FakeStage(report), Told()
    SuiteRun(stage, told).play(batches(drills))
    assert [line for line in told.lines if line.startswith("drill")][1].startswith("drill 2 of 3: c (about ")


def test_full_is_every_experiment_and_any_other_name_a_tag(workspace):
    crash = experiment(workspace, "crash", tags="[smoke, replica]")
    hang = experiment(workspace, "hang", tags="[replica]")
    assert suite_of("full", workspace).experiments == (crash, hang)
    assert suite_of("smoke", workspace).experiments == (crash,)
    with pytest.raises(BadDocument, match=r"has the tag 'smok': use one of full, replica, smoke"):
        suite_of("smok", workspace)


def test_a_suite_may_be_a_file_with_its_own_order(workspace):
    hang, crash = experiment(workspace, "hang"), experiment(workspace, "crash")
    listed = workspace / "friday.yaml"
    listed.write_text("name: friday\nexperiments: [experiments/hang.yaml, experiments/crash.yaml]\n")
    suite = suite_of(str(listed), workspace)
    assert (suite.name, suite.experiments) == ("friday", (hang, crash))
    listed.write_text("name: friday\nexperiment: []\n")
    with pytest.raises(BadDocument) as caught:
        suite_of(str(listed), workspace)
    assert [line.rpartition("yaml")[2] for line in caught.value.faults] == [
        ":2: experiment: unknown key: did you mean `experiments`?",
        ":1: experiments: missing: list experiment files",
    ]


def test_every_fault_of_every_file_is_told_before_anything_starts(workspace):
    paths = [experiment(workspace, name) for name in "ab"]
    for path in paths:
        path.write_text(path.read_text().replace("rate_rps: 6.0", "rate_rps: -1"))
    with pytest.raises(BadDocument) as caught:
        prepare_all(paths, options(workspace), now=0.0)
    assert [Path(fault.partition(":")[0]).name for fault in caught.value.faults] == ["a.yaml", "b.yaml"]
    assert not (workspace / "reports").exists()


def test_a_fault_of_another_platform_is_skipped_with_the_reason(drills):
    assert cannot_play(drills[0].drill) is None
    assert "kubernetes only" in cannot_play(replace(drills[0].drill, faults=("dns-failure",)))


def suite_report(*outcomes):
    entries = tuple(Entry(f"{n}.yaml", "t", None, outcome) for n, outcome in enumerate(outcomes))
    return SuiteReport("id", "smoke", 0.0, 1.0, entries, 1)


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        (("passed", "skipped"), ExitCode.PASSED),
        (("passed", "known"), ExitCode.PASSED),
        (("known", "deviated"), ExitCode.DEVIATED),
        (("deviated", "void"), ExitCode.VOID),
        (("void", "aborted", "passed"), ExitCode.ABORTED),
        (("error", "aborted", "passed"), ExitCode.ERROR),
        (("passed", "interrupted", "not run"), ExitCode.INTERRUPTED),
        (("skipped", "skipped"), ExitCode.VOID),
        ((), ExitCode.VOID),
        (("error",), ExitCode.ERROR),
    ],
)
def test_the_exit_code_is_the_weightiest_outcomes(outcomes, code):
    assert suite_exit_code(suite_report(*outcomes), strict=False) == code


def test_a_known_weakness_counts_when_asked_to_be_strict():
    assert suite_exit_code(suite_report("passed", "known"), strict=True) == ExitCode.DEVIATED
    assert suite_exit_code(suite_report("passed", "passed"), strict=True) == ExitCode.PASSED
