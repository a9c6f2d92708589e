"""Money types. Amounts are Decimal with a currency; time is replica-seconds; tokens are counts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Purchase = Literal["on-demand", "spot", "committed", "capacity-block"]


@dataclass(frozen=True, slots=True)
class Price:
    """Price of one GPU for an hour, dated and sourced.

    In force over [`valid_from`, `valid_until`), ISO dates; None where the source states no such bound. `provider` is
    who sells it. `list_per_gpu_hour` is the public price without the discount of the purchase option (what FOCUS calls
    the list price); None when there is no discount, or it is not known.
    """

    name: str
    gpu: str
    per_gpu_hour: Decimal
    currency: str
    valid_from: str | None
    source: str
    valid_until: str | None = None
    purchase: Purchase | None = None
    region: str | None = None
    provider: str | None = None
    list_per_gpu_hour: Decimal | None = None

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
    display only. `layers` is None in reports from before there were layers, and where nobody sampled the replicas.
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
    layers: CostLayers | None = None


Layer = Literal["used", "wasted", "idle", "shared"]
CostBasis = Literal["allocation", "usage"]
Phase = Literal["", "prompt", "generation"]


@dataclass(frozen=True, slots=True)
class LayerPart:
    """A named part of a layer: `good` and `late` of used, `failed` and `recomputed` of wasted, and so on.

    `replica_s` are the replica-seconds behind it, None where it is not bought by time. `means` says what is counted.
    """

    layer: Layer
    name: str
    amount: Decimal
    replica_s: float | None
    means: str


@dataclass(frozen=True, slots=True)
class UnitCost:
    """A part of the bill divided by what it bought.

    `allocation` divides the whole bill, `usage` only what was busy (used + wasted), as OpenCost names them. `phase` is
    the empty string for prompt and generation together. `amount` is None, with `reason`, where nothing was counted.
    """

    name: str
    basis: CostBasis
    phase: Phase
    amount: Decimal | None
    count: int | None
    formula: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CostLayers:
    """What the bill of an interval was spent on: `used + wasted + idle + shared == bill`, exactly.

    - used: GPU time that worked, by its share of work that reached a client (`good`, and `late`: ok, but slower than
      the goodput thresholds)
    - wasted: GPU time that worked for nothing: `failed` requests, and tokens `recomputed` after a change of replica
    - idle: GPU time that was paid and did no work: `not serving` (start-up), `stalled` (work waits, no token comes),
      `vacant` (no work), `unseen` (nobody sampled it)
    - shared: what serves all replicas and is no GPU (gateway, monitoring), by the hour

    Amounts have 12 decimal places, and so has the bill: `CostReport.total` with the shared part, rounded there. Parts
    are in the order of the layers. `busy_share` is busy time / paid time. `cache_savings_fraction` is the share of
    looked-up prompt tokens that the engines had in their prefix cache, None where they do not say.
    """

    currency: str
    used: Decimal
    wasted: Decimal
    idle: Decimal
    shared: Decimal
    bill: Decimal
    parts: tuple[LayerPart, ...]
    units: tuple[UnitCost, ...]
    busy_share: float
    cache_savings_fraction: float | None = None
    notes: tuple[str, ...] = ()

    def part(self, layer: Layer, name: str) -> LayerPart:
        """The part called `name`; KeyError when the layer has none."""
        for part in self.parts:
            if (part.layer, part.name) == (layer, name):
                return part
        raise KeyError(f"{layer}: {name}")

    def unit(self, name: str, *, basis: CostBasis = "allocation", phase: Phase = "") -> UnitCost:
        """E.g. `unit("million good tokens")`; KeyError when there is none."""
        for unit in self.units:
            if (unit.name, unit.basis, unit.phase) == (name, basis, phase):
                return unit
        raise KeyError(f"{name}: {basis} {phase}")
