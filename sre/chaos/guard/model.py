"""What the guard is told to watch, and what it sees.

Unknown is None or a reason in words, never NaN and never 0: a limit that cannot be read is a limit that was passed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BurnLimit:
    """Abort when the SLO burns faster than `max_burn` over the last `window_s` seconds, and at least `min_bad` bad
    events are behind it: with little traffic one failure is a burn of hundreds.
    """

    slo: str
    max_burn: float
    window_s: float = 10.0
    min_bad: int = 5


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """`guard:` of an experiment. A limit that is None is not watched.

    `max_failed_share` (1: not watched) and `max_ttft_p95_s` look back `window_s`, and speak only when at least
    `min_requests` requests are behind them. `max_failed_requests` counts since the method began. Samples older than
    `stale_after_s` (None: 3 scrape intervals) are no sight of the platform; that aborts the run too, unless
    `metrics_may_vanish`: then losing them is the experiment, and the limits hold for as long as they can be read.
    """

    burns: tuple[BurnLimit, ...] = ()
    max_failed_share: float = 0.5
    max_failed_requests: int | None = None
    max_ttft_p95_s: float | None = None
    min_healthy_replicas: int | None = None
    window_s: float = 10.0
    min_requests: int = 10
    stale_after_s: float | None = None
    metrics_may_vanish: bool = False


@dataclass(frozen=True, slots=True)
class Count:
    """Bad events and all events of a window."""

    bad: float
    total: float


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at the platform showed; None where a limit is not watched or was not readable.

    `age_s` is how old the newest sample is. `burn` and `counts` are by SLO. `blind` says why metrics could not be read,
    `unseen` why the platform did not say how its replicas are; empty when all went well.
    """

    at: float
    age_s: float | None
    burn: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, Count] = field(default_factory=dict)
    requests: Count | None = None
    failed_since_begin: float | None = None
    ttft_p95_s: float | None = None
    first_tokens: float = 0.0
    healthy: int | None = None
    blind: str = ""
    unseen: str = ""

    def readings(self) -> dict[str, float]:
        """For the ledger: what was read, as JSON; what is no number is left out."""
        requests = self.requests
        said: dict[str, float | None] = {f"burn of {slo}": burn for slo, burn in self.burn.items()}
        said |= {
            "age_of_samples_s": self.age_s,
            "requests": None if requests is None else requests.total,
            "failed": None if requests is None else requests.bad,
            "failed_since_begin": self.failed_since_begin,
            "ttft_p95_s": self.ttft_p95_s,
            "healthy_replicas": self.healthy,
        }
        return {name: round(v, 3) for name, v in said.items() if v is not None and math.isfinite(v)}
