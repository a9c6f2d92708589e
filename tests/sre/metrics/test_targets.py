"""`recorder.json` is checked whole before anything is scraped."""

import json

import pytest

from sre.errors import BadDocument
from sre.metrics.targets import Target, read_config


def write(tmp_path, **changes):
    record = {
        "directory": "samples",
        "targets": [{"job": "gateway", "url": "http://127.0.0.1:8400/metrics"}],
        **changes,
    }
    path = tmp_path / "recorder.json"
    path.write_text(json.dumps(record))
    return path


def faults(path):
    with pytest.raises(BadDocument) as caught:
        read_config(path)
    return caught.value.faults


def test_reads_the_contract_example(tmp_path):
    target = {"job": "triton", "url": "http://127.0.0.1:1/metrics", "labels": {"replica": "llm-0"}}
    path = write(tmp_path, interval_s=0.5, retention_s=60, targets=[target], keep=["vllm:"])
    config = read_config(path)
    assert config.targets == (Target("triton", "http://127.0.0.1:1/metrics", (("replica", "llm-0"),)),)
    assert (config.interval_s, config.retention_s, config.keep) == (0.5, 60.0, ("vllm:",))


def test_a_target_carries_prometheus_labels():
    identity = Target("triton", "http://127.0.0.1:9/metrics", (("replica", "llm-0"),)).identity
    assert identity == (("instance", "127.0.0.1:9"), ("job", "triton"), ("replica", "llm-0"))


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/metrics", "https://127.0.0.1/m", "file:///etc/passwd", "http://a.b/", 7]
)
def test_refuses_targets_that_are_not_on_this_machine(tmp_path, url):
    (fault,) = faults(write(tmp_path, targets=[{"job": "x", "url": url}]))
    assert "targets[0].url" in fault
    assert "127.0.0.1" in fault


def test_tells_every_fault_at_once(tmp_path):
    twice = {"job": "a", "url": "http://127.0.0.1:1/metrics", "labels": {"job": "b"}}
    found = faults(write(tmp_path, interval_s=0, targets=[twice, twice], keep="vllm:", colour="red"))
    for where in ("interval_s", "targets[0].labels.job", "targets[1]", "keep", "colour"):
        assert any(f": {where}:" in fault for fault in found), where


def test_says_when_there_is_no_file_or_no_json(tmp_path):
    assert "cannot be read" in faults(tmp_path / "absent.json")[0]
    (tmp_path / "bad.json").write_text("{")
    assert "not JSON" in faults(tmp_path / "bad.json")[0]
