"""The incident store in a SQLite file: the contract, and what only a file can suffer."""

# ruff: noqa: S608  (statements are put together from the tests' own constants)
from __future__ import annotations

import importlib.util
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from sre.errors import SreError
from sre.incidents.store import open_store
from sre.incidents.store.sqlite import sqlite_database

_spec = importlib.util.spec_from_file_location("store_contract", Path(__file__).with_name("store_contract.py"))
contract = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(contract)
fill, opened = contract.fill, contract.opened


class SqlitePlace:
    drop_guard = "DROP TRIGGER incident_events_no_update"

    def __init__(self, path):
        self.path = path
        self._open, self._started = [], []

    def store(self, **options):
        self._open.append(open_store(self.path, **options))
        return self._open[-1]

    @contextmanager
    def database(self):
        with closing(sqlite_database(self.path, read_only=False, shown="store")) as database:
            yield database

    def sql(self, *statements):
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def unguarded(self, *statements):
        with closing(sqlite3.connect(self.path)) as connection:
            triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        self.sql(*(f"DROP TRIGGER {name}" for name, _ in triggers), *statements, *(sql for _, sql in triggers))

    def python(self, script, *arguments):
        command = [sys.executable, str(script), str(self.path), *arguments]
        self._started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return self._started[-1]

    def close(self):
        for process in self._started:
            process.kill()
            process.wait()
            process.stdout.close()
        for store in self._open:
            store.close()


@pytest.fixture
def place(tmp_path):
    made = SqlitePlace(tmp_path / "incidents.sqlite")
    yield made
    made.close()


class TestSqlite(contract.StoreContract):
    pass


def refused(path, **options):
    with pytest.raises(SreError) as error:
        open_store(path, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_replacing_an_event_is_refused_too(place):
    fill(place.store())
    with pytest.raises(sqlite3.IntegrityError, match="added at the end"):
        place.sql("INSERT OR REPLACE INTO incident_events SELECT * FROM incident_events WHERE position = 3")


def test_an_empty_file_becomes_a_store(place):
    place.path.write_bytes(b"")
    assert place.store().open(opened()).head.id == "INC-0001"


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("these are my notes, all of them\n" * 40)
    assert "is no SQLite database: keep a copy" in refused(path)
    assert path.read_text().startswith("these are my notes")
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_a_database_of_something_else_is_refused_and_left_as_it_is(place):
    place.sql("CREATE TABLE songs (title TEXT)")
    assert "is a database of something else: name another with --store" in refused(place.path)
    with closing(sqlite3.connect(place.path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("songs",)]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_one_line_or_found_by_verify(place, share):
    store = place.store()
    fill(store, 20)
    store.close()
    whole = place.path.read_bytes()
    place.path.write_bytes(whole[: int(len(whole) * share)])
    assert whether_damaged(place)


def whether_damaged(place):
    """By `verify`, or by one line where not even that can read it."""
    try:
        return bool(place.store().verify().problems)
    except SreError as error:
        return "is damaged: keep a copy of the file" in str(error) and "\n" not in str(error)


def test_bytes_changed_inside_the_file_are_found(place):
    store = place.store()
    fill(store)
    store.close()
    place.path.write_bytes(place.path.read_bytes().replace(b"it happened", b"it hoppened", 1))
    assert place.store().verify().problems


def test_text_that_is_no_utf8_is_found_and_no_traceback(place):
    store = place.store()
    fill(store)
    place.unguarded("UPDATE incident_events SET text = CAST(x'ff41' AS TEXT) WHERE position = 4")
    assert {problem.position for problem in store.verify().problems} == {4}
    with pytest.raises(SreError, match="holds text that is no UTF-8: see `sre incident verify`"):
        store.case("INC-0002")


@pytest.mark.parametrize("value", ["'soon'", "x'00'", "1e999"])
def test_a_time_that_is_no_number_is_found_and_no_traceback(place, value):
    store = place.store()
    fill(store)
    place.unguarded(f"UPDATE incident_events SET at = {value} WHERE position = 4")
    assert any(problem.position == 4 for problem in store.verify().problems)


def test_a_folder_is_refused(tmp_path):
    assert "is a folder: give the path of a file" in refused(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path):
    assert "its folder must exist" in refused(tmp_path / "nosuch" / "incidents.sqlite")


def test_a_reader_does_not_make_a_store(tmp_path):
    assert "there is no incident store" in refused(tmp_path / "incidents.sqlite", read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_does_not_upgrade_a_store(place):
    place.path.write_bytes(b"")
    assert "is empty: open it for writing once" in refused(place.path, read_only=True)


def test_a_store_on_a_disk_that_cannot_be_written_is_read_and_refuses_to_write(place, monkeypatch):
    store = place.store()
    fill(store)
    store.close()
    monkeypatch.setattr("sre.incidents.store.sqlite._uri", lambda path, read_only: f"{path.as_uri()}?mode=ro")
    reader = place.store()
    assert len(reader.heads()) == 3
    with pytest.raises(SreError, match="cannot be written to: make the file and its folder writable"):
        reader.open(opened())


def test_a_reader_of_a_folder_that_is_read_only_needs_no_log_beside_the_file(place, monkeypatch):
    store = place.store()
    fill(store)
    store.close()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert len(place.store(read_only=True).heads()) == 3
    assert [p.name for p in place.path.parent.iterdir()] == ["incidents.sqlite"]


def test_a_store_that_somebody_else_writes_to_for_too_long_is_told(place, monkeypatch):
    monkeypatch.setattr("sre.incidents.store.sqlite.BUSY_S", 0.05)
    store = place.store()
    with closing(sqlite3.connect(place.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SreError, match="another process has been writing to it for"):
            store.open(opened())


def test_a_reader_reads_while_somebody_writes(place):
    store = place.store()
    fill(store)
    with closing(sqlite3.connect(place.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert len(store.heads()) == 3


def test_the_file_is_a_write_ahead_log_that_reaches_the_disk_at_each_commit(place):
    place.store()
    with place.database() as database, database.reading() as connection:
        said = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert said == ["wal", 2]


def test_what_a_path_may_hold_is_not_taken_for_a_part_of_a_url(tmp_path):
    path = tmp_path / "a?mode=ro#b%20c 'd'.sqlite"
    with closing(open_store(path)) as store:
        store.open(opened())
    assert path.is_file()
