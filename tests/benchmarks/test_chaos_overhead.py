"""What our control, the ledger and the watchdog cost a run: the same `chaos run` with and without them.

On the platform of sleeping processes of tests/integration/chaos_safety, so that nothing else is measured.
"""

import statistics
import sys
import time
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "integration" / "chaos_safety"))

from scene import Scene, activity, experiment

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]
ROUNDS = 9
SHORT_S = 2.0
"""The guard's thread gets ready while a method is played; a method shorter than that would have to wait for it."""
METHOD_S = 20.0


@pytest.fixture
def scene(tmp_path):
    scene = Scene(tmp_path)
    yield scene
    scene.stop()


def without_ours(content):
    return {**content, "controls": [], "extensions": []}


def seconds(scene, content):
    """Wall time of one run, and CPU time of it and its children."""
    before, began = psutil.Process().cpu_times(), time.perf_counter()
    scene.start(content, wait_for=None).run.wait(60)
    after = psutil.Process().cpu_times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return time.perf_counter() - began, cpu


def test_time_added_to_a_run(scene):
    trivial = experiment(method=[activity("wait", seconds=SHORT_S)])
    pairs = [(seconds(scene, trivial), seconds(scene, without_ours(trivial))) for _ in range(ROUNDS + 1)][1:]
    added_ms = statistics.median((ours[0] - bare[0]) * 1000 for ours, bare in pairs)
    cpu_ms = statistics.median((ours[1] - bare[1]) * 1000 for ours, bare in pairs)
    bare_s = statistics.median(bare[0] for _, bare in pairs)
    print(f"\nchaos run: {bare_s:.2f} s; ours add {added_ms:+.0f} ms, {cpu_ms:+.0f} ms of CPU (medians of {ROUNDS})")
    assert added_ms < 100


def test_cpu_while_a_method_is_played(scene):
    waiting = experiment(method=[activity("wait", seconds=METHOD_S + 5)])
    ours = share_of_a_core(scene, waiting)
    print(f"\nwhile a method is played: run {ours[0]:.2%}, watchdog {ours[1]:.2%} of a core")
    assert ours[1] < 0.005
    assert sum(ours) < 0.01


def share_of_a_core(scene, content):
    """Of the run and of its watchdog, from the method's begin on."""
    (scene.folder / "waiting").unlink(missing_ok=True)
    scene.start(content, wait_for=None)
    scene.until(lambda: (scene.folder / "waiting").exists(), "the method")
    time.sleep(2)
    processes = [psutil.Process(scene.run.pid), scene.watchdog()]
    before, began = [sum(process.cpu_times()[:2]) for process in processes], time.perf_counter()
    time.sleep(METHOD_S)
    took_s = time.perf_counter() - began
    after = [sum(process.cpu_times()[:2]) for process in processes]
    scene.run.kill()
    return [(late - early) / took_s for early, late in zip(before, after, strict=True)]
