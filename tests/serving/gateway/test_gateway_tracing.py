"""Traces, received by an OTLP/HTTP collector of our own; and none without an endpoint."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from serving.gateway import tracing

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Collector:
    """What was exported to it."""

    def __init__(self):
        self.spans = []
        self.services = set()

    async def receive(self, http):
        message = ExportTraceServiceRequest.FromString(await http.read())
        for resource in message.resource_spans:
            named = {a.key: a.value.string_value for a in resource.resource.attributes}
            self.services.add(named["service.name"])
            self.spans += [span for scope in resource.scope_spans for span in scope.spans]
        return web.Response(body=b"", content_type="application/x-protobuf")

    def named(self, name):
        return [span for span in self.spans if span.name == name]


def attributes(span):
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


@pytest.fixture
async def collector(monkeypatch):
    one = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", one.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{runner.addresses[0][1]}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield one
    await runner.cleanup()


async def ask(world, prompt, headers=None, **more):
    url, body = f"{world.url}/v1/completions", world.body(prompt, **more)
    async with world.session.post(url, json=body, headers=headers) as response:
        await response.read()
        return response


async def spans_of(world, collector, count):
    await world.until(lambda: len(collector.spans) >= count)
    return collector.spans


async def test_a_request_its_wait_and_its_attempt_are_spans_of_the_client_s_trace(start, collector):
    world = await start("")
    response = await ask(world, "w4 two words", {"traceparent": f"00-{TRACE}-{PARENT}-01"}, max_tokens=9)
    spans = await spans_of(world, collector, 3)
    assert {span.trace_id.hex() for span in spans} == {TRACE}
    (request,), (queue,), (attempt,) = (collector.named(n) for n in ("text_completion llm", "queue", "attempt"))
    assert request.parent_span_id.hex() == PARENT
    assert queue.parent_span_id == attempt.parent_span_id == request.span_id
    known = attributes(request)
    assert known["gen_ai.operation.name"] == "text_completion"
    assert (known["gen_ai.usage.input_tokens"], known["gen_ai.usage.output_tokens"]) == (3, 4)
    assert known["gen_ai.request.max_tokens"] == 9
    assert known["gen_ai.response.id"] == response.headers["x-sre-request-id"]
    assert known["http.response.status_code"] == 200
    assert attributes(attempt)["sre.replica"] == "llm-0"
    assert [event.name for event in attempt.events] == ["first_token"]
    assert collector.services == {"sre-gateway"}


async def test_each_attempt_is_a_span_and_a_failed_one_says_why(start, collector):
    world = await start("crash", "", idle_probe_s=60)
    while "," not in (await ask(world, "w1")).headers["x-sre-replicas"]:
        pass

    def tries():
        failed = {s.trace_id for s in collector.named("attempt") if s.status.code == 2}
        return [s for s in collector.named("attempt") if s.trace_id in failed]

    await world.until(lambda: len(tries()) == 2)
    assert {attributes(s)["sre.replica"]: attributes(s).get("error.type") for s in tries()} == {
        "llm-0": "connect",
        "llm-1": None,
    }


async def test_a_request_that_failed_is_an_error_and_one_that_was_wrong_is_not(start, collector):
    world = await start("", max_attempts=1)
    for prompt in ("stub", "bad"):
        await ask(world, prompt)
    await world.until(lambda: len(collector.named("text_completion llm")) == 2)
    by_outcome = {attributes(s)["sre.outcome"]: s.status.code for s in collector.named("text_completion llm")}
    assert by_outcome == {"error": 2, "invalid": 0}


async def test_no_prompt_and_no_answer_is_exported(start, collector):
    world = await start("")
    await ask(world, "w2 classified")
    exported = str(await spans_of(world, collector, 3))
    assert "classified" not in exported
    assert "quoted" not in exported


async def test_what_is_left_is_sent_when_the_gateway_stops(start, collector, monkeypatch):
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    world = await start("")
    await ask(world, "w1")
    assert collector.spans == []
    await world.gateway.stop()
    assert len(collector.spans) == 3


async def test_a_collector_that_is_gone_disturbs_no_request(start, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    world = await start("")
    assert (await ask(world, "w1")).status == 200
    async with asyncio.timeout(8):
        await world.gateway.stop()


async def test_untraced_the_client_s_context_is_handed_on_and_nonsense_is_not(start, monkeypatch):
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    world = await start("")
    seen = []
    replica = next(iter(world.gateway.pool))
    original = replica.channel.start
    monkeypatch.setattr(replica.channel, "start", lambda job, resume=None: seen.append(job) or original(job, resume))
    for header in (f"00-{TRACE}-{PARENT}-01", "00-zz", f"00-{'0' * 32}-{PARENT}-01"):
        await ask(world, "w1", {"traceparent": header})
    users = [job.traceparent for job in seen if job.request_id != "probe"]
    assert users == [f"00-{TRACE}-{PARENT}-01", None, None]


@pytest.mark.parametrize("environ", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, {"OTEL_SDK_DISABLED": "true"}])
def test_without_an_endpoint_there_is_no_tracer(environ):
    disabled = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"} if "OTEL_SDK_DISABLED" in environ else {}
    assert isinstance(tracing.open_tracing(environ | disabled), tracing.NoTracing)


def test_an_endpoint_without_the_extra_is_said_and_serves_untraced(monkeypatch, caplog):
    monkeypatch.setattr(tracing, "_is_installed", lambda module: False)
    made = tracing.open_tracing({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"})
    assert isinstance(made, tracing.NoTracing)
    assert [r.getMessage() for r in caplog.records] == ["tracing_off"]


def test_an_untraced_gateway_imports_nothing_of_opentelemetry():
    code = "import sys, serving.gateway.handler; print(any(m.startswith('opentelemetry') for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
