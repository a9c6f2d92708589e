"""Money types. Amounts are Decimal with a currency; time is replica-seconds; tokens are counts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """Price of one GPU for an hour, dated and sourced.

    In force over [`valid_from`, `valid_until`), ISO dates; None where the source states no such bound.
    """

    name: str
    gpu: str
    per_gpu_hour: Decimal
    currency: str
    valid_from: str | None
    source: str
    valid_until: str | None = None

    @property
    def validity(self) -> str:
        """The dates for a reader: `from 2024-10-01 until 2025-01-01`, or `undated`."""
        bounds = (("from", self.valid_from), ("until", self.valid_until))
        return " ".join(f"{word} {day}" for word, day in bounds if day) or "undated"


@dataclass(frozen=True, slots=True)
class ReplicaUse:
    """One process life of one replica: billed over [start, end), serving from `ready_at` (None: never served)."""

    replica: str
    start: float
    ready_at: float | None
    end: float


@dataclass(frozen=True, slots=True)
class CostReport:
    """What the platform cost over an interval, in the price's currency.

    `serving_s + not_serving_s == billed_s`, in replica-seconds. `per_million_tokens` divides the whole bill by all
    generated tokens; `per_million_good_tokens` by the tokens of requests that met the goodput thresholds: in a
    brown-out the first falls while the second rises. Token counts are None when no samples were had; a figure that
    needs a count that is None, or a divisor that is 0, is None with the reason in `notes`. `incident_total` is the sum
    of the parts that are known (a note says which is missing), None when none is. Nothing is rounded: quantise for
    display only.
    """

    price: Price
    gpus_per_replica: int
    billed_s: float
    serving_s: float
    not_serving_s: float
    total: Decimal
    tokens: int | None
    good_tokens: int | None
    wasted_tokens: int | None
    per_million_tokens: Decimal | None
    per_million_good_tokens: Decimal | None
    incident_capacity: Decimal | None
    incident_wasted_tokens: Decimal | None
    incident_total: Decimal | None
    notes: tuple[str, ...]
