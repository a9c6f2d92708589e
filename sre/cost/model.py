"""Money types. Amounts are Decimal with a currency; time is replica-seconds; tokens are counts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Price:
    """Price of one GPU for an hour, dated and sourced."""

    name: str
    gpu: str
    per_gpu_hour: Decimal
    currency: str
    valid_from: str
    source: str


@dataclass(frozen=True, slots=True)
class ReplicaUse:
    """One process life of one replica: billed over [start, end), serving from `ready_at` (None: never served)."""

    replica: str
    start: float
    ready_at: float | None
    end: float


@dataclass(frozen=True, slots=True)
class CostReport:
    """What the platform cost over [start, end).

    `serving_s + not_serving_s == billed_s`, in replica-seconds. `usd_per_million_tokens` divides the whole bill by all generated
    tokens; `..._good_tokens` by the tokens of requests that met the goodput thresholds: in a brown-out the first falls
    while the second rises. None, with a reason in `notes`, where the divisor is 0.
    """

    price: Price
    gpus_per_replica: int
    billed_s: float
    serving_s: float
    not_serving_s: float
    total: Decimal
    tokens: int
    good_tokens: int
    wasted_tokens: int
    per_million_tokens: Decimal | None
    per_million_good_tokens: Decimal | None
    incident_capacity: Decimal
    incident_wasted_tokens: Decimal
    incident_total: Decimal
    notes: tuple[str, ...]
