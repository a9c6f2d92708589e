"""Whatever holds samples is opened by one call; whatever does not is named with what would do."""

import pytest

from sre.errors import BadDocument, NoData, SreError
from sre.metrics.exposition import SampleId
from sre.metrics.model import SourceFacts
from sre.metrics.opening import OpenSource, SourceSpec, open_source
from sre.metrics.segments import SegmentWriter
from sre.metrics.selector import parse_selector
from sre.metrics.targets import Target

A = parse_selector("a")
CSV = "time,metric,value\n1,a,2\n"


@pytest.fixture
def recorded(tmp_path):
    folder = tmp_path / "samples"
    target = Target("gateway", "http://127.0.0.1:1/metrics")
    writer = SegmentWriter(folder, (target,), interval_s=1, segment_s=2, retention_s=7200)
    for at in (1, 2, 3, 4):
        writer.advance(at)
        writer.scraped(at, 0, {SampleId("a", ()): float(at), SampleId("h_bucket", (("le", "1"),)): 1.0})
    writer.close()
    return folder


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("h.om", "a 2 1\n# EOF\n", "openmetrics"),
        ("h.openmetrics", "a 2 1\n# EOF\n", "openmetrics"),
        ("H.TXT", "a 2 1\n# EOF\n", "openmetrics"),
        ("x.y.prom", "a 2 1\n# EOF\n", "openmetrics"),
        ("h.csv", CSV, "csv"),
    ],
)
def test_a_file_is_told_by_its_name(tmp_path, name, text, kind):
    (tmp_path / name).write_text(text)
    with open_source(SourceSpec(path=tmp_path / name)) as source:
        assert source.name == kind
        assert source.series(A, start=0, end=9)[0].values.tolist() == [2]
        assert isinstance(source, OpenSource)
        assert isinstance(source, SourceFacts)
        assert source.metric_names() == {"a"}
        assert source.retention_s() == 0
        assert source.version() is None


def test_a_recorders_folder_and_an_extract(recorded, tmp_path):
    with open_source(SourceSpec(path=recorded)) as source:
        assert source.name == "scraper"
        assert source.metric_names() == {"a", "h_bucket", "up"}
        assert source.bucket_bounds("h") == (1,)
        assert source.label_values("a", "job") == {"gateway"}
        assert source.retention_s() == 7200
        source.extract(tmp_path / "samples.jsonl", start=0, end=9)
    with open_source(SourceSpec(path=tmp_path / "samples.jsonl")) as source:
        assert source.series(A, start=0, end=9)[0].values.tolist() == [1, 2, 3, 4]
        assert source.retention_s() == 3


def test_a_server_is_not_asked_before_it_must_be():
    with open_source(SourceSpec(prometheus="http://127.0.0.1:9/")) as source:
        assert source.name == "prometheus"
        assert isinstance(source, OpenSource)


@pytest.mark.parametrize("name", ["h.json", "h", "h.parquet.gz", "h.jsonl.gz", ".gz", "h.yaml"])
def test_other_names_are_refused_with_those_that_do(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(BadDocument, match=r"no kind of samples is called so: give .*\.csv"):
        open_source(SourceSpec(path=tmp_path / name))


@pytest.mark.parametrize("text", ["", '{"id": 1}\n', "hello\n"])
def test_lines_of_something_else_are_refused(tmp_path, text):
    (tmp_path / "requests.jsonl").write_text(text)
    with pytest.raises(BadDocument, match=r"requests\.jsonl"):
        open_source(SourceSpec(path=tmp_path / "requests.jsonl"))


def test_an_absent_file_and_an_empty_folder(tmp_path):
    with pytest.raises(BadDocument, match="no such file or folder"):
        open_source(SourceSpec(path=tmp_path / "absent.csv"))
    with pytest.raises(NoData, match="no samples in this folder"):
        open_source(SourceSpec(path=tmp_path))


@pytest.mark.parametrize(
    "spec", [SourceSpec(), SourceSpec(prometheus="http://x", path="y"), SourceSpec("http://x", timeout_s=0)]
)
def test_a_spec_names_one_source(spec):
    with pytest.raises(SreError):
        open_source(spec)


def test_a_folder_of_two_kinds_is_refused(recorded):
    (recorded / "a.parquet").write_text("")
    with pytest.raises(BadDocument, match="one kind"):
        open_source(SourceSpec(path=recorded))
