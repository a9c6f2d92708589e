"""Random tampering, past the triggers: whatever it leaves different is found, given an anchor kept elsewhere."""

# ruff: noqa: S608  (statements are put together from the tests' own constants)
from __future__ import annotations

import importlib.util
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sre.incidents.store import open_store

_spec = importlib.util.spec_from_file_location("store_contract", Path(__file__).with_name("store_contract.py"))
contract = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(contract)

COLUMNS = {
    "incident_events": [
        *("position", "incident", "seq", "kind", "at", "recorded_at"),
        *("payload", "text", "source", "actor", "previous", "hash"),
    ],
    "incident_heads": [
        *("id", "opened_position", "title", "origin", "status", "severity", "opened_at", "updated_at"),
        *("key", "service", "experiment", "milestones", "figures", "events"),
    ],
    "incident_items": ["incident", "item", "title", "owner", "start", "due", "status", "note"],
    "incident_chain": ["position", "hash", "incidents", "exercises"],
}
CELLS = st.sampled_from([(table, column) for table, columns in COLUMNS.items() for column in columns])
VALUES = st.one_of(
    st.integers(-3, 60),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.binary(max_size=3),
    st.sampled_from(["open", "closed", "INC-0001", "INC-0004", "0" * 64, "{}", "[]", "1e999", " 1", "opened"]),
)
POSITIONS = st.integers(1, 39)
EDITS = st.builds(lambda cell, row, value: ("edit", *cell, row, value), CELLS, st.integers(0, 40), VALUES)
DELETIONS = st.builds(lambda table, row: ("delete", table, row), st.sampled_from(list(COLUMNS)), st.integers(0, 40))
SWAPS = st.builds(lambda a, b: ("swap", a, b), POSITIONS, POSITIONS)
CUTS = st.builds(lambda position: ("cut", position), POSITIONS)
COPIES = st.builds(lambda a, b: ("copy", a, b), POSITIONS, st.integers(1, 50))
TAMPERING = st.lists(st.one_of(EDITS, DELETIONS, SWAPS, CUTS, COPIES), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store of 39 events, checkpointed into one file, and its anchor."""
    path = tmp_path_factory.mktemp("whole") / "incidents.sqlite"
    with closing(open_store(path)) as store:
        contract.fill(store)
        return path, store.anchor()


@given(tampering=TAMPERING)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_tampering_is_found(whole, tampering):
    path, anchor = whole
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "incidents.sqlite"
        shutil.copy(path, copy)
        before = content(copy)
        tamper(copy, tampering)
        after = content(copy)
        with closing(open_store(copy)) as store:
            found = store.verify([anchor]).problems
    assert bool(found) == (before != after)


def content(path):
    """Every cell with its type: 1, 1.0, '1' and x'31' are four things."""
    with closing(sqlite3.connect(path)) as connection:
        connection.text_factory = repr
        rows = [
            row for table in COLUMNS for row in connection.execute(f"SELECT '{table}', * FROM {table} ORDER BY 1, 2")
        ]
    return [tuple((type(cell), cell) for cell in row) for row in rows]


def tamper(path, steps):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        for step in steps:
            try:
                one_step(connection, *step)
            except sqlite3.IntegrityError:  # a constraint stood in the way
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        for _, sql in triggers:
            connection.execute(sql)


def one_step(connection, what, *told):
    if what == "edit":
        table, column, row, value = told
        rowid = nth(table, row)
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = {rowid}", (value,))
    elif what == "delete":
        connection.execute(f"DELETE FROM {told[0]} WHERE rowid = {nth(*told)}")
    elif what == "cut":
        connection.execute("DELETE FROM incident_events WHERE position > ?", told)
    elif what == "swap":
        connection.execute("BEGIN")
        for old, new in ((told[0], -1), (told[1], told[0]), (-1, told[1])):
            connection.execute("UPDATE incident_events SET position = ? WHERE position = ?", (new, old))
        connection.execute("COMMIT")
    else:
        others = ", ".join(COLUMNS["incident_events"][3:])
        copied = f"INSERT INTO incident_events SELECT ?, incident, seq + 50, {others} FROM incident_events"
        connection.execute(f"{copied} WHERE position = ?", (told[1], told[0]))


def nth(table, row):
    return f"(SELECT rowid FROM {table} LIMIT 1 OFFSET {row} % (SELECT MAX(1, COUNT(*)) FROM {table}))"
