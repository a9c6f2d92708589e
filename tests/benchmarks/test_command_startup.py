"""How long a person waits before anything happens: `sre --help` against a bare interpreter."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.benchmark
ROUNDS = 9


def seconds(*argv):
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True)
    return time.perf_counter() - began


def test_help_against_a_bare_interpreter():
    sre = Path(sys.executable).parent / "sre"
    pairs = [(seconds(sre, "--help"), seconds(sys.executable, "-c", "pass")) for _ in range(ROUNDS + 1)][1:]
    ours, bare = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"\nsre --help: {ours:.3f} s, bare interpreter {bare:.3f} s, ratio {ratio:.1f} (medians of {ROUNDS})")
    assert ratio < 30, "help has begun to load something heavy"
