"""A Prometheus that is slow, broken, lying or somebody else: one clear line, repeated only where that is safe."""

import time

import pytest

from sre.errors import EnvironmentLacks, NoData
from sre.metrics import prometheus_session
from sre.metrics.prometheus import PrometheusSamples
from sre.metrics.selector import parse_selector

SELECTOR = parse_selector("req")
GOOD = ({"__name__": "req"}, [[1, "1"]])


@pytest.fixture
def source(fake):
    with PrometheusSamples(fake.url, timeout_s=5) as samples:
        yield samples


def ask(source):
    return source.series(SELECTOR, start=0, end=9)


def refusal(source, kind=EnvironmentLacks):
    with pytest.raises(kind) as caught:
        ask(source)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("status", [400, 422])
def test_a_refused_question_is_no_data_and_not_repeated(fake, source, status):
    fake.answer = (status, '{"status":"error","errorType":"bad_data","error":"parse\\nerror"}')
    assert "refused the question (HTTP" in refusal(source, NoData)
    assert "parse error" in refusal(source, NoData)
    assert len(fake.queries) == 2


@pytest.mark.parametrize(
    "answer",
    [
        (200, "<html>hello</html>"),
        (200, '{"status":"success"}'),
        (200, "[]"),
        (200, '{"status":"success","data":{"result":[{"metr'),
        (200, '{"status":"success","data":{"result":7}}'),
        (200, '{"status":"success","data":{"result":[{"metric":{},"values":[[1,"1"]]}]}}'),
        (200, '{"status":"success","data":{"result":[{"metric":{"__name__":"req"},"values":[[1]]}]}}'),
        (200, '{"status":"success","data":{"result":[{"metric":{"__name__":"req"},"values":[[1,"x"]]}]}}'),
        (200, "[" * 100_000),
        (200, b"\xff\xfe\x00garbage"),
        (404, "not here"),
    ],
)
def test_something_else_on_the_port_is_told(fake, source, answer):
    fake.answer = answer
    assert "does not speak Prometheus's API" in refusal(source)


def test_a_server_that_is_gone_is_told(fake_prometheus):
    fake = fake_prometheus()
    fake.stop()
    with PrometheusSamples(fake.url, timeout_s=1) as source:
        assert "does not answer (ConnectionError): start it" in refusal(source)


def hang(handler):
    time.sleep(1)


def drip(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    for _ in range(20):
        time.sleep(0.05)
        handler.wfile.write(b" " * 300_000)  # always something, never the end


@pytest.mark.parametrize("behave", [hang, drip])
def test_a_server_that_hangs_is_given_up_and_not_asked_again(fake, behave):
    fake.answer = behave
    with PrometheusSamples(fake.url, timeout_s=0.1) as source:
        assert "does not answer within 0.1 s" in refusal(source)
    assert len(fake.queries) == 1


def cut(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"status":')


def reset(handler):
    handler.reset()


@pytest.mark.parametrize("behave", [cut, reset, (503, "Service Unavailable"), (502, "<html>bad gateway</html>")])
def test_a_fault_that_passes_is_survived(fake, source, behave):
    fake.series, fake.script = [GOOD], [behave, behave]
    assert [one.values.tolist() for one in ask(source)] == [[1]]
    assert len(fake.queries) == 3


@pytest.mark.parametrize(
    ("behave", "told"),
    [
        (cut, "does not answer (ChunkedEncodingError)"),
        (reset, "does not answer (ConnectionError)"),
        ((503, "Service Unavailable"), "fails (HTTP 503: Service Unavailable)"),
        ((502, "<html>bad gateway</html>"), "fails (HTTP 502)"),
    ],
)
def test_a_fault_that_stays_is_told_after_three_tries(fake, source, behave, told):
    fake.answer = behave
    assert told in refusal(source)
    assert len(fake.queries) == 3


def test_a_query_that_timed_out_in_the_server_is_not_asked_again(fake, source):
    fake.answer = (503, '{"status":"error","errorType":"timeout","error":"query timed out in expression evaluation"}')
    assert "HTTP 503: query timed out" in refusal(source)
    assert len(fake.queries) == 1


@pytest.mark.parametrize("status", [500, 429])
def test_other_failures_are_not_repeated(fake, source, status):
    fake.answer = (status, "no")
    assert f"fails (HTTP {status}: no)" in refusal(source)
    assert len(fake.queries) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_wrong_credentials_are_told(fake, source, status):
    fake.answer = (status, "go away")
    assert f"wants other credentials (HTTP {status})" in refusal(source)


def test_a_redirect_is_not_followed(fake, source):
    fake.answer = lambda handler: handler.send(302, "", Location="https://login.example/?secret=1")
    told = refusal(source)
    assert "redirects to login.example" in told
    assert "secret" not in told
    assert len(fake.queries) == 1


def test_an_answer_that_never_ends_in_size_is_cut_off(fake, source, monkeypatch):
    monkeypatch.setattr(prometheus_session, "_BLOCK_BYTES", 1000)
    source._session._most_bytes = 10_000
    fake.answer = (200, '{"status":"success","data":{"result":[' + " " * 100_000)
    told = refusal(source, NoData)
    assert "an answer of Prometheus is larger than" in told
    assert "narrow the selector" in told


WARNING = "receive series from Addr: thanos-store-1: rpc error: unavailable"


@pytest.mark.parametrize("extra", [{"warnings": [WARNING]}, {"isPartial": True}])
def test_a_partial_answer_is_refused(fake, source, extra):
    fake.series, fake.extra = [GOOD], extra
    assert "answered in part only" in refusal(source)
    assert source.warnings


def test_a_partial_answer_is_taken_where_that_is_wanted_and_stays_told(fake):
    fake.series, fake.extra = [GOOD], {"warnings": [WARNING, WARNING]}
    with PrometheusSamples(fake.url, allow_partial=True) as source:
        assert ask(source)[0].values.tolist() == [1]
        assert source.warnings == (WARNING,)


def test_a_note_on_the_expression_is_kept_and_no_reason_to_refuse(fake, source):
    fake.series, fake.extra = [GOOD], {"warnings": ["PromQL warning: bucket label"], "infos": ["PromQL info: x"]}
    assert ask(source)[0].values.tolist() == [1]
    assert source.warnings == ("PromQL warning: bucket label",)


def test_facts_fail_as_samples_do(fake, source):
    fake.answer = (200, "<html>")
    for fact in (source.metric_names, source.version, source.retention_s):
        with pytest.raises(EnvironmentLacks, match="does not speak"):
            fact()
    fake.answer = (200, '{"status":"success","data":7}')
    with pytest.raises(EnvironmentLacks, match="does not speak"):
        source.metric_names()
