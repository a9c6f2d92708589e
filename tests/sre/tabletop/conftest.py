"""Exercises, stores and a clock for the tests of tabletops."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sre.chaos.experiment import load_drill
from sre.incidents.model import TimelineEvent
from sre.incidents.store import open_store
from sre.reports.json_report import load_report
from sre.runbooks.render import page_of
from sre.tabletop.artefacts import Recording
from sre.tabletop.choosing import Wanted
from sre.tabletop.drills import Found, find_drill
from sre.tabletop.model import Evidence
from sre.tabletop.package import read_package, write_package
from sre.tabletop.plan import plan
from sre.tabletop.scenario_reader import shipped_scenario
from sre.tabletop.seen import instants_of
from sre.tabletop.session import Played, Session, open_session

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "reports" / "example"
START = 1_795_700_000.0


@dataclass
class Clock:
    """Time that passes only when it is told to."""

    now: float = START

    def __call__(self) -> float:
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += minutes * 60


def exercise_of(stem, found, *, wanted=Wanted()):  # noqa: B008  (frozen)
    """The exercise of one of our experiments, by its file's name."""
    drill = load_drill(ROOT / "experiments" / f"{stem}.yaml")
    return plan(drill, page_of(drill.runbook), (), found, scenario=shipped_scenario(), wanted=wanted)


def no_drill():
    return Found(None, Evidence("", "", "", "", "", "no drill is there"))


def found_in(report):
    """A report that lies nowhere, without samples."""
    recording = Recording(report, instants_of(report), None, "n/a (no samples)")
    return Found(recording, Evidence(report.id, "somewhere", "2026-11-25", report.verdict, "0" * 64))


def told_by(report, drill):
    """The report as if it were this experiment's: its fault's name, and rows of the harness among the platform's."""
    name = drill.faults[0]
    faults = tuple(replace(fault, fault=name, proof=f"{name} was seen by the watchdog") for fault in report.faults)
    begin = faults[0].begin
    planted = (
        TimelineEvent(
            begin + 0.1, "platform", f"llm-1 slower (reason=fault f-0123abcd, from=3, to=2) {name}", "events.jsonl"
        ),
        TimelineEvent(begin + 0.2, "platform", f"scaled (from=3, to=2, reason={name})", "events.jsonl"),
        TimelineEvent(begin + 0.3, "platform", "helper sre.chaos.processes.thrash started", "events.jsonl"),
        TimelineEvent(begin + 0.4, "platform", f"{name.replace('-', '_')} noticed", "events.jsonl"),
    )
    incident = replace(report.incident, timeline=(*report.incident.timeline, *planted))
    return replace(report, faults=faults, incident=incident)


@pytest.fixture(scope="session")
def example_report():
    return load_report(EXAMPLE / "report.json")


@pytest.fixture(scope="session")
def exercise():
    """The exercise of the replica's crash, from the committed example."""
    drill = load_drill(ROOT / "experiments" / "replica-crash.yaml")
    return exercise_of("replica-crash", find_drill(drill, ROOT, EXAMPLE))


@pytest.fixture(scope="session")
def alerted():
    """A drill made by code in which requests fail and pages fire."""
    name = "sre_drill_factory"
    if name not in sys.modules:
        path = ROOT / "tests" / "sre" / "reports" / "drill_factory.py"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name].make_drill()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def store(tmp_path, clock):
    kept = open_store(tmp_path / "incidents.sqlite", clock=clock)
    yield kept
    kept.close()


@pytest.fixture(scope="session")
def package(exercise, tmp_path_factory):
    folder = tmp_path_factory.mktemp("package") / "EXP-001"
    write_package(exercise, folder)
    return folder


@pytest.fixture(scope="session")
def played(package):
    exercise, sha256 = read_package(package)
    return Played(exercise, str(package), sha256)


@pytest.fixture
def session(store, played, clock):
    case = open_session(store, played, facilitator="jane", at=clock())
    return Session(store, case, played, facilitator="jane", clock=clock)
