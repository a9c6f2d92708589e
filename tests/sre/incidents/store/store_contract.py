"""What every incident store must do, whatever database it lies in: run on SQLite here, on PostgreSQL in integration.

A `place` fixture stands for an empty database: `store()` opens it, `database()` is what the store stands on,
`sql(*statements)` runs as its owner could, `unguarded(*statements)` past the triggers, which are back afterwards,
`python(script, *arguments)` starts a process on it, `drop_guard` is a statement. Loaded by path: test folders are no
packages.
"""

# ruff: noqa: S608  (statements are put together from the tests' own constants)
from __future__ import annotations

import math
import signal
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sre.errors import SreError
from sre.incidents.case import fold
from sre.incidents.events import (
    KINDS,
    AlertSeen,
    Answered,
    Approved,
    Draft,
    ItemSet,
    Linked,
    Measured,
    MilestoneMark,
    Observed,
    Opened,
    RunbookStep,
    SeveritySet,
    StatusSet,
)
from sre.incidents.store.chain import chained
from sre.incidents.store.model import Anchor

WRITER = Path(__file__).with_name("store_writer.py")
T0 = 1_790_000_000.25
ONE_OF_EACH = (
    StatusSet("acknowledged"),
    SeveritySet("SEV1", "SEV2", "the board's demo"),
    MilestoneMark("detected", T0 + 1 / 3, 0.1),
    MilestoneMark("identified", None, reason="nobody looked"),
    AlertSeen("Burn", "firing", "f1", T0, None, "availability", "page", "runbooks/Burn.md", 'Grüße "✓"\n'),
    AlertSeen("Burn", "resolved", "f1", None, T0 + 9),
    Observed("fault", "chaos.jsonl:3"),
    Linked("report", "reports/1", "a drill", "ab" * 32),
    RunbookStep("p", "s", "ls", 0, "out", "ok", is_mutating=True),
    RunbookStep("p", "s", "ls", None, "", "declined"),
    ItemSet("A1", "mend it", "ada", "2026-01-01", None, "started", "half done"),
    Answered("I1", "we page", "P"),
    Answered("I1", "we wait"),
    Approved("finance", "bob", "aar.md", "cd" * 32, "rejected", "too dear"),
    Measured({"requests_failed": "3", "cost_usd": ""}, {"cost_usd": "no price"}),
)


def opened(title="slow answers", origin="manual", at=T0, **more):
    return draft(Opened(title, origin, "SEV2", **more), at=at)


def draft(payload, at=T0, text="it happened", source="test", actor="ada"):
    return Draft(at, payload, text, source, actor)


def item(name, due, status="open"):
    return draft(ItemSet(name, f"do {name}", "ada", None, due, status))


def fill(store, incidents=3):
    """A few incidents whose events lie between each other's."""
    ids = [store.open(opened(f"incident {n}", at=T0 + n), draft(ONE_OF_EACH[2])).head.id for n in range(incidents)]
    for payload in ONE_OF_EACH[:11]:
        for incident in ids:
            store.append(incident, [draft(payload)])
    return ids


def literal(value):
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


