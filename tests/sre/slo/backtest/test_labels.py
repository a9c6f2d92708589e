"""Labels are read strictly: every fault at once, with its line."""

from __future__ import annotations

import pytest

from sre.errors import BadDocument, SreError
from sre.slo.backtest.labels import read_labels, read_time, within_replay
from sre.slo.backtest.model import Label, Plan


@pytest.fixture
def labels_of(tmp_path):
    def read(text):
        path = tmp_path / "labels.csv"
        path.write_text(text)
        return read_labels(path)

    return read


def test_rfc_3339_and_unix_times_are_read_and_sorted(labels_of):
    found = labels_of(
        "start,end,name,slo,severity\n"
        "2026-01-02T10:00:00+02:00,2026-01-02T08:30:00Z,later,availability,page\n"
        "# a remark\n"
        '\n1767225600,1767229200.5,"first, with a comma",,\n'
    )
    assert [label.name for label in found] == ["first, with a comma", "later"]
    assert found[0].start == 1767225600
    assert found[0].slo is None
    assert found[0].severity is None
    assert found[1].end - found[1].start == 1800
    assert (found[1].slo, found[1].severity) == ("availability", "page")
    assert found[1].where.endswith("labels.csv:2")


def test_columns_may_come_in_any_order(labels_of):
    assert labels_of("name,end,start\nx,20,10\n")[0].start == 10


def test_every_fault_is_told_at_once_with_its_line(labels_of):
    with pytest.raises(BadDocument) as caught:
        labels_of("start,end,name,severity\nyesterday,20,a,page\n30,10,,urgent\n1,2\n2026-01-01T00:00:00,inf,b,\n")
    text = "\n".join(caught.value.faults)
    for part in (
        "labels.csv:2: start: 'yesterday'",
        "labels.csv:3: end: not after start",
        "labels.csv:3: name: missing",
        "labels.csv:3: severity: 'urgent'",
        "labels.csv:4: row: 2 cells under 4 columns",
        "labels.csv:5: start:",
        "labels.csv:5: end: 'inf'",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ":1: header: the file is empty"),
        ("start,end,name\n", "no incident below"),
        ("begin,end,name\n1,2,x\n", "no column `start`"),
        ("start,end,name,name\n1,2,x,x\n", "stands here twice"),
        ('start,end,name\n1,2,"x\n', "not CSV"),
    ],
)
def test_a_file_that_is_no_label_file_says_why(labels_of, text, told):
    with pytest.raises(BadDocument, match=told):
        labels_of(text)


def test_a_missing_file_and_one_that_is_no_text_say_so(tmp_path):
    with pytest.raises(BadDocument, match="cannot be read"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadDocument, match="UTF-8"):
        read_labels(tmp_path / "binary.csv")


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T00:00:00", "nan", "inf", "", "12:00Z"])
def test_a_time_without_zone_or_date_is_no_time(text):
    assert read_time(text) is None


PLAN = Plan(start=1000.0, end=2000.0, step_s=10.0)


def test_labels_outside_the_replay_are_left_out_with_a_reason():
    labels = [
        Label(0, 10, "before"),
        Label(900, 1100, "cut"),
        Label(1500, 1600, "x", slo="y"),
        Label(3000, 4000, "after"),
    ]
    kept, left_out = within_replay(labels, PLAN, ["availability"])
    assert [label.name for label in kept] == ["cut"]
    assert [reason for _, reason in left_out] == [
        "it ended before the replay begins",
        "no SLO replayed is named y",
        "it begins after the replay ends",
    ]


def test_labels_that_never_overlap_are_an_error_that_names_both_ranges():
    with pytest.raises(
        SreError, match=r"labels lie between 1970-01-01T00:00:00Z.*the replay between 1970-01-01T00:16:40Z"
    ):
        within_replay([Label(0, 10, "before")], PLAN, ["availability"])


def test_labels_of_another_slo_only_are_an_error():
    with pytest.raises(SreError, match="every label is of another SLO"):
        within_replay([Label(1500, 1600, "x", slo="y")], PLAN, ["availability"])


def test_no_labels_at_all_are_fine():
    assert within_replay([], PLAN, ["availability"]) == ((), ())
