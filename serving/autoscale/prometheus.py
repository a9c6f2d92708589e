"""Asks a Prometheus server for the one value of a KEDA trigger's query (HTTP API, instant query)."""

from __future__ import annotations

import json
import math
from typing import Any

import aiohttp

from serving.autoscale.signals import Unavailable

TIMEOUT_S = 5.0


async def instant_value(session: aiohttp.ClientSession, url: str, query: str) -> float | Unavailable | None:
    """None for an empty result. As KEDA demands, the result must be a scalar or a vector of one element."""
    try:
        async with session.get(
            f"{url.rstrip('/')}/api/v1/query",
            params={"query": query},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        ) as answer:
            text = await answer.text()
    except (aiohttp.ClientError, TimeoutError) as error:
        return Unavailable(f"Prometheus at {url}: {type(error).__name__}")
    return read_answer(text)


def read_answer(text: str) -> float | Unavailable | None:
    """The value in an answer of `/api/v1/query`."""
    try:
        answer = json.loads(text)
        if answer["status"] != "success":
            return Unavailable(f"Prometheus refuses the query: {answer.get('error', 'no reason given')}")
        return _value(answer["data"])
    except (ValueError, KeyError, TypeError, IndexError):
        return Unavailable(f"not an answer of Prometheus's API: {text[:80]!r}")


def _value(data: dict[str, Any]) -> float | Unavailable | None:
    if data["resultType"] == "scalar":
        value = float(data["result"][1])
    else:
        if not data["result"]:
            return None
        if len(data["result"]) > 1:
            return Unavailable(f"the query has {len(data['result'])} results where one is needed: aggregate it")
        value = float(data["result"][0]["value"][1])
    return value if math.isfinite(value) else Unavailable(f"the query's value is {value}")
