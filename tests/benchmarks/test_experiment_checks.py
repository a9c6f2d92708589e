"""How long it takes to check experiments: what stands in front of every commit must not be felt.

Judged by processor time, so that whoever else uses the machine does not count; wall time is printed.
"""

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
LEAST = 24
"""As many as the kit ships; where there are fewer, they are repeated."""


class Stopwatch:
    """Wall and processor seconds of finished child processes since it was made."""

    def __init__(self):
        self._began, self._cpu = time.perf_counter(), self._children_s()

    def read(self):
        return time.perf_counter() - self._began, self._children_s() - self._cpu

    @staticmethod
    def _children_s():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime


@pytest.fixture
def experiments():
    shipped = sorted((ROOT / "experiments").rglob("*.yaml"))
    return (shipped * LEAST)[: max(LEAST, len(shipped))]


def test_chaos_validate_of_all_experiments_takes_less_than_15_s(experiments):
    chaos = str(Path(sys.executable).with_name("chaos"))
    watch = Stopwatch()
    for path in experiments:
        command = [chaos, "--no-version-check", "--no-log-file", "validate", str(path)]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    wall_s, cpu_s = watch.read()
    print(f"\nchaos validate, one process each: {len(experiments)} experiments in {cpu_s:.1f} CPU s, {wall_s:.1f} s")
    assert cpu_s < 15


def test_sre_chaos_lint_of_all_experiments_takes_less_than_5_s(experiments, tmp_path):
    copies = []
    for number, path in enumerate(experiments):
        copy = tmp_path / f"{number}.yaml"
        copy.write_text(path.read_text())
        copies.append(str(copy))
    watch = Stopwatch()
    command = [str(Path(sys.executable).with_name("sre")), "chaos", "lint", "--json", *copies]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    wall_s, cpu_s = watch.read()
    assert '"files"' in done.stdout
    print(f"\nsre chaos lint, one process: {len(experiments)} experiments in {cpu_s:.1f} CPU s, {wall_s:.1f} s")
    assert cpu_s < 5
