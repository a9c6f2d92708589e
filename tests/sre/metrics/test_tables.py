"""CSV and Parquet in one layout; what is written reads back, and a fault is told with its place."""

import gzip
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.errors import BadDocument, EnvironmentLacks
from sre.metrics.csv_samples import read_csv
from sre.metrics.export import write_csv, write_openmetrics, write_parquet
from sre.metrics.heads import write_head
from sre.metrics.identity import series_id
from sre.metrics.model import Series
from sre.metrics.openmetrics import read_openmetrics
from sre.metrics.parquet_samples import read_parquet

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is absent: pip install 'llm-gameday[parquet]'")
parquet = pytest.importorskip("pyarrow.parquet")

READERS = {".om": (write_openmetrics, read_openmetrics), ".csv": (write_csv, read_csv)}
READERS |= {".om.gz": READERS[".om"], ".csv.gz": READERS[".csv"], ".parquet": (write_parquet, read_parquet)}


def told(source):
    return {
        write_head(one.id): list(zip(one.times.tolist(), one.values.tolist(), strict=True))
        for one in source.everything()
    }


@pytest.fixture
def read(tmp_path):
    def write_and_read(text, name="history.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return told(read_csv(path))

    return write_and_read


@pytest.fixture
def faults(read):
    def told_of(text, **options):
        with pytest.raises(BadDocument) as caught:
            read(text, **options)
        return caught.value.faults

    return told_of


def test_rows_in_any_order_with_any_columns(read):
    text = 'job,value,metric,time,le\ng,2,a,20,\n"g,1",1,a,10,\ng,1,a,10.5,\n,5,b,10,1\n'
    assert read(text) == {
        'a{job="g"}': [(10.5, 1), (20, 2)],
        'a{job="g,1"}': [(10, 1)],
        'b{le="1.0"}': [(10, 5)],
    }


def test_times_in_seconds_or_rfc_3339(read):
    text = "time,metric,value\n2023-11-14T22:13:20Z,a,1\n2023-11-15T00:13:50.5+02:00,a,2\n1700000060,a,3\n"
    assert read(text) == {"a": [(1700000000, 1), (1700000030.5, 2), (1700000060, 3)]}


def test_a_label_may_have_a_reserved_name(read, tmp_path):
    assert read("time,metric,value,label.value\n1,a,2,x\n") == {'a{value="x"}': [(1, 2)]}


def test_a_mark_of_byte_order_and_windows_line_ends(read):
    assert read(b"\xef\xbb\xbftime,metric,value\r\n1,a,2\r\n") == {"a": [(1, 2)]}


def test_values_that_are_not_finite_are_left_out(read):
    assert read("time,metric,value\n1,a,NaN\n2,a,+Inf\n3,a,4\n") == {"a": [(3, 4)]}


def test_packed(read):
    assert read(gzip.compress(b"time,metric,value\n1,a,2\n"), "history.csv.gz") == {"a": [(1, 2)]}


BROKEN = """\
time,metric,value,path
1,a,1,"two
lines"
x,a,1,
2023-11-14T22:13:20,a,1,
1,a,,
1,a,one,
1,,1,
1,a b,1,
1,a,1
NaN,a,1,
1,a,1,,

7,a,1,
7,a,2,
"""


def test_every_fault_has_its_line(faults):
    found = faults(BROKEN)
    assert [int(fault.partition(".csv:")[2].partition(":")[0]) for fault in found] == [*range(4, 13), 15]
    assert "no zone" in found[1]
    assert "is empty" in found[4]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", ":1: no column time, metric, value"),
        ("time;metric;value\n1;a;2\n", ":1: no column time, metric, value"),
        ("time,metric,value,bad-label,time\n", ":1: column 'bad-label' is not a label name"),
        ("time,metric,value\n1,a,2\x00\n", "a.csv"),
        ('time,metric,value\n1,a,"2\n', "not CSV"),
        (b"time,metric,value\n1,\xff,2\n", "not UTF-8"),
    ],
)
def test_other_files_are_told(tmp_path, text, problem):
    path = tmp_path / "a.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(BadDocument) as caught:
        read_csv(path)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


def table(tmp_path, name="history.parquet", **columns):
    path = tmp_path / name
    parquet.write_table(pyarrow.table(columns), path)
    return path


@pytest.mark.parametrize(
    "time",
    [
        [1700000000.0, 1700000030.5],
        pyarrow.array([1700000000000, 1700000030500], pyarrow.timestamp("ms")),
        pyarrow.array([1700000000000000000, 1700000030500000000], pyarrow.timestamp("ns", "UTC")),
    ],
)
def test_parquet_times(tmp_path, time):
    path = table(tmp_path, time=time, metric=["a", "a"], value=[1, 2], job=["g", None])
    assert told(read_parquet(path)) == {"a": [(1700000030.5, 2)], 'a{job="g"}': [(1700000000, 1)]}


