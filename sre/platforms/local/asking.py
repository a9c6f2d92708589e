"""One short inference at a replica's own port: what it says itself, without the gateway's retries."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from typing import Any

from sre.errors import PlatformError
from sre.platforms.local.control import direct
from sre.platforms.model import Inference

_PATH = "/v2/models/llm/generate_stream"


def infer_at(
    http_url: str, *, prompt: str, max_tokens: int, timeout_s: float, deadline_at: float | None = None
) -> Inference:
    """Have it make `max_tokens` tokens, ahead of users' work. Raises PlatformError when it is not done in time."""
    sampling: dict[str, Any] = {"max_tokens": max_tokens, "ignore_eos": True, "priority": -1}
    if deadline_at is not None:
        sampling["deadline_at"] = deadline_at
    body = json.dumps({"text_input": prompt, "sampling_parameters": json.dumps(sampling)}).encode()
    request = urllib.request.Request(  # noqa: S310  (http on loopback, from state.json)
        http_url + _PATH, data=body, headers={"Content-Type": "application/json"}
    )
    begun = time.monotonic()
    try:
        with direct().open(request, timeout=timeout_s) as response:
            answer = _in_time(response, begun + timeout_s)
        return Inference(_text_in(answer), time.monotonic() - begun, _error_in(answer))
    except urllib.error.HTTPError as error:
        with error:
            why = _error_in(error.read().decode("utf-8", "replace")) or f"HTTP {error.code}"
        return Inference("", time.monotonic() - begun, why)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise PlatformError(f"{http_url}: the replica does not answer ({error}): see `sre status`") from error


def _in_time(lines: Iterable[bytes], deadline: float) -> str:
    """All that comes until `deadline` (monotonic). A socket's own timeout holds for each read alone."""
    text = b""
    for line in lines:
        text += line
        if time.monotonic() > deadline:
            raise TimeoutError("timed out in the midst of its answer")
    return text.decode("utf-8")


def _text_in(answer: str) -> str:
    events = [json.loads(line.removeprefix("data:")) for line in answer.splitlines() if line.startswith("data:")]
    return "".join(str(event.get("text_output", "")) for event in events)


def _error_in(text: str) -> str | None:
    """The error of an answer (server-sent events, or one JSON object); None when it has none."""
    for line in text.splitlines():
        try:
            event = json.loads(line.removeprefix("data:"))
        except ValueError:
            continue
        if isinstance(event, dict) and event.get("error"):
            return str(event["error"])
    return None
