"""Bytes of an OpenAI-compatible stream to pieces. No I/O: fed with what arrives, cut anywhere.

A stream has to prove that it is complete: its end without a finish reason, an error among the chunks and a chunk that
makes no sense are failures of the replica, whatever the HTTP status said.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from serving.gateway.errors import ReplicaFailed
from serving.gateway.model import Finish, Job, Piece, Resume

_DONE = b"[DONE]"
_decode = json.JSONDecoder().decode  # a chunk a token: json.loads would look for the encoding each time
_BROKEN_REASONS = frozenset({"abort", "error"})  # vLLM's, when its engine gave the request up
_MAX_EVENT_BYTES = 4 * 1024 * 1024
_MAX_DETAIL_CHARS = 300


class ChunkReader:
    """Take pieces from `pieces`; when they are used up and `failure` is set, the stream has failed.

    A chunk's tokens are what its `usage` adds (vLLM's `continuous_usage_stats`), else one if it has text. The final
    piece carries totals of the whole answer: what was resumed is output, though this replica read it as a prompt.
    """

    __slots__ = ("_job", "_reason", "_rest", "_resumed", "_tokens", "_usage", "failure", "finished", "pieces")

    def __init__(self, job: Job, resume: Resume | None) -> None:
        self._job = job
        self._resumed = resume.output_tokens if resume else 0
        self._rest = b""
        self._reason: str | None = None
        self._tokens = 0
        self._usage: dict[str, Any] = {}
        self.pieces: deque[Piece] = deque()
        self.failure: ReplicaFailed | None = None
        self.finished = False

    def feed(self, data: bytes) -> None:
        """What arrived; an event cut by its end waits for the next."""
        if self.finished or self.failure is not None:
            return
        data = self._rest + data if self._rest else data
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        *events, self._rest = data.split(b"\n\n")
        for event in events:
            self._event(event)
        if len(self._rest) > _MAX_EVENT_BYTES:
            self._fail(f"an event is longer than {_MAX_EVENT_BYTES} bytes")

    def end(self) -> None:
        """The body is over: a last event may lack its blank line, a finished answer may lack `[DONE]`."""
        rest, self._rest = self._rest, b""
        if rest.strip():
            self._event(rest)
        self._done("the stream ended")

    def cut(self) -> bool:
        """The connection broke. Whether the answer is whole nevertheless: its finish reason had come."""
        if self._reason is None or self.finished or self.failure is not None:
            return False
        self._finish(self._reason)
        return True

    def _event(self, event: bytes) -> None:
        if self.finished or self.failure is not None:
            return
        payload = event[5:] if event.startswith(b"data:") and b"\n" not in event else _payload(event)
        payload = payload.strip()
        if payload == _DONE:
            self._done("[DONE] came")
        elif payload:
            try:
                self._chunk(_decode(payload.decode()))
            except (ValueError, TypeError, AttributeError, LookupError):
                self._fail(f"malformed chunk: {_line(payload)}")

    def _chunk(self, chunk: dict[str, Any]) -> None:
        if "error" in chunk or chunk.get("object") == "error":
            self._fail(f"error in the stream: {error_text(chunk)}")
            return
        self._usage = chunk.get("usage") or self._usage
        choices = chunk["choices"]
        if choices:
            self._choice(choices[0])
        if self._reason is not None and self.failure is None and "prompt_tokens" in (chunk.get("usage") or {}):
            self._finish(self._reason)  # not later: a server lost before its end mark must not be asked to go on

    def _choice(self, choice: dict[str, Any]) -> None:
        text = choice.get("text") or (choice.get("delta") or {}).get("content") or ""
        if not isinstance(text, str):
            raise TypeError("text is no string")
        counted = int(self._usage.get("completion_tokens", 0)) - self._tokens
        tokens = max(counted, 1 if text else 0)
        if tokens:
            self._tokens += tokens
            self.pieces.append(Piece(text, None, (), tokens))
        reason = choice.get("finish_reason")
        if reason in _BROKEN_REASONS:
            self._fail(f"the engine ended the request with finish reason {reason!r}")
        elif reason is not None:
            self._reason = str(reason)

    def _done(self, how: str) -> None:
        if self.finished or self.failure is not None:
            return
        if self._reason is None:
            self._fail(f"{how} without a finish reason")
        else:
            self._finish(self._reason)

    def _finish(self, reason: str) -> None:
        prompt = self._usage.get("prompt_tokens")
        own_prompt = self._job.prompt_tokens_estimate if prompt is None else max(0, int(prompt) - self._resumed)
        output = int(self._usage.get("completion_tokens", self._tokens)) + self._resumed
        self.pieces.append(Piece("", Finish(reason, own_prompt, output), (), 0))
        self.finished = True

    def _fail(self, detail: str) -> None:
        self.failure = self.failure or ReplicaFailed("error", detail)


def error_text(body: Any) -> str:
    """The message of an OpenAI-shaped error, or what can be said of another body; one line."""
    error = body.get("error", body) if isinstance(body, dict) else body
    message = error.get("message") if isinstance(error, dict) else None
    return _line(str(message or error).encode())


def _payload(event: bytes) -> bytes:
    """The data of an event that has other lines too; empty for a comment (keep-alive)."""
    lines = (line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(lines)


def _line(text: bytes) -> str:
    return " ".join(text.decode(errors="replace").split())[:_MAX_DETAIL_CHARS]
