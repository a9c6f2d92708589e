"""One short inference at a replica's own port: what it says itself, without the gateway's retries."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

from sre.errors import PlatformError
from sre.platforms.local.control import direct

_PATH = "/v2/models/llm/generate_stream"
_PROMPT = "what time is it"


def ask_server(http_url: str, *, deadline_at: float | None, timeout_s: float) -> str | None:
    """None when it made a token, else its error. Raises PlatformError when it gives neither within `timeout_s`."""
    sampling: dict[str, Any] = {"max_tokens": 1, "ignore_eos": True, "priority": -1}
    if deadline_at is not None:
        sampling["deadline_at"] = deadline_at
    body = json.dumps({"text_input": _PROMPT, "sampling_parameters": json.dumps(sampling)}).encode()
    request = urllib.request.Request(  # noqa: S310  (http on loopback, from state.json)
        http_url + _PATH, data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with direct().open(request, timeout=timeout_s) as response:
            return _error_in(response.read().decode("utf-8"))
    except urllib.error.HTTPError as error:
        with error:
            return _error_in(error.read().decode("utf-8", "replace")) or f"HTTP {error.code}"
    except (OSError, ValueError) as error:
        raise PlatformError(f"{http_url}: the replica does not answer ({error}): see `sre status`") from error


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