def test_parquet_of_dictionaries_integers_and_empty_columns(tmp_path):
    texts = pyarrow.array(["a", "b", "a"]).dictionary_encode()
    path = table(tmp_path, time=[1, 2, 3], metric=texts, value=[1, None, 3], nothing=pyarrow.nulls(3))
    assert told(read_parquet(path)) == {"a": [(1, 1), (3, 3)]}


def test_a_folder_of_parquet_is_one_source(tmp_path):
    table(tmp_path, "a.parquet", time=[1.0, 2.0], metric=["a", "a"], value=[1.0, 2.0])
    table(tmp_path, "b.parquet", time=[2.0, 3.0], metric=["a", "b"], value=[2.0, 3.0], x=[None, "y"])
    assert told(read_parquet(tmp_path)) == {"a": [(1, 1), (2, 2)], 'b{x="y"}': [(3, 3)]}


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"time": [1.0], "metric": ["a"]}, "no column value"),
        ({"time": ["x"], "metric": ["a"], "value": [1.0]}, "column time is string: a number"),
        ({"time": [1.0], "metric": [7], "value": [1.0]}, "column metric is int64: text"),
        ({"time": [None, 1.0], "metric": ["a", "a"], "value": [1.0, 1.0]}, "row 1: time is missing"),
        ({"time": [1.0, 1.0], "metric": ["a", "a b"], "value": [1.0, 1.0]}, "row 2: 'a b' is not a metric name"),
        ({"time": [1.0, 1.0], "metric": ["a", "a"], "value": [1.0, 2.0]}, "2: a second value for one time"),
    ],
)
def test_faults_of_parquet_are_told(tmp_path, columns, problem):
    with pytest.raises(BadDocument) as caught:
        read_parquet(table(tmp_path, **columns))
    assert problem in str(caught.value)


def test_a_file_that_is_no_parquet_is_told(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 no")
    with pytest.raises(BadDocument, match=r"a\.parquet: not a readable Parquet file") as caught:
        read_parquet(path)
    assert "\n" not in str(caught.value)


def test_without_pyarrow_the_way_to_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(EnvironmentLacks, match="pip install"):
        read_parquet(tmp_path / "a.parquet")


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=8)
LABELS = st.dictionaries(st.sampled_from(["job", "path", "le", "value", "time", "metric"]), TEXT, max_size=3)
IDS = st.builds(lambda name, labels: series_id(name, labels.items()), st.sampled_from(["a", "b:c"]), LABELS)
TIMES = st.lists(st.integers(1, 2_000_000_000_000), min_size=1, max_size=5, unique=True)


@st.composite
def histories(draw):
    series = []
    for one in draw(st.lists(IDS, min_size=1, max_size=4, unique=True)):
        times = np.array(sorted(draw(TIMES))) / 1000
        values = draw(
            st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=len(times), max_size=len(times))
        )
        series.append(Series(one, times, np.array(values)))
    return series


@settings(max_examples=40, deadline=None)
@given(histories())
@pytest.mark.parametrize("suffix", READERS)
def test_what_is_written_reads_back(tmp_path_factory, suffix, series):
    write, read_back = READERS[suffix]
    path = tmp_path_factory.mktemp("export") / f"history{suffix}"
    write(series, path)
    found = read_back(path).everything()
    expected = sorted(series, key=lambda one: (one.id.name, one.id.labels))
    assert [one.id for one in found] == [one.id for one in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.times, other.times, rtol=0, atol=1e-6)
        assert one.values.tolist() == other.values.tolist()
    assert sorted(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("suffix", READERS)
def test_the_same_samples_give_the_same_bytes_and_nothing_gives_a_file(tmp_path, suffix):
    write, read_back = READERS[suffix]
    series = [Series(series_id("a", [("x", "y")]), np.array([1.0]), np.array([2.0]))]
    for name in ("one", "two"):
        write(series, tmp_path / f"{name}{suffix}")
    assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    write([], tmp_path / f"none{suffix}")
    assert read_back(tmp_path / f"none{suffix}").everything() == ()


@pytest.mark.parametrize("suffix", READERS)
def test_a_failed_export_leaves_what_was_there(tmp_path, suffix):
    write, _ = READERS[suffix]
    path = tmp_path / f"history{suffix}"
    path.write_text("before")
    with pytest.raises(AttributeError):
        write([Series(None, np.array([1.0]), np.array([2.0]))], path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(EnvironmentLacks, match="cannot be written"):
        write([], tmp_path / "absent" / path.name)
