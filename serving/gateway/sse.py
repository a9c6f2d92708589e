"""OpenAI's response bodies.

What is the same in every chunk of a stream is serialised once; a token costs one `json.dumps` of its text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from serving.gateway.model import Finish

Api = Literal["completion", "chat"]
DONE = b"data: [DONE]\n\n"
_HOLE = "\0"


@dataclass(frozen=True, slots=True)
class Reply:
    """What identifies one response: `id` and `created` (Unix seconds) are the same in all its chunks."""

    api: Api
    request_id: str
    created: int
    model: str

    @property
    def id(self) -> str:
        return f"{'chatcmpl' if self.api == 'chat' else 'cmpl'}-{self.request_id}"

    def body(self, text: str, finish: Finish) -> dict[str, Any]:
        """The whole response of a request without streaming."""
        choice: dict[str, Any] = {"index": 0, "logprobs": None, "finish_reason": finish.reason}
        if self.api == "chat":
            choice["message"] = {"role": "assistant", "content": text, "refusal": None}
        else:
            choice["text"] = text
        kind = "chat.completion" if self.api == "chat" else "text_completion"
        return self._envelope(kind, [choice]) | {"usage": usage(finish)}

    def chunk(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return self._envelope("chat.completion.chunk" if self.api == "chat" else "text_completion", choices)

    def _envelope(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model, "choices": choices}


class EventStream:
    """The events of one streamed response, as bytes. With `include_usage` a last chunk carries the totals."""

    def __init__(self, reply: Reply, *, include_usage: bool) -> None:
        self._reply = reply
        self._usage: dict[str, Any] = {"usage": None} if include_usage else {}
        self._prefix, self._suffix = self._token_frame()

    def opening(self) -> bytes:
        """What precedes the first token: chat announces the role."""
        if self._reply.api == "completion":
            return b""
        return self._event({"delta": {"role": "assistant", "content": ""}}, None)

    def token(self, text: str) -> bytes:
        return self._prefix + json.dumps(text).encode() + self._suffix

    def ending(self, finish: Finish) -> bytes:
        """Finish reason, totals if asked for, and the end mark."""
        last: dict[str, Any] = {"delta": {}} if self._reply.api == "chat" else {"text": ""}
        totals = event(self._reply.chunk([]) | {"usage": usage(finish)}) if self._usage else b""
        return self._event(last, finish.reason) + totals + DONE

    def _event(self, content: dict[str, Any], finish_reason: str | None) -> bytes:
        choice = {"index": 0, **content, "logprobs": None, "finish_reason": finish_reason}
        return event(self._reply.chunk([choice]) | self._usage)

    def _token_frame(self) -> tuple[bytes, bytes]:
        content: dict[str, Any] = {"delta": {"content": _HOLE}} if self._reply.api == "chat" else {"text": _HOLE}
        prefix, _, suffix = self._event(content, None).rpartition(json.dumps(_HOLE).encode())
        return prefix, suffix


def event(data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


def usage(finish: Finish) -> dict[str, int]:
    prompt, output = finish.prompt_tokens, finish.output_tokens
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}
