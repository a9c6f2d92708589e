"""Lets the tests import their neighbours, and plays their scenes several at a time: most of a scene is waiting."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
AT_A_TIME = 6


@pytest.fixture(scope="session")
def played(request, tmp_path_factory):
    """`played(case)`: what became of a case; those of this session were begun together when the first was asked for."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and runs would inherit that
    asked = [item.callspec.params["case"] for item in request.session.items if "played" in item.fixturenames]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        futures = {case.name: pool.submit(case.play, tmp_path_factory.mktemp("scene")) for case in asked}
        yield lambda case: futures[case.name].result()
        for future in futures.values():
            future.cancel()
    signal.signal(signal.SIGHUP, before)
