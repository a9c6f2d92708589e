"""Traces of requests: one span for the request, one for its wait, one for each attempt on a replica.

They are exported over OTLP/HTTP when `OTEL_EXPORTER_OTLP_ENDPOINT` (or `..._TRACES_ENDPOINT`) is set and the extra
`otel` is installed. Otherwise nothing of OpenTelemetry is imported, and a request costs a few calls that do nothing.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from serving.gateway.log import emit
from serving.gateway.replica import Channel

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

Attributes = Mapping[str, str | int | float | bool | tuple[str, ...]]


class Span(Protocol):
    """One request's span."""

    @property
    def traceparent(self) -> str | None:
        """What its children's parent is called (W3C)."""

    def set(self, attributes: Attributes) -> None: ...
    def queue(self) -> AbstractContextManager[object]: ...
    def end(self, *, error: str | None) -> None: ...


class Tracing(Protocol):
    """The gateway's tracer."""

    def request(self, name: str, parent: str | None) -> Span: ...
    def channel(self, replica: str, channel: Channel) -> Channel: ...
    async def close(self) -> None: ...


class Untraced:
    """A span that is none; the client's trace context is handed on."""

    __slots__ = ("traceparent",)

    def __init__(self, traceparent: str | None) -> None:
        self.traceparent = traceparent

    def set(self, attributes: Attributes) -> None:
        """Nothing."""

    def queue(self) -> AbstractContextManager[object]:
        return nullcontext()

    def end(self, *, error: str | None) -> None:
        """Nothing."""


class NoTracing:
    """No endpoint is configured."""

    def request(self, name: str, parent: str | None) -> Span:
        return Untraced(parent)

    def channel(self, replica: str, channel: Channel) -> Channel:
        return channel

    async def close(self) -> None:
        """Nothing."""


def open_tracing(environ: Mapping[str, str]) -> Tracing:
    """The tracer that `environ` asks for. An endpoint without the extra is said in the log, and serves untraced."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or not any(environ.get(name) for name in _ENDPOINTS):
        return NoTracing()
    if not _is_installed("opentelemetry.sdk") or not _is_installed("opentelemetry.exporter.otlp.proto.http"):
        emit("tracing_off", level=logging.WARNING, detail="an OTLP endpoint is set: pip install 'llm-gameday[otel]'")
        return NoTracing()
    from serving.gateway.otel import OtelTracing

    return OtelTracing()


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
