"""What the segment writer wrote is what the reader gives back: no value invented, none carried over a gap."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.errors import BadDocument, NoData
from sre.metrics.exposition import SampleId
from sre.metrics.files import RecordedSamples
from sre.metrics.model import Selector
from sre.metrics.segments import SegmentWriter, merge_labels, segment_paths
from sre.metrics.selector import parse_selector
from sre.metrics.targets import Target

GATEWAY = Target("gateway", "http://127.0.0.1:1/metrics")
REPLICA = Target("triton", "http://127.0.0.1:2/metrics", (("replica", "llm-0"),))
A, B = SampleId("a_total", ()), SampleId("b", (("x", "1"),))


def writer(directory, *, segment_s=100.0, retention_s=1000.0, targets=(GATEWAY, REPLICA)):
    return SegmentWriter(directory, targets, interval_s=1.0, segment_s=segment_s, retention_s=retention_s)


def record(out, scrapes, *, target=0, close=True):
    """`scrapes` are (time, samples or None for a failure)."""
    for at, samples in scrapes:
        out.advance(at)
        if samples is None:
            out.failed(at, target, "refused")
        else:
            out.scraped(at, target, samples)
    if close:
        out.close()


def read(directory, selector, start=0.0, end=1e9):
    """{labels without job and instance: [(time, value)]}"""
    found = {}
    for one in RecordedSamples(directory).series(parse_selector(selector), start=start, end=end):
        labels = tuple(pair for pair in one.id.labels if pair[0] not in ("job", "instance"))
        found[labels] = list(zip(one.times.tolist(), one.values.tolist(), strict=True))
    return found


def test_unchanged_values_are_samples_too(tmp_path):
    record(writer(tmp_path), [(1, {A: 5.0}), (2, {A: 5.0}), (3, {A: 6.5})])
    assert read(tmp_path, "a_total") == {(): [(1, 5), (2, 5), (3, 6.5)]}


def test_a_failed_scrape_is_a_gap_and_up_says_so(tmp_path):
    record(writer(tmp_path), [(1, {A: 5.0}), (2, None), (3, {A: 5.0})])
    assert read(tmp_path, "a_total") == {(): [(1, 5), (3, 5)]}
    assert read(tmp_path, 'up{job="gateway"}') == {(): [(1, 1), (2, 0), (3, 1)]}


def test_a_series_that_disappears_stops(tmp_path):
    record(writer(tmp_path), [(1, {A: 1.0, B: 2.0}), (2, {A: 1.0}), (3, {A: 1.0, B: 2.0})])
    assert read(tmp_path, "b") == {(("x", "1"),): [(1, 2), (3, 2)]}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_absent(tmp_path, value):
    record(writer(tmp_path), [(1, {A: 1.0}), (2, {A: value}), (3, {A: 1.0})])
    assert read(tmp_path, "a_total") == {(): [(1, 1), (3, 1)]}


def test_targets_do_not_mix(tmp_path):
    out = writer(tmp_path)
    record(out, [(1, {A: 1.0})], target=0)
    record(out, [(1, {A: 7.0}), (2, None)], target=1)
    record(out, [(2, {A: 2.0})], target=0)
    assert read(tmp_path, "a_total") == {(): [(1, 1), (2, 2)], (("replica", "llm-0"),): [(1, 7)]}


def test_the_range_is_open_on_the_left_and_closed_on_the_right(tmp_path):
    record(writer(tmp_path), [(t, {A: float(t)}) for t in range(1, 6)])
    assert read(tmp_path, "a_total", start=2, end=4) == {(): [(3, 3), (4, 4)]}


def test_each_segment_stands_alone(tmp_path):
    record(writer(tmp_path, segment_s=2), [(t, {A: 5.0}) for t in range(1, 6)])
    paths = [path for _, path in segment_paths(tmp_path)]
    assert len(paths) == 3
    paths[0].unlink()
    assert read(tmp_path, "a_total") == {(): [(3, 5), (4, 5), (5, 5)]}


def test_old_segments_are_removed(tmp_path):
    record(writer(tmp_path, segment_s=2, retention_s=4), [(t, {A: 5.0}) for t in range(1, 100)])
    assert len(segment_paths(tmp_path)) <= 4
    assert read(tmp_path, "a_total")[()][0][0] >= 90


def test_a_reader_follows_a_live_segment(tmp_path):
    out, samples = writer(tmp_path), RecordedSamples(tmp_path)
    record(out, [(1, {A: 1.0})], close=False)
    assert samples.series(Selector("a_total"), start=0, end=10)[0].times.tolist() == [1]
    record(out, [(2, {A: 1.0}), (3, {A: 2.0, B: 9.0})])
    assert samples.series(Selector("a_total"), start=0, end=10)[0].values.tolist() == [1, 1, 2]
    assert samples.series(Selector("b"), start=0, end=10)[0].times.tolist() == [3]


def test_a_cut_last_line_waits_for_its_end(tmp_path):
    record(writer(tmp_path), [(1, {A: 1.0}), (2, {A: 2.0})])
    ((_, path),) = segment_paths(tmp_path)
    whole = path.read_bytes()
    samples = RecordedSamples(tmp_path)
    path.write_bytes(whole[:-9])
    assert samples.series(Selector("a_total"), start=0, end=10)[0].times.tolist() == [1]
    path.write_bytes(whole)
    assert samples.series(Selector("a_total"), start=0, end=10)[0].times.tolist() == [1, 2]


@pytest.mark.parametrize(
    "damage",
    [
        '{"at":"3","target":0,"up":1}\n',
        '{"at":true,"target":0,"up":1}\n',
        '{"at":NaN,"target":0,"up":1}\n',
        '{"at":[3],"target":0,"up":0,"error":"x"}\n',
        '{"at":3,"target":0,"up":"1"}\n',
        '{"at":3,"target":0.0,"up":1}\n',
        '{"at":3,"target":-1,"up":1}\n',
        '{"at":3,"target":0,"up":1,"ids":[0],"values":["7"]}\n',
        '{"at":3,"target":0,"up":1,"ids":[0],"values":[null]}\n',
        '{"at":3,"target":0,"up":1,"ids":[0],"values":{"0":7}}\n',
        '{"at":3,"target":0,"up":1,"ids":[-1],"values":[7]}\n',
        '{"at":3,"target":0,"up":1,"gone":[true]}\n',
        '{"at":3,"target":0,"up":1,"new":[[5,[]]]}\n',
        '{"at":3,"target":0,"up":1,"new":[["b",[["x",5]]]]}\n',
        '{"schema":1,"at":3,"retention_s":"long","targets":[]}\n',
    ],
)
def test_a_value_of_the_wrong_kind_is_a_fault_with_its_place(tmp_path, damage):
    record(writer(tmp_path), [(1, {A: 1.0})])
    ((_, path),) = segment_paths(tmp_path)
    path.write_text(path.read_text() + damage)
    with pytest.raises(BadDocument, match=rf"{path.name}:3: not a recorder's line"):
        read(tmp_path, "a_total")


@pytest.mark.parametrize(
    "damage", ["not json\n", '{"at":3,"target":9,"up":1}\n', "[]\n", '{"schema":99,"targets":[]}\n']
)
def test_a_damaged_line_is_a_fault_with_its_place(tmp_path, damage):
    record(writer(tmp_path), [(1, {A: 1.0})])
    ((_, path),) = segment_paths(tmp_path)
    path.write_text(path.read_text() + damage)
    with pytest.raises(BadDocument, match=rf"{path.name}:3: not a recorder's line"):
        read(tmp_path, "a_total")


def test_an_empty_or_absent_folder_is_no_data(tmp_path):
    with pytest.raises(NoData, match="recorder running"):
        read(tmp_path, "a_total")
    with pytest.raises(NoData):
        read(tmp_path / "absent", "a_total")


def test_a_restarted_recorder_goes_on_beside_what_was_there(tmp_path):
    record(writer(tmp_path), [(1, {A: 1.0})])
    record(writer(tmp_path), [(5, {A: 2.0})])
    assert read(tmp_path, "a_total") == {(): [(1, 1), (5, 2)]}


def test_an_extract_reads_like_the_folder(tmp_path):
    folder, extract = tmp_path / "samples", tmp_path / "samples.jsonl"
    record(writer(folder, segment_s=3), [(t, {A: float(t // 2)} if t != 7 else None) for t in range(1, 20)])
    RecordedSamples(folder).extract(extract, start=4, end=12)
    assert read(extract, "a_total", 4, 12) == read(folder, "a_total", 4, 12) != {}
    assert read(extract, "up", 4, 12) == read(folder, "up", 4, 12)


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    (tmp_path / "notes.jsonl").write_text("hello\n")
    record(writer(tmp_path), [(1, {A: 1.0})])
    assert read(tmp_path, "a_total") == {(): [(1, 1)]}


def test_lines_hold_only_what_changed(tmp_path):
    many = {SampleId("c", (("n", str(n)),)): 0.0 for n in range(50)}
    record(writer(tmp_path), [(t, {**many, A: float(t)}) for t in range(1, 4)])
    ((_, path),) = segment_paths(tmp_path)
    last = json.loads(path.read_text().splitlines()[-1])
    assert last == {"at": 3, "target": 0, "up": 1, "ids": [50], "values": [3]}


def test_a_label_of_the_target_wins_over_the_series_own():
    merged = dict(merge_labels(SampleId("up", (("replica", "other"), ("x", "1"))), REPLICA))
    assert merged["replica"] == "llm-0"
    assert merged["exported_replica"] == "other"


PAGES = st.lists(
    st.none() | st.dictionaries(st.sampled_from([A, B, SampleId("c", ())]), st.integers(0, 3).map(float)),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(pages=PAGES, segment_s=st.integers(1, 12), asked=st.tuples(st.integers(0, 30), st.integers(0, 30)))
def test_reading_gives_exactly_what_was_scraped(tmp_path_factory, pages, segment_s, asked):
    directory = tmp_path_factory.mktemp("samples")
    record(writer(directory, segment_s=segment_s), list(enumerate(pages, start=1)))
    start, end = min(asked), max(asked)
    for series in (A, B):
        expected = [
            (t, p[series]) for t, p in enumerate(pages, 1) if p is not None and series in p and start < t <= end
        ]
        assert read(directory, series.name, start, end) == ({series.labels: expected} if expected else {})
