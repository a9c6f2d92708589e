"""What request headers say about one request: its id, its deadline and its trace."""

from __future__ import annotations

import re
from collections.abc import Mapping

from serving.gateway.errors import invalid
from serving.gateway.ratelimit import Allowance

TIMEOUT_HEADER = "x-request-timeout-ms"
_LONGEST_TIMEOUT_MS = 3_600_000
_SANE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_NUMBER = re.compile(r"[0-9]{1,9}")


def client_request_id(headers: Mapping[str, str]) -> str | None:
    """The client's own `x-request-id`, if it can go into a log line and a header as it is."""
    asked = headers.get("x-request-id", "")
    return asked if _SANE_ID.fullmatch(asked) else None


def traceparent(headers: Mapping[str, str]) -> str | None:
    """The W3C trace context; None when absent or malformed, which the standard says to ignore."""
    asked = headers.get("traceparent", "").strip()
    return asked if _TRACEPARENT.fullmatch(asked) else None


def timeout_s(headers: Mapping[str, str]) -> float | None:
    """Seconds the client gives its request; None: no limit of its own. Raises ApiError 400."""
    asked = headers.get(TIMEOUT_HEADER)
    if asked is None:
        return None
    if not _NUMBER.fullmatch(asked.strip()) or not 1 <= int(asked) <= _LONGEST_TIMEOUT_MS:
        message = f"{TIMEOUT_HEADER} must be a whole number of milliseconds from 1 to {_LONGEST_TIMEOUT_MS}"
        raise invalid(message, param=TIMEOUT_HEADER, code="invalid_value")
    return int(asked) / 1000


def rate_limit_headers(allowances: Mapping[str, Allowance]) -> dict[str, str]:
    """What OpenAI's API sends with every answer."""
    headers: dict[str, str] = {}
    for name, allowance in allowances.items():
        headers[f"x-ratelimit-limit-{name}"] = str(allowance.limit)
        headers[f"x-ratelimit-remaining-{name}"] = str(allowance.remaining)
        headers[f"x-ratelimit-reset-{name}"] = f"{allowance.reset_s:.3f}s"
    return headers
