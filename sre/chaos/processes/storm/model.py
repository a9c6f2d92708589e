"""What a storm is told, and what it tells: both JSON, because the storm is a process of its own."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["surge", "retry", "hang-up"]
"""`surge`: requests at a rate, read to their end. `hang-up`: the same, left after the first token. `retry`: clients
that repeat every failure at once."""


@dataclass(frozen=True, slots=True)
class StormPlan:
    """`rate_rps`, or `factor` of the traffic found at the start (both None for `retry`, which has `clients`).

    `api_key_env` names the environment variable that holds the key; the key itself is written nowhere.
    """

    kind: Kind
    url: str
    model: str
    prompt_tokens: int
    output_tokens: int
    timeout_s: float
    seed: int
    rate_rps: float | None = None
    factor: float | None = None
    clients: int = 0
    attempts: int = 1
    pause_s: float = 1.0
    api_key_env: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Counts:
    """What the storm did so far; every request that ended is in exactly one of the endings.

    `at` and `started_at` are Unix times; `rate_rps` is what is sent (a factor is resolved by then). `skipped` were not
    sent because too many were under way. `note` says why a storm gave up.
    """

    started_at: float
    at: float = 0.0
    rate_rps: float | None = None
    sent: int = 0
    inflight: int = 0
    retries: int = 0
    skipped: int = 0
    ok: int = 0
    rejected: int = 0
    denied: int = 0
    invalid: int = 0
    failed: int = 0
    timeout: int = 0
    hung_up: int = 0
    note: str = ""

    @property
    def served_or_lost(self) -> int:
        """Requests that were a load on the gateway: not those it refused as wrong."""
        return self.ok + self.rejected + self.failed + self.timeout + self.hung_up

    def write(self, path: Path) -> None:
        """Replaced in one step, so that a reader never meets half of it."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(asdict(self)), encoding="utf-8")
        temporary.replace(path)


def read_counts(path: Path) -> Counts | None:
    """None when the storm has not written yet."""
    try:
        return Counts(**json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
