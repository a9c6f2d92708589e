"""The ledger survives a killed writer and tells which faults are open."""

import fcntl
import resource
import threading

import pytest

from sre.chaos.leases.ledger import Ledger, LedgerRecord, NotWritten, fault_windows, since
from sre.errors import BadDocument


def record(event, at, fault_id="f-1", target="llm-1"):
    return LedgerRecord(at, event, fault_id, "replica-crash", target)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path)


def test_what_is_appended_is_read_back(ledger):
    written = LedgerRecord(1.5, "fault_begin", "f-1", "replica-crash", "llm-1", {"pid": 7})
    ledger.append(written)
    ledger.append(record("fault_end", 2.0))
    assert ledger.read() == (written, record("fault_end", 2.0))


def test_no_ledger_means_no_records(ledger):
    assert ledger.read() == ()
    assert ledger.open_faults() == ()


@pytest.mark.parametrize("cut", ['{"at": 7.25, "eve', "{" + "x" * 10_000])
def test_a_line_cut_by_a_killed_writer_is_ignored_and_removed_by_the_next(ledger, cut):
    ledger.append(record("fault_begin", 1.0))
    with ledger.path.open("a") as file:
        file.write(cut)
    assert [r.event for r in ledger.read()] == ["fault_begin"]
    ledger.append(record("fault_proven", 2.0))
    assert [r.event for r in ledger.read()] == ["fault_begin", "fault_proven"]
    assert cut not in ledger.path.read_text()


def test_a_ledger_that_is_one_cut_line_starts_anew(ledger):
    ledger.path.write_text('{"at"')
    ledger.append(record("fault_begin", 1.0))
    assert len(ledger.read()) == 1


@pytest.mark.parametrize("line", ["nonsense", "[]", '{"at": 1}', '{"at": "x", "event": "e"}'])
def test_a_bad_line_in_the_middle_is_a_fault_with_its_number(ledger, line):
    ledger.path.write_text(line + "\n")
    ledger.append(record("fault_end", 2.0))
    with pytest.raises(BadDocument, match=r"chaos\.jsonl:1: "):
        ledger.read()


def test_who_undoes_reads_past_a_bad_line(ledger):
    ledger.append(record("fault_begin", 1.0))
    with ledger.path.open("ab") as file:
        file.write(b"\xff nonsense\n")
    ledger.append(record("fault_begin", 2.0, fault_id="f-2"))
    found = ledger.salvage()
    assert [r.fault_id for r in found.records] == ["f-1", "f-2"]
    (damage,) = found.damage
    assert "chaos.jsonl:2: " in damage


def test_of_a_record_that_finds_no_room_nothing_stays(ledger):
    ledger.append(record("fault_begin", 1.0))
    before = ledger.path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limit[1]))
    try:
        with pytest.raises(NotWritten, match="fault_proven cannot be written") as raised:
            ledger.append(record("fault_proven", 2.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert "\n" not in str(raised.value)
    assert ledger.path.read_bytes() == before


def test_a_directory_that_is_not_there_takes_no_record(tmp_path):
    with pytest.raises(NotWritten, match="No such file"):
        Ledger(tmp_path / "never").append(record("fault_begin", 1.0))


def test_a_writer_stopped_in_the_middle_keeps_nobody_for_ever(ledger, monkeypatch):
    monkeypatch.setattr("sre.chaos.leases.ledger._LOCK_WAIT_S", 0.1)
    ledger.append(record("fault_begin", 1.0))
    with ledger.path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(NotWritten, match="another writer"):
            ledger.append(record("fault_proven", 2.0))
    ledger.append(record("fault_proven", 2.0))


def test_several_writers_lose_nothing(ledger):
    def write(writer):
        for number in range(25):
            ledger.append(record("fault_begin", float(number), fault_id=f"f-{writer}-{number}"))

    threads = [threading.Thread(target=write, args=(w,)) for w in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({r.fault_id for r in ledger.read()}) == 100


def test_a_fault_is_open_until_it_is_ended(ledger):
    ledger.append(record("fault_begin", 1.0))
    ledger.append(record("fault_begin", 2.0, fault_id="f-2"))
    ledger.append(record("fault_end", 3.0))
    assert [f.fault_id for f in ledger.open_faults()] == ["f-2"]


def test_a_second_end_does_not_move_the_first():
    (window,) = fault_windows([record("fault_begin", 1.0), record("fault_end", 3.0), record("fault_end", 9.0)])
    assert (window.begin, window.end) == (1.0, 3.0)


@pytest.mark.parametrize(("said", "proven"), [(["fault_proven"], True), (["fault_not_proven"], False), ([], None)])
def test_proof_is_what_was_said_about_it(said, proven):
    (window,) = fault_windows([record("fault_begin", 1.0), *(record(event, 2.0) for event in said)])
    assert window.proven is proven


def test_records_of_an_earlier_run_are_left_out():
    records = (record("fault_begin", 1.0), record("fault_begin", 5.0, fault_id="f-2"))
    assert [r.fault_id for r in since(records, 5.0)] == ["f-2"]
