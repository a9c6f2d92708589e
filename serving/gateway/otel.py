"""OpenTelemetry behind `tracing`: imported only when an endpoint is configured.

Attribute names are those of the semantic conventions for generative AI (`gen_ai.*`) where they exist, `sre.*` else.
Prompts, answers and keys are in none. The SDK reads its own environment: endpoint, headers, sampler, batch sizes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from serving.gateway.model import Job, Piece, Resume
from serving.gateway.replica import Channel, Stream
from serving.gateway.tracing import Attributes

_SERVICE = "sre-gateway"


class OtelTracing:
    """Owns a tracer provider of its own: nothing global is set."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        named = Resource.create({"service.name": _SERVICE})
        resource = named.merge(OTELResourceDetector().detect())  # OTEL_SERVICE_NAME and such have the last word
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("serving.gateway")

    def request(self, name: str, parent: str | None) -> OtelSpan:
        return OtelSpan(self._tracer, self._tracer.start_span(name, _context(parent), SpanKind.SERVER))

    def channel(self, replica: str, channel: Channel) -> Channel:
        return TracedChannel(self._tracer, replica, channel)

    async def close(self) -> None:
        """Send what is left; it may take seconds when the collector is gone."""
        await asyncio.to_thread(self._provider.shutdown)


class OtelSpan:
    """The span of a request."""

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span
        self.traceparent = _traceparent(span)

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    @contextmanager
    def queue(self) -> Iterator[None]:
        """The wait for a place on a replica."""
        span = self._tracer.start_span("queue", _context(self.traceparent))
        error = "not_admitted"
        try:
            yield
            error = ""
        finally:
            _end(span, error or None)

    def end(self, *, error: str | None) -> None:
        _end(self._span, error)


class TracedChannel:
    """A channel whose attempts are spans under their job's; jobs without a trace (probes) have none."""

    def __init__(self, tracer: trace.Tracer, replica: str, channel: Channel) -> None:
        self._tracer = tracer
        self._replica = replica
        self._channel = channel

    def start(self, job: Job, resume: Resume | None = None) -> Stream:
        if job.traceparent is None:
            return self._channel.start(job, resume)
        span = self._tracer.start_span("attempt", _context(job.traceparent), SpanKind.CLIENT)
        span.set_attributes({"sre.replica": self._replica, "sre.resumed_tokens": resume.output_tokens if resume else 0})
        return TracedStream(self._channel.start(replace(job, traceparent=_traceparent(span)), resume), span)

    async def close(self) -> None:
        await self._channel.close()


class TracedStream:
    """Ends its span with the attempt."""

    def __init__(self, stream: Stream, span: trace.Span) -> None:
        self._stream = stream
        self._span = span
        self._started = False

    async def read(self, timeout_s: float) -> Piece:
        try:
            piece = await self._stream.read(timeout_s)
        except Exception as error:
            _end(self._span, getattr(error, "reason", type(error).__name__))
            raise
        if not self._started:
            self._started = True
            self._span.add_event("first_token")
        if piece.finish is not None:
            _end(self._span, None)
        return piece

    async def finish(self) -> None:
        await self._stream.finish()

    def cancel(self) -> None:
        """Also called after an attempt that ended by itself: a span ends once."""
        if self._span.is_recording():
            _end(self._span, "cancelled")
        self._stream.cancel()


def _context(traceparent: str | None) -> Context:
    return TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {})


def _traceparent(span: trace.Span) -> str:
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, trace.set_span_in_context(span))
    return carrier["traceparent"]


def _end(span: trace.Span, error: str | None) -> None:
    if error:
        span.set_attribute("error.type", error)
        span.set_status(Status(StatusCode.ERROR, error))
    span.end()
