"""The fake platform as fixtures: test folders are no packages, so it is loaded by its path."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from serving.rehearsal.clock import run_virtually
from sre.chaos.leases.ledger import Ledger, fault_windows
from sre.chaos.leases.records import Run
from sre.chaos.model import BlastRadius
from sre.gameday.rehearsal.leases import Leases
from sre.gameday.rehearsal.readings import Readings
from sre.gameday.rehearsal.samples import VirtualRecorder
from sre.gameday.rehearsal.script import Script
from sre.gameday.rehearsal.stage import Paces, Scene
from sre.gameday.rehearsal.timetable import AS_PLANNED
from sre.platforms.processes import ProcessRef

ROOT = Path(__file__).resolve().parents[4]


def load_fake():
    name = "sre_rehearsal_fake_platform"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("fake_platform.py"))
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@dataclass
class Bench:
    """One run on a fake platform; `play` plays an experiment in virtual time and returns its journal."""

    platform: object
    leases: Leases
    readings: Readings

    def play(self, experiment, *, times=AS_PLANNED, settle_s=5.0, watch=None):
        script = Script(experiment, self.leases, self.readings, times, settle_s)
        if watch is not None:
            script.watch = lambda: watch(script)

        async def whole():
            await script.play()
            for task in self.platform.tasks:
                task.cancel()

        run_virtually(whole())
        return script.journal

    @property
    def faults(self):
        return fault_windows(self.leases.ledger.read())


@pytest.fixture
def fake():
    return load_fake()


@pytest.fixture
def bench(tmp_path, fake):
    platform = fake.FakePlatform()
    scene = Scene(platform, VirtualRecorder(tmp_path / "samples", interval_s=1.0), Paces(chaos_start_s=2.0, act_s=0.0))
    radius = BlastRadius(max_replicas=1, min_healthy=1, components=("gateway", "traffic", "recorder", "host"))
    run = Run("r-test", ProcessRef(0, 0.0), "a test", radius, fake.EPOCH + 500.0)
    leases = Leases(scene, Ledger(tmp_path), run)
    yield Bench(platform, leases, Readings(scene, ROOT / "slo"))
    scene.recorder.close()


def action(func, *, before=0.0, after=0.0, module="sre.chaos.actions", **arguments):
    return {
        "name": func,
        "type": "action",
        "provider": {"type": "python", "module": module, "func": func, "arguments": arguments},
        "pauses": {"before": before, "after": after},
    }


def experiment_with(*method, hypothesis=None, rollbacks=()):
    found = {"title": "a test", "method": list(method), "rollbacks": list(rollbacks)}
    if hypothesis is not None:
        found["steady-state-hypothesis"] = {"title": "steady", "probes": hypothesis}
    return found


def all_serve(tolerance=0):
    probe = {"type": "python", "module": "sre.chaos.probes", "func": "unhealthy_replicas"}
    return {"name": "replicas that do not serve", "type": "probe", "tolerance": tolerance, "provider": probe}


@pytest.fixture
def words():
    """How experiments are written in these tests."""

    class Words:
        action = staticmethod(action)
        experiment = staticmethod(experiment_with)
        all_serve = staticmethod(all_serve)

    return Words