class StoreContract:
    # ids and keys

    def test_ids_are_counted_without_gaps_exercises_apart(self, place):
        store = place.store()
        kinds = ("manual", "tabletop", "drill", "alertmanager", "tabletop")
        ids = [store.open(opened(origin=origin)).head.id for origin in kinds]
        assert ids == ["INC-0001", "TTX-0001", "INC-0002", "INC-0003", "TTX-0002"]

    def test_a_key_that_is_not_closed_gets_what_is_added_and_is_not_opened_again(self, place):
        store = place.store()
        first = store.open(opened(key="k"))
        store.append(first.head.id, [draft(StatusSet("resolved"))])
        again = store.open(opened("another title", key="k"), draft(Observed("note")))
        assert (again.head.id, again.head.title, again.head.events) == (first.head.id, "slow answers", 3)

    def test_a_key_that_was_closed_is_opened_anew(self, place):
        store = place.store()
        first = store.open(opened(key="k"))
        store.append(first.head.id, [draft(StatusSet("closed"))])
        assert store.open(opened(key="k")).head.id == "INC-0002"
        assert store.by_key("k").id == "INC-0002"
        assert store.by_key("nosuch") is None

    def test_no_key_is_no_key_in_common(self, place):
        store = place.store()
        assert store.open(opened()).head.id != store.open(opened()).head.id

    def test_once_is_once_even_after_closing(self, place):
        store = place.store()
        case = store.open(opened(key="k"), once=True)
        store.append(case.head.id, [draft(StatusSet("closed"))])
        again = store.open(opened(key="k"), draft(Observed("note")), once=True)
        assert (again.head.id, again.head.events) == (case.head.id, 2)

    def test_what_opens_is_an_opening_and_nothing_else_is(self, place):
        store = place.store()
        with pytest.raises(SreError, match="begins with its opening"):
            store.open(draft(Observed("note")))
        with pytest.raises(SreError, match="INC-0001: is open already"):
            store.open(opened(), opened())
        store.open(opened(key="k"))
        for wrong in (lambda: store.append("INC-0001", [opened()]), lambda: store.open(opened(key="k"), opened())):
            with pytest.raises(SreError, match="INC-0001: is open already"):
                wrong()

    # what is kept

    def test_what_was_written_is_read_back(self, place):
        store = place.store()
        case = store.open(opened(key="k", service="s", experiment="EXP-001"), *map(draft, ONE_OF_EACH))
        assert {type(event.payload) for event in case.events} == set(KINDS.values())
        assert [event.payload for event in case.events[1:]] == list(ONE_OF_EACH)
        assert place.store().case("INC-0001") == case == fold(case.events)
        assert place.store().heads() == (case.head,)
        assert tuple(place.store().log()) == case.events

    def test_when_it_happened_and_when_it_was_written_down_are_two_times(self, place):
        case = place.store(clock=lambda: T0 + 60.5).open(opened(at=-0.0))
        assert (case.events[0].at, case.events[0].recorded_at) == (0.0, T0 + 60.5)
        assert math.copysign(1, case.events[0].at) == 1
        assert place.store().verify().problems == ()

    def test_characters_that_no_database_takes_do_not_keep_an_incident_from_opening(self, place):
        store = place.store()
        case = store.open(opened("a\0b\ud800", key="k\0"), replace(draft(Observed("\0")), text="\udfff", actor="\0"))
        assert (case.head.title, case.events[1].text) == ("a\ufffdb\ufffd", "\ufffd")
        assert store.by_key("k\0").id == store.open(opened(key="k\0")).head.id == case.head.id
        assert store.verify().problems == ()

    @pytest.mark.parametrize(
        "bad", [Draft(math.nan, Observed("note"), "t", "s", "a"), draft(MilestoneMark("x", math.inf))]
    )
    def test_all_of_it_or_none(self, place, bad):
        store = place.store()
        store.open(opened())
        for write in (
            lambda: store.append("INC-0001", [draft(Observed("note")), bad]),
            lambda: store.open(opened(), bad),
        ):
            with pytest.raises(SreError, match="give a number, or n/a with a reason"):
                write()
        assert store.case("INC-0001").head.events == 1
        assert store.open(opened()).head.id == "INC-0002"

    def test_nothing_to_add_adds_nothing(self, place):
        store = place.store()
        store.open(opened())
        before = store.anchor()
        assert store.append("INC-0001", []) == ()
        assert store.anchor() == before

    def test_who_looked_before_somebody_else_wrote_is_told_to_look_again(self, place):
        store = place.store()
        store.open(opened())
        store.append("INC-0001", [draft(StatusSet("acknowledged"))], after=1)
        with pytest.raises(SreError, match="INC-0001: somebody else wrote to it just now"):
            store.append("INC-0001", [draft(StatusSet("acknowledged"))], after=1)
        assert store.case("INC-0001").head.events == 2

    def test_an_id_that_is_not_there_is_told_with_the_nearest(self, place):
        store = place.store()
        with pytest.raises(SreError, match="there is none yet"):
            store.case("INC-0001")
        fill(store)
        for ask in (lambda: store.case("INC-0009"), lambda: store.append("INC-0009", [draft(Observed("note"))])):
            with pytest.raises(SreError, match=r"no incident 'INC-0009' in .*: the nearest are INC-000\d") as error:
                ask()
            assert "\n" not in str(error.value)

    def test_many_are_read_at_once_in_the_order_asked_for(self, place, monkeypatch):
        monkeypatch.setattr("sre.incidents.store.sql._BATCH", 2)
        store = place.store()
        first, second, third = fill(store)
        asked = [third, first, second]
        assert store.cases(asked) == tuple(store.case(incident) for incident in asked)
        assert store.cases([]) == ()
        with pytest.raises(SreError, match="no incident 'INC-0009'"):
            store.cases([first, "INC-0009"])

    # lists

    def test_incidents_are_listed_newest_first_exercises_when_asked_for(self, place):
        store = place.store()
        for at, origin in ((2, "drill"), (3, "manual"), (1, "alertmanager"), (9, "tabletop"), (3, "drill")):
            store.open(opened(origin=origin, at=T0 + at))
        store.append("INC-0001", [draft(StatusSet("closed"))])
        ids = [head.id for head in store.heads()]
        assert ids == ["INC-0004", "INC-0002", "INC-0001", "INC-0003"]
        assert [head.id for head in store.heads(origins=("tabletop",))] == ["TTX-0001"]
        assert [head.id for head in store.heads(origins=("drill",), statuses=("open",))] == ["INC-0004"]
        assert [head.id for head in store.heads(since=T0 + 2, until=T0 + 3)] == ["INC-0001"]

    def test_a_line_of_the_list_is_what_its_events_leave(self, place):
        store = place.store()
        for incident in fill(store):
            assert store.by_key("") is not None
            assert next(head for head in store.heads() if head.id == incident) == store.case(incident).head

    def test_follow_up_actions_of_all_come_by_due_day_the_newest_word_on_each(self, place):
        store = place.store()
        store.open(opened(), item("A1", None), item("A2", "2026-03-01"))
        store.open(opened(origin="tabletop"), item("A1", "2026-01-01"), item("A1", "2026-04-01", "done"))
        assert [(i.incident, i.item, i.due, i.status) for i in store.items()] == [
            ("INC-0001", "A2", "2026-03-01", "open"),
            ("TTX-0001", "A1", "2026-04-01", "done"),
            ("INC-0001", "A1", None, "open"),
        ]

    # writers at the same time

    def test_threads_of_one_store_lose_nothing(self, place):
        store = place.store()
        store.open(opened())
        work = [threading.Thread(target=store.append, args=("INC-0001", [draft(Observed("note"))])) for _ in range(12)]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        assert store.case("INC-0001").head.events == 13
        assert store.verify().problems == ()

    def test_processes_that_write_at_once_lose_nothing_and_leave_no_gap(self, place):
        """They also make the store together: it is not there before."""
        writers = [place.python(WRITER, "write", f"w{n}", "8") for n in range(4)]
        said = [writer.communicate(timeout=120)[0] for writer in writers]
        assert [writer.returncode for writer in writers] == [0] * 4, said
        store = place.store()
        assert sorted(head.id for head in store.heads()) == [f"INC-{n:04d}" for n in range(1, 33)]
        assert {head.title for head in store.heads()} == {f"w{n} {k}" for n in range(4) for k in range(8)}
        assert all(head.events == 3 for head in store.heads())
        assert store.verify().problems == ()

    def test_two_processes_that_open_one_key_open_one_incident(self, place):
        writers = [place.python(WRITER, "same-key", f"w{n}", "5") for n in range(3)]
        assert [writer.wait(timeout=120) for writer in writers] == [0] * 3
        (head,) = place.store().heads()
        assert head.events == 3 + 2 * 14

    def test_a_writer_killed_in_the_middle_of_a_write_leaves_what_was_committed_and_a_valid_chain(self, place):
        place.store().open(opened())
        writer = place.python(WRITER, "stall", "w", "1")
        assert writer.stdout.readline() == "written, not committed\n"
        writer.send_signal(signal.SIGKILL)
        writer.wait(timeout=60)
        store = place.store()
        assert [head.id for head in store.heads()] == ["INC-0001"]
        assert store.open(opened()).head.id == "INC-0002"
        assert store.verify().problems == ()

    def test_a_writer_killed_at_any_moment_has_lost_nothing_that_it_was_told_is_written(self, place):
        writer = place.python(WRITER, "write", "w", "100000")
        told = [writer.stdout.readline().strip() for _ in range(25)]
        writer.send_signal(signal.SIGKILL)
        told += writer.communicate(timeout=60)[0].split()
        store = place.store()
        events = {head.id: head.events for head in store.heads()}
        assert all(events.get(incident) == 3 for incident in told[:-1])
        assert store.verify().problems == ()

    # the database itself

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE incident_events SET text = 'never' WHERE position = 2",
            "DELETE FROM incident_events WHERE position = 2",
            "DELETE FROM incident_events",
            "UPDATE incident_chain SET position = 1",
            "DELETE FROM incident_chain",
        ],
    )
    def test_the_database_refuses_to_change_what_was_written(self, place, change):
        store = place.store()
        fill(store)
        with pytest.raises(Exception, match=r"append-only|only grows"):
            place.sql(change)
        assert store.verify().problems == ()

    def test_the_migrations_leave_the_tables_that_the_code_knows(self, place):
        from alembic.autogenerate import compare_metadata
        from alembic.migration import MigrationContext

        from sre.incidents.store.tables import METADATA, VERSION_TABLE

        place.store()
        with place.database() as database, database.reading() as connection:
            context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
            assert compare_metadata(context, METADATA) == []

    def test_an_older_store_is_upgraded_when_it_is_opened_and_keeps_its_events(self, place):
        from sre.incidents.store.migrating import upgrade
        from sre.incidents.store.sql import SqlStore

        with place.database() as database:
            with database.writing() as connection:
                upgrade(connection, "0001")
            fill(SqlStore(database, time.time))
        store = place.store()
        assert len(store.heads()) == 3
        assert store.verify().problems == ()
        with pytest.raises(Exception, match="append-only"):
            place.sql("DELETE FROM incident_events")

    def test_an_upgrade_that_breaks_off_leaves_the_store_as_it_was(self, place):
        from sre.incidents.store.migrating import NEWEST, upgrade, version

        def break_off(database):
            with database.writing() as connection:
                upgrade(connection, NEWEST)
                raise KeyboardInterrupt

        with place.database() as database:
            with pytest.raises(KeyboardInterrupt):
                break_off(database)
            with database.reading() as connection:
                assert version(connection, "store") is None
        assert place.store().open(opened()).head.id == "INC-0001"

    def test_the_newest_migration_is_the_one_the_code_asks_for(self, place):
        from alembic.script import ScriptDirectory

        from sre.incidents.store.migrating import NEWEST, SCRIPTS

        assert ScriptDirectory(str(SCRIPTS)).get_current_head() == NEWEST

    def test_all_events_come_in_the_order_of_the_chain_page_by_page(self, place, monkeypatch):
        monkeypatch.setattr("sre.incidents.store.sql._PAGE", 7)
        store = place.store()
        fill(store)
        assert [event.position for event in store.log()] == list(range(1, 40))

    def test_a_newer_store_is_refused_and_left_as_it_is(self, place):
        place.store().open(opened())
        place.sql("UPDATE incident_store_version SET version_num = '0099'")
        with pytest.raises(SreError, match=r"newer version \(schema 0099, .*\): upgrade llm-gameday"):
            place.store()
        place.sql("UPDATE incident_store_version SET version_num = '0002'")
        assert place.store().case("INC-0001").head.events == 1

    def test_half_a_store_is_refused_with_what_is_missing(self, place):
        place.store()
        place.sql("DROP TABLE incident_items")
        with pytest.raises(SreError, match=r"half a store \(incident_items missing\): keep a copy"):
            place.store()

    def test_who_opened_it_for_reading_reads_and_cannot_write(self, place):
        fill(place.store())
        reader = place.store(read_only=True)
        assert len(reader.heads()) == 3
        assert reader.verify().problems == ()
        with pytest.raises(SreError, match="opened for reading only"):
            reader.open(opened())

    # verify

    def test_an_empty_store_is_whole(self, place):
        store = place.store()
        found = store.verify()
        assert (found.events, found.incidents, found.head, found.problems) == (0, 0, None, ())
        assert store.anchor() is None

    def test_an_untouched_store_is_whole_by_every_anchor_ever_taken(self, place):
        store = place.store()
        anchors = []
        for _ in range(3):
            fill(store, 1)
            anchors.append(store.anchor())
        found = store.verify(anchors)
        assert found.problems == ()
        assert (found.events, found.incidents, found.head) == (39, 3, anchors[-1])

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("at", "at + 0.5"),
            ("recorded_at", "recorded_at - 1"),
            ("kind", "'status'"),
            ("payload", "replace(payload, 'detected', 'resolved')"),
            ("payload", "'{'"),
            ("text", "text || ' '"),
            ("source", "'else'"),
            ("actor", "'eve'"),
            ("incident", "'INC-0099'"),
            ("seq", "seq + 50"),
            ("hash", "previous"),
            ("previous", "hash"),
        ],
    )
    def test_an_edited_event_is_found_and_named(self, place, column, value):
        store = place.store()
        fill(store)
        place.unguarded(f"UPDATE incident_events SET {column} = {value} WHERE position = 2")
        found = store.verify().problems
        assert any(problem.position in (2, 3) for problem in found)

    def test_an_event_that_was_taken_out_is_found(self, place):
        store = place.store()
        fill(store)
        place.unguarded("DELETE FROM incident_events WHERE position = 7")
        assert any("events 7 to 7 are missing" in problem.text for problem in store.verify().problems)

    def test_an_event_that_was_taken_out_and_the_others_moved_up_is_found(self, place):
        store = place.store()
        fill(store)
        count = store.anchor().position
        place.unguarded(
            "DELETE FROM incident_events WHERE position = 7",
            *(f"UPDATE incident_events SET position = {n - 1} WHERE position = {n}" for n in range(8, count + 1)),
        )
        assert any("does not follow the event before" in problem.text for problem in store.verify().problems)

    def test_a_tail_that_was_cut_off_is_found(self, place):
        store = place.store()
        fill(store)
        place.unguarded("DELETE FROM incident_events WHERE position > 30")
        assert any("the chain ended at event 39, the events end at 30" in p.text for p in store.verify().problems)

    def test_a_tail_that_was_cut_off_together_with_the_end_and_the_lists_is_found_by_an_anchor(self, place):
        store = place.store()
        fill(store)
        anchor = store.anchor()
        *_, last, final = store.log()
        head = fold(store.case(final.incident).events[:-1]).head
        place.unguarded(
            f"DELETE FROM incident_items WHERE incident = '{final.incident}'",
            "DELETE FROM incident_events WHERE position = 39",
            f"UPDATE incident_chain SET position = 38, hash = '{last.hash}'",
            f"UPDATE incident_heads SET events = {head.events} WHERE id = '{head.id}'",
            f"UPDATE incident_heads SET updated_at = {head.updated_at!r} WHERE id = '{head.id}'",
        )
        assert store.verify().problems == ()
        (problem,) = store.verify([anchor]).problems
        assert "the store ends at 38" in problem.text

    def test_two_events_that_changed_places_are_found(self, place):
        store = place.store()
        fill(store)
        place.unguarded(
            "UPDATE incident_events SET position = 1000 WHERE position = 8",
            "UPDATE incident_events SET position = 8 WHERE position = 9",
            "UPDATE incident_events SET position = 9 WHERE position = 1000",
        )
        assert {8, 9} <= {problem.position for problem in store.verify().problems}

    def test_an_event_that_was_put_in_is_found_though_its_own_hash_fits(self, place):
        store = place.store()
        fill(store)
        before = list(store.log())[-1]
        ((row, _),) = chained(
            [draft(Observed("note"))],
            incident=before.incident,
            seq=before.seq,
            after=Anchor(before.position, before.hash),
            recorded_at=T0,
        )
        values = ", ".join(map(literal, asdict(row).values()))
        place.unguarded(f"INSERT INTO incident_events VALUES ({values})")
        assert any("the chain ended at event 39, the events end at 40" in p.text for p in store.verify().problems)

    def test_an_incident_that_was_cut_out_whole_is_found(self, place):
        store = place.store()
        _, second, _ = fill(store)
        place.unguarded(
            f"DELETE FROM incident_items WHERE incident = '{second}'",
            f"DELETE FROM incident_heads WHERE id = '{second}'",
            f"DELETE FROM incident_events WHERE incident = '{second}'",
        )
        assert any("missing" in problem.text for problem in store.verify().problems)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (
                "UPDATE incident_heads SET status = 'closed' WHERE id = 'INC-0002'",
                "INC-0002: the list says status 'closed'",
            ),
            ("UPDATE incident_heads SET milestones = '{}' WHERE id = 'INC-0001'", "INC-0001: the list says milestones"),
            ("UPDATE incident_items SET due = '2030-01-01' WHERE incident = 'INC-0003'", "INC-0003: the list says due"),
            (
                "DELETE FROM incident_items WHERE incident = 'INC-0003'",
                "INC-0003 A1 is in the events and not in the list",
            ),
            (
                "INSERT INTO incident_items VALUES ('INC-0001', 'A9', 't', 'o', NULL, NULL, 'open', '')",
                "INC-0001 A9 is in the list and not in the events",
            ),
            (
                "UPDATE incident_chain SET incidents = 2, position = position + 1",
                "2 incidents and 0 exercises were opened",
            ),
        ],
    )
    def test_a_list_that_differs_from_the_events_is_found(self, place, change, said):
        store = place.store()
        fill(store)
        place.sql(change)
        assert any(said in f"{problem.incident}: {problem.text}" for problem in store.verify().problems)

    def test_a_list_edited_into_nonsense_is_one_line_and_no_traceback(self, place):
        store = place.store()
        fill(store)
        place.sql("UPDATE incident_heads SET status = 'gone' WHERE id = 'INC-0002'")
        with pytest.raises(SreError, match=r"the list's line of INC-0002 was changed .*: see `sre incident verify`"):
            store.heads()

    def test_an_event_edited_into_nonsense_is_one_line_and_no_traceback(self, place):
        store = place.store()
        fill(store)
        place.unguarded("UPDATE incident_events SET payload = '[]', seq = seq + 70 WHERE position = 1")
        with pytest.raises(SreError, match="event 1 of INC-0001"):
            store.case("INC-0001")

    def test_a_guard_that_is_gone_is_found(self, place):
        store = place.store()
        place.sql(place.drop_guard)
        (problem,) = store.verify().problems
        assert "the trigger incident_events_no_update is gone or off" in problem.text

    def test_an_anchor_of_another_store_is_found(self, place):
        store = place.store()
        fill(store)
        (problem,) = store.verify([Anchor(5, "0" * 64)]).problems
        assert (problem.position, "not the event that the anchor was taken of" in problem.text) == (5, True)
