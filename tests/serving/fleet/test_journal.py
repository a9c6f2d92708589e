"""A full disk takes nothing of what happened: events wait, in order, and the platform goes on."""

import io
import json

import pytest

from serving.fleet import journal as module
from serving.fleet.journal import Journal
from serving.fleet.model import EndpointInfo, PlatformSpec, PlatformState, ProcessInfo, StateFiles


@pytest.fixture
def journal(tmp_path):
    state = PlatformState(
        platform_id="a1b2c3d4",
        started_at=0.0,
        supervisor=ProcessInfo("supervisor"),
        gateway=EndpointInfo("gateway"),
        spec=PlatformSpec(port=0),
        phase="ready",
    )
    times = iter(range(1, 1000))
    return Journal(StateFiles(tmp_path), state, now=lambda: float(next(times)))


@pytest.fixture
def disk(monkeypatch):
    """`room` bytes may still be written to events.jsonl; None: as many as one likes."""

    class Disk:
        room = None

    append = module._append

    def limited(path, line):
        if Disk.room is not None:
            raise OSError(28, "No space left on device")
        append(path, line)

    monkeypatch.setattr(module, "_append", limited)
    return Disk


def events(journal):
    return [json.loads(line)["event"] for line in journal._files.events.read_text().splitlines()]


def test_what_could_not_be_written_is_written_in_order_when_there_is_room(journal, disk, capsys):
    journal.event("one")
    disk.room = 0
    journal.event("two")
    journal.event("three")
    journal.save()
    assert events(journal) == ["one"]
    disk.room = None
    journal.catch_up()
    assert events(journal) == ["one", "two", "three"]
    journal.event("four")
    assert events(journal) == ["one", "two", "three", "four"]
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_event_keeps_its_own_time(journal, disk):
    disk.room = 0
    at = journal.event("late")
    disk.room = None
    journal.catch_up()
    (line,) = journal._files.events.read_text().splitlines()
    assert json.loads(line)["at"] == at


def test_while_the_platform_starts_a_full_disk_is_its_end(journal, disk):
    journal.state.phase = "starting"
    disk.room = 0
    with pytest.raises(OSError, match="No space left"):
        journal.event("platform_starting")
    disk.room = None
    journal.event("again")
    assert events(journal) == ["again"]


def test_what_must_be_on_the_disk_raises_and_is_not_kept(journal, disk):
    disk.room = 0
    journal.event("kept")
    with pytest.raises(OSError, match="No space left"):
        journal.event("replica_rerouted", must=True)
    disk.room = None
    journal.catch_up()
    assert events(journal) == ["kept"]


def test_a_line_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "events.jsonl"
    module._append(path, "first")

    class Cut(io.FileIO):
        def write(self, data):
            return super().write(data[:3])

    monkeypatch.setattr(type(path), "open", lambda self, *_, **__: Cut(str(self), "ab"))
    with pytest.raises(OSError, match="No space left"):
        module._append(path, "second")
    monkeypatch.undo()
    assert path.read_text() == "first\n"
