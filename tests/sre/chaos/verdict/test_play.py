"""`sre chaos run` on toy experiments and the real toolkit: no platform is asked, no fault of ours is caused."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from sre.chaos.runs import play as playing
from sre.chaos.runs.play import files_of, play
from sre.errors import BadDocument, EnvironmentLacks, PlatformError


class Told:
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


class Up:
    def replicas(self):
        return ()


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def toys(tmp_path, monkeypatch, tiny):
    """A state directory; the file is not linted and the platform not asked: both are tested on their own."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *tiny.sys.path]))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr(playing, "load_drill", lambda _: None)
    monkeypatch.setattr(playing, "select_platform", lambda _: Up())
    return tmp_path


@pytest.fixture
def run(toys, told, tiny):
    def start(case):
        file = toys / "e.json"
        file.write_text(json.dumps(case.experiment()))
        files = files_of(toys, toys / "journal.json")
        return play(file, state_dir=toys, files=files, progress=told)

    return start


def interrupt_when(path, *, times=1):
    """Ctrl-C once there is this file, and again, half a second apart."""

    def send():
        deadline = time.monotonic() + 30
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_a_run_is_told_as_it_goes_and_judged(run, toys, told, tiny):
    examination = run(tiny.CASES["good"])
    assert (examination.verdict, examination.title) == ("passed", "toy")
    assert "Action: break_it" in told.notes
    assert json.loads((toys / "journal.json").read_text())["status"] == "completed"
    assert "Action: break_it" in (toys / "logs" / "chaos.log").read_text()


def test_an_earlier_run_in_the_same_directory_does_not_count(run, tiny):
    assert run(tiny.CASES["good"]).verdict == "passed"
    assert run(tiny.CASES["nothing broken"]).verdict == "void"


def test_ctrl_c_plays_the_rollbacks_without_the_pause_it_fell_into(run, toys, tiny):
    method = (tiny.BREAK, tiny.HEAL, tiny.activity("mark_and_wait", sign="waiting", pauses={"after": 60}))
    sender = interrupt_when(toys / "waiting")
    began = time.monotonic()
    examination = run(tiny.Case("", method=method, rollbacks=(tiny.activity("mark", sign="rolled-back"),)))
    sender.join()
    assert examination.verdict == "interrupted"
    assert (toys / "rolled-back").exists()
    assert time.monotonic() - began < 30


def test_a_second_ctrl_c_kills_the_toolkit_and_is_an_error(run, toys, told, tiny):
    slow = (tiny.activity("nap", seconds=30),)
    method = (tiny.BREAK, tiny.HEAL, tiny.activity("mark", sign="waiting"), tiny.activity("nap", seconds=30))
    sender = interrupt_when(toys / "waiting", times=2)
    examination = run(tiny.Case("", method=method, rollbacks=slow))
    sender.join()
    assert examination.verdict == "error"
    assert "was killed by signal 9 and left no journal" in examination.judgement.reasons[0]
    assert told.notes[-1] == "killed: what is broken is undone by the watchdog"


def test_a_crashed_toolkit_is_quoted(run, tiny):
    reasons = run(tiny.CASES["NaN in a range"]).judgement.reasons
    assert reasons[0].startswith("chaos ended with 1 and left no journal: ")


def test_a_journal_cut_short_counts_as_none(run, toys, tiny, monkeypatch):
    monkeypatch.setattr(playing, "follow", lambda chaos, log, **_: (chaos.wait(), cut(toys / "journal.json"))[0])
    reasons = run(tiny.CASES["good"]).judgement.reasons
    assert "is no JSON" in reasons[0]


def cut(path):
    path.write_text(path.read_text()[:100])


def test_nothing_starts_for_a_file_with_a_fault(toys, told, monkeypatch):
    def refuse(path):
        raise BadDocument([f"{path}:1: no"])

    monkeypatch.setattr(playing, "load_drill", refuse)
    with pytest.raises(BadDocument):
        play(toys / "e.yaml", state_dir=toys, files=files_of(toys, toys / "journal.json"), progress=told)
    assert not (toys / "logs").exists()


def test_nothing_starts_without_a_platform(toys, told, monkeypatch):
    class Down:
        def replicas(self):
            raise PlatformError("no platform is up here: start one with `sre up`")

    monkeypatch.setattr(playing, "select_platform", lambda _: Down())
    (toys / "e.yaml").write_text("title: e\n")
    with pytest.raises(PlatformError, match="sre up"):
        play(toys / "e.yaml", state_dir=toys, files=files_of(toys, toys / "journal.json"), progress=told)
    assert not (toys / "logs").exists()


def test_a_journal_in_a_folder_that_is_not_there_is_refused_before_the_start(tmp_path):
    with pytest.raises(EnvironmentLacks, match="its folder does not exist"):
        files_of(tmp_path, tmp_path / "no" / "journal.json")
