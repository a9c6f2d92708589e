"""What the model and the child process that runs vLLM say to each other: JSON lists, one a line, over a socket pair.

To the child: `["generate", id, prompt, sampling]`, `["cancel", id]`. From it: `["ready", {...}]` or `["failed", why]`
once, then `["tokens", id, text, ids, finish]` with finish null or `[reason, input tokens, output tokens]`,
`["ended", id, error]` with null for a cancelled one, `["counts", {...}]` four times a second, `["dead", why]`.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from serving.engine.metrics import EngineMetrics, Histogram

GENERATE, CANCEL = "generate", "cancel"
READY, FAILED, TOKENS, ENDED, COUNTS, DEAD = "ready", "failed", "tokens", "ended", "counts", "dead"
LINE_LIMIT_BYTES = 64 << 20
COUNTS_INTERVAL_S = 0.25


def encode(*message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> list[Any]:
    """Raises ValueError for anything but a list that begins with its name."""
    message = json.loads(line)
    if not isinstance(message, list) or not message or not isinstance(message[0], str):
        raise ValueError(f"not a message: {line[:80]!r}")
    return message


def pack_counts(metrics: EngineMetrics, steps: int) -> dict[str, Any]:
    """`steps` rises with every engine iteration: it is how the other side sees progress."""
    return {**asdict(metrics), "steps": steps}


def unpack_counts(data: dict[str, Any]) -> tuple[EngineMetrics, int]:
    values = dict(data)
    steps = int(values.pop("steps"))
    for name in ("ttft_s", "inter_token_s"):
        given = values[name]
        values[name] = Histogram(tuple(given["bounds_s"]), list(given["counts"]), float(given["sum_s"]))
    return EngineMetrics(**values), steps
