"""Records of a long drill are read line by line, and are the same as those read with care."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import BadDocument
from sre.incidents.evidence import parse_client_records, read_client_records, read_jsonl

ROW = {
    "id": "r1",
    "scheduled_at": 1.0,
    "sent_at": 1.5,
    "first_token_at": 1.75,
    "last_token_at": 2.0,
    "finished_at": 2.25,
    "prompt_tokens": 10,
    "max_tokens": 20,
    "output_tokens": 20,
    "max_gap_s": 0.1,
    "outcome": "ok",
    "replicas": ["llm-0", "llm-1"],
}
ODD = (
    st.none()
    | st.integers(-5, 5)
    | st.floats(-10, 10)
    | st.text(max_size=3)
    | st.lists(st.text(max_size=3), max_size=2)
)


def told(read):
    try:
        return read()
    except BadDocument as error:
        return error.faults


@given(st.lists(st.dictionaries(st.sampled_from(sorted(ROW)), ODD), min_size=1, max_size=4))
def test_both_ways_of_reading_say_the_same(tmp_path_factory, changes):
    path = tmp_path_factory.mktemp("drill") / "requests.jsonl"
    path.write_text("".join(json.dumps({**ROW, **change}) + "\n" for change in changes))
    with_care = told(lambda: parse_client_records(read_jsonl(path)))
    assert told(lambda: read_client_records(path)) == with_care


def test_every_fault_is_named_with_its_line(tmp_path):
    path = tmp_path / "requests.jsonl"
    rows = [
        ROW,
        {**ROW, "outcome": 3},
        {**ROW, "replicas": "llm-0"},
        {**ROW, "first_token_at": "soon"},
        {**ROW, "id": None},
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BadDocument) as caught:
        read_client_records(path)
    assert [fault.split(":")[1] for fault in caught.value.faults] == ["2", "3", "4", "5"]


def test_a_line_that_its_writer_did_not_finish_is_left_out(tmp_path):
    path = tmp_path / "requests.jsonl"
    path.write_text(json.dumps(ROW) + "\n" + json.dumps(ROW)[:40])
    (record,) = read_client_records(path)
    assert record.line == 1


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"[]\n", b"{\n{}\n"])
def test_what_is_no_record_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "requests.jsonl"
    path.write_bytes(content)
    with pytest.raises(BadDocument, match=r"requests\.jsonl"):
        read_client_records(path)
