"""Reads an OpenAI completion stream from raw bytes, at the cost of a few substring searches a token.

Thousands of tokens a second pass through here on the cores the platform itself needs, so JSON is parsed only for the
events that end a stream. Inside a JSON string quotes are escaped, which is why `"text":""` cannot be met in a text.
"""

from __future__ import annotations

import json

_DONE = b"[DONE]"
_NO_TEXT = (b'"text":""', b'"text": ""', b'"text":null', b'"text": null')
_NO_FINISH = (b'"finish_reason":null', b'"finish_reason": null')
_NO_USAGE = (b'"usage":null', b'"usage": null')
_ERROR_START = (b'{"error"', b'{ "error"')


class CompletionStream:
    """State of one stream; feed it what arrives. An event with text is a token, unless the server reports `usage`."""

    __slots__ = (
        "_rest",
        "done",
        "error",
        "events_with_text",
        "finish_reason",
        "first_at",
        "last_at",
        "max_gap_s",
        "usage_tokens",
    )

    def __init__(self) -> None:
        self._rest = b""
        self.done = False
        self.error: str | None = None
        self.finish_reason: str | None = None
        self.first_at: float | None = None
        self.last_at: float | None = None
        self.max_gap_s: float | None = None
        self.events_with_text = 0
        self.usage_tokens: int | None = None

    @property
    def output_tokens(self) -> int:
        """Tokens received: what the server counted if it said so and the stream is complete, else the events seen."""
        return self.events_with_text if self.usage_tokens is None else self.usage_tokens

    def feed(self, chunk: bytes, at: float) -> None:
        """Take bytes that arrived at `at`; an event cut by the chunk's end waits for the next."""
        data = self._rest + chunk if self._rest else chunk
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        *events, self._rest = data.split(b"\n\n")
        for event in events:
            self._event(event, at)

    def end(self, at: float) -> None:
        """The body is over: a last event without its blank line still counts."""
        rest, self._rest = self._rest.strip(), b""
        if rest.endswith((b"}", _DONE)):
            self._event(rest, at)

    def _event(self, event: bytes, at: float) -> None:
        payload = event[5:].strip() if event.startswith(b"data:") else _payload(event)
        if payload == _DONE:
            self.done = True
        elif payload.startswith(_ERROR_START):
            self.error = error_message(payload)
        elif payload:
            if b'"text"' in payload and not _has(payload, _NO_TEXT):
                self._token(at)
            ends = b'"finish_reason"' in payload and not _has(payload, _NO_FINISH)
            if ends or (b'"usage"' in payload and not _has(payload, _NO_USAGE)):
                self._read_end(payload)

    def _token(self, at: float) -> None:
        self.events_with_text += 1
        if self.last_at is None:
            self.first_at = at
        else:
            self.max_gap_s = max(self.max_gap_s or 0.0, at - self.last_at)
        self.last_at = at

    def _read_end(self, payload: bytes) -> None:
        try:
            data = json.loads(payload)
            choice = (data.get("choices") or [{}])[0]
            self.finish_reason = choice.get("finish_reason") or self.finish_reason
            self.usage_tokens = (data.get("usage") or {}).get("completion_tokens", self.usage_tokens)
        except (ValueError, TypeError, AttributeError, LookupError):
            self.error = f"unreadable event: {payload[:80].decode(errors='replace')}"


def _has(payload: bytes, needles: tuple[bytes, ...]) -> bool:
    return any(needle in payload for needle in needles)


def _payload(event: bytes) -> bytes:
    """The data of an event that has other lines too; empty for a comment (keep-alive)."""
    lines = (line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(lines)


def error_message(body: bytes) -> str:
    """The message of an OpenAI-shaped error, else the start of the body; one line, at most 300 characters."""
    try:
        error = json.loads(body)["error"]
        text = str(error.get("message") or error) if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        text = body.decode(errors="replace")
    return " ".join(text.split())[:300]
