"""Reading the files of a drill: what the contract promises is read, what breaks it is named."""

from __future__ import annotations

import json

import pytest

from sre.errors import BadDocument
from sre.incidents.evidence import (
    parse_client_records,
    parse_journal,
    parse_platform_events,
    read_jsonl,
    read_object,
)

REQUEST = {
    "id": "r1", "scheduled_at": 1.0, "sent_at": 1.1, "first_token_at": 1.3, "last_token_at": 2.0, "finished_at": 2.1,
    "prompt_tokens": 5, "max_tokens": 9, "output_tokens": 7, "max_gap_s": 0.02, "outcome": "ok", "status": 200,
    "error": None, "finish_reason": "length", "replicas": ["llm-0"],
}  # fmt: skip


def test_a_cut_last_line_is_forgiven(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"at": 1}\n\n{"at": 2}\n{"at": 3, "ev')
    assert read_jsonl(path) == [{"at": 1}, {"at": 2}]


def test_any_other_bad_line_is_named_with_its_number(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"at": 1}\n{"at"\n[1]\n{"at": 3}\n')
    with pytest.raises(BadDocument) as caught:
        read_jsonl(path)
    assert caught.value.faults == [f"{path}:2: not JSON", f"{path}:3: expected an object"]


def test_what_is_read_knows_the_line_it_stands_in_also_past_blank_ones(tmp_path):
    path = tmp_path / "events.jsonl"
    rows = ['{"at": 2, "event": "gateway_ready"}', "", '{"at": 1, "event": "platform_ready"}']
    path.write_text("\n".join(rows))
    events = parse_platform_events(read_jsonl(path))
    assert [(e.event, e.evidence) for e in events] == [
        ("platform_ready", "events.jsonl:3"),
        ("gateway_ready", "events.jsonl:1"),
    ]
    path.write_text("\n" + json.dumps(REQUEST))
    assert [r.evidence for r in parse_client_records(read_jsonl(path))] == ["requests.jsonl:2"]


def test_a_bad_value_is_named_with_the_line_it_stands_in(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('\n\n{"at": "soon", "event": "gateway_ready"}')
    with pytest.raises(BadDocument, match=r"events.jsonl:3: at must be a number"):
        parse_platform_events(read_jsonl(path))


def test_the_phases_of_a_start_are_told_on_one_line():
    detail = {"phases": {"server_start": 1.5, "model_load": 2.0}}
    (event,) = parse_platform_events([{"at": 1.0, "event": "replica_ready", "replica": "llm-0", "detail": detail}])
    assert event.note == "phases=server_start 1.5; model_load 2.0"


def test_platform_events_are_sorted_and_keep_their_detail():
    events = parse_platform_events(
        [
            {"at": 2.0, "event": "replica_exited", "replica": "llm-1", "pid": 7, "detail": {"returncode": -9}},
            {"at": 1.0, "event": "platform_ready", "replica": None, "pid": None, "detail": {}},
        ]
    )
    assert [e.event for e in events] == ["platform_ready", "replica_exited"]
    assert events[1].note == "returncode=-9"


def test_client_records_know_their_ttft_and_whether_they_failed():
    (record,) = parse_client_records([REQUEST])
    assert record.ttft_s == pytest.approx(0.2)
    assert not record.failed
    assert not record.retried
    (cut,) = parse_client_records([{**REQUEST, "outcome": "truncated", "replicas": ["llm-1", "llm-0"]}])
    assert cut.failed
    assert cut.retried


def test_a_request_never_sent_counts_from_its_schedule_and_an_open_one_is_left_out():
    never, _ = {**REQUEST, "sent_at": None, "first_token_at": None, "outcome": "error"}, None
    records = parse_client_records([never, {**REQUEST, "finished_at": None}])
    assert [r.sent_at for r in records] == [1.0]
    assert records[0].ttft_s is None


def test_the_journal_is_read_with_and_without_a_zone_in_its_times():
    run = {"activity": {"name": "kill", "type": "action"}, "status": "succeeded"}
    journal = parse_journal(
        {
            "status": "completed",
            "deviated": False,
            "steady_states": {"before": {"steady_state_met": True, "probes": []}, "after": None, "during": []},
            "run": [
                {**run, "start": "2026-01-01T00:00:01", "end": "2026-01-01T00:00:02"},
                {**run, "start": "2026-01-01T00:00:00+00:00"},
            ],
            "rollbacks": [],
        }
    )
    assert (journal.before_met, journal.after_met) == (True, None)
    assert [s.start % 60 for s in journal.steps] == [0.0, 1.0]
    assert [s.evidence for s in journal.steps] == ["journal.json#/run/1", "journal.json#/run/0"]
    assert journal.steps[0].end == journal.steps[0].start


def test_what_is_no_journal_is_refused():
    with pytest.raises(BadDocument, match="not a Chaos Toolkit journal"):
        parse_journal(json.loads('{"run": []}'))


@pytest.mark.parametrize("content", [None, b"", b'{"status": "comple', b"[1]", b"\xff"])
def test_a_file_that_is_absent_or_cut_short_is_a_fault_and_no_traceback(tmp_path, content):
    path = tmp_path / "journal.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadDocument, match=r"journal.json: .*run the drill again"):
        read_object(path)


def test_records_that_are_not_there_are_a_fault(tmp_path):
    with pytest.raises(BadDocument, match=r"requests.jsonl: cannot be read"):
        read_jsonl(tmp_path / "requests.jsonl")


@pytest.mark.parametrize("replica", [5, float("nan"), ["llm-0"], True])
def test_a_replica_that_is_no_text_is_a_fault_with_its_line(replica):
    with pytest.raises(BadDocument, match=r"events.jsonl:1"):
        parse_platform_events([{"at": 1.0, "event": "replica_ready", "replica": replica}])


@pytest.mark.parametrize("at", [10**400, float("inf"), True])
def test_a_time_that_is_no_number_is_a_fault_with_its_line(at):
    with pytest.raises(BadDocument, match=r"events.jsonl:1: at must be a number"):
        parse_platform_events([{"at": at, "event": "replica_ready"}])
