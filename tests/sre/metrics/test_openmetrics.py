"""Text with timestamps is read as Prometheus's own tools read it, and a fault is told with its line."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import BadDocument
from sre.metrics import openmetrics
from sre.metrics.heads import read_head, write_head
from sre.metrics.identity import bound_spellings, canonical_bound, series_id
from sre.metrics.openmetrics import read_openmetrics


@pytest.fixture
def read(tmp_path):
    def write_and_read(text, name="history.om"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return {
            write_head(one.id): list(zip(one.times.tolist(), one.values.tolist(), strict=True))
            for one in read_openmetrics(path).everything()
        }

    return write_and_read


@pytest.fixture
def faults(read):
    def told(text, **options):
        with pytest.raises(BadDocument) as caught:
            read(text, **options)
        return caught.value.faults

    return told


OPENMETRICS = """\
# HELP a Words # EOF in words.
# TYPE a counter
# UNIT a seconds
a_total{x="1"} 5 1000
a_total{x="1"} 6.5 1030.25
a_created{x="1"} 999 1000
# TYPE h histogram
h_bucket{le="1"} 3 1000 # {trace_id="f # {}"} 0.5 999.5
h_bucket{le="+Inf"} 4 1000 # {} 7
h_count 4 1000
gauge{} NaN 1000
gauge 1e3 1030
gauge +Inf 1060
# EOF
"""


def test_openmetrics_in_seconds(read):
    assert read(OPENMETRICS) == {
        'a_total{x="1"}': [(1000, 5), (1030.25, 6.5)],
        'a_created{x="1"}': [(1000, 999)],
        'h_bucket{le="1.0"}': [(1000, 3)],
        'h_bucket{le="+Inf"}': [(1000, 4)],
        "h_count": [(1000, 4)],
        "gauge": [(1030, 1000)],
    }


def test_prometheus_text_in_milliseconds(read):
    text = '# TYPE a counter\na{x="1",} 5 1700000000000\n\n a\t6   1700000030500 \n'
    assert read(text, "history.prom") == {'a{x="1"}': [(1700000000, 5)], "a": [(1700000030.5, 6)]}


def test_a_dump_of_promtool(read):
    text = '{__name__="a", x="1"} 5 1000000\n{__name__="a", x="2"} 5 1000500\n'
    assert read(text) == {'a{x="1"}': [(1000, 5)], 'a{x="2"}': [(1000.5, 5)]}


def test_windows_line_ends_and_no_last_newline(read):
    assert read("a 1 5\r\na 2 6\r\n# EOF") == {"a": [(5, 1), (6, 2)]}


def test_packed(read):
    assert read(gzip.compress(b"a 1 5\n# EOF\n"), "history.om.gz") == {"a": [(5, 1)]}


def test_samples_in_any_order_and_twice(read):
    text = "b 1 20\na 2 30\nb 3 10\na 2 30\n# EOF\n"
    assert read(text) == {"a": [(30, 2)], "b": [(10, 3), (20, 1)]}


def test_labels_in_another_order_are_the_same_series(read):
    assert read('a{x="1",y="2"} 1 1\na{y="2", x="1", z=""} 2 2\n# EOF\n') == {'a{x="1",y="2"}': [(1, 1), (2, 2)]}


def test_a_line_may_span_blocks_of_the_file(read, monkeypatch):
    monkeypatch.setattr(openmetrics, "CHUNK_BYTES", 7)
    assert read(OPENMETRICS)['a_total{x="1"}'] == [(1000, 5), (1030.25, 6.5)]


def test_an_empty_file_has_no_series(read):
    assert read("") == read("# EOF\n") == {}


BROKEN = """\
ok 1 5
a{x="1" 1 5
a 1
a x 5
a 1 y
1a 1 5
a{x=1} 1 5
a{x="1",x="2"} 1 5
{x="1"} 1 5
a
a 1 NaN
a 1 5 6 7
ok 2 5
# EOF
"""


def test_every_fault_has_its_line(faults):
    told = faults(BROKEN)
    assert [int(fault.partition(".om:")[2].partition(":")[0]) for fault in told] == [*range(2, 13), 13]
    assert "no timestamp" in told[1]
    assert "a second value for one time" in told[-1]
    assert not any("\n" in fault for fault in told)


def test_many_faults_are_counted_not_listed(faults):
    told = faults("a b c\n" * 1000 + "# EOF\n")
    assert len(told) == 21
    assert told[-1].endswith("and 980 more")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a 1 5\n# EOF\na 2 6\n", ":3: samples after `# EOF` (line 2)"),
        ("a 1 1700000000\n", "does not end in `# EOF`, and its timestamps"),
        (b'a 1 5\na{x="\xff"} 1 6\n# EOF\n', ":2: not UTF-8"),
        ("<html>\n<body>no</body>\n", ":1: "),
    ],
)
def test_other_files_are_told(faults, text, problem):
    assert problem in faults(text)[0]


def test_a_cut_gz_is_told(faults, tmp_path):
    packed = gzip.compress(OPENMETRICS.encode() * 50)
    assert "cannot be read" in faults(packed[:-20], name="history.om.gz")[0]
    assert "cannot be read" in faults(b"not packed", name="history.om.gz")[0]


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
LABELS = st.dictionaries(st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True), TEXT, max_size=4)


@given(st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", fullmatch=True), LABELS)
def test_a_head_reads_back(name, labels):
    series = series_id(name, labels.items())
    assert read_head(write_head(series)) == series


@given(st.floats(allow_nan=False))
def test_a_bound_has_one_spelling(value):
    text = canonical_bound(repr(value))
    assert float(text) == value
    assert {canonical_bound(spelling) for spelling in bound_spellings(text)} == {text}


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1", "1.0"),
        ("0", "0.0"),
        ("1e6", "1e+06"),
        ("1000000", "1e+06"),
        ("1234567", "1.234567e+06"),
        ("123456", "123456.0"),
        ("0.00001", "1e-05"),
        ("inf", "+Inf"),
        ("-2", "-2.0"),
        ("abc", "abc"),
        ("NaN", "NaN"),
    ],
)
def test_bounds_as_prometheus_3_writes_them(text, canonical):
    assert canonical_bound(text) == canonical
