"""The bill of an interval in layers: used, wasted, idle, shared. Pure; the parts add up to the bill exactly.

    bill   = paid replica-hours x GPUs per replica x price + platform-hours x shared price
    used   = busy time x its share of delivered work (good, late)
    wasted = busy time x its share of work for nothing (failed, recomputed)
    idle   = paid time that is not busy (not serving, stalled, vacant, unseen)
    shared = what runs beside the GPUs, by the hour

Money is computed as fractions and rounded once, to 12 decimal places by largest remainder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from sre.cost.activity import Slot
from sre.cost.layer_time import US_PER_S, LayerTime, layer_time, total_time
from sre.cost.model import CostLayers, Layer, LayerPart, Price, ReplicaUse
from sre.cost.rounding import apportioned, total
from sre.cost.shares import Shares, shares_of
from sre.cost.unit_costs import unit_costs
from sre.cost.work import Work
from sre.errors import NoData

US_PER_HOUR = 3600 * US_PER_S
GPU_PARTS: tuple[tuple[Layer, str], ...] = (
    ("used", "good"),
    ("used", "late"),
    ("wasted", "failed"),
    ("wasted", "recomputed"),
    ("idle", "not serving"),
    ("idle", "stalled"),
    ("idle", "vacant"),
    ("idle", "unseen"),
)
"""What replica time is spent on; `shared: platform` follows them in a bill."""
_MEANS = {
    "good": "busy time x share of tokens of requests within both goodput thresholds",
    "late": "busy time x share of tokens of requests that were ok but slower, or still ran at the end",
    "failed": "busy time x share of tokens of requests that were not ok, or that their clients gave up",
    "recomputed": "busy time x share of tokens computed again after a change of replica",
    "not serving": "from the start of a replica's process until it serves",
    "stalled": "serving, requests on it, and no token counter moved from sample to sample",
    "vacant": "serving, and no request on it",
    "unseen": "serving, and nobody sampled it: it may have worked, so used is a lower bound",
    "platform": "gateway, autoscaler and monitoring, by the hour the platform ran",
}


@dataclass(frozen=True, slots=True)
class SharedPrice:
    """What an hour of everything beside the GPUs costs, in the currency of the GPU price, and who says so."""

    per_hour: Decimal
    source: str


def layers_of(
    uses: Sequence[ReplicaUse],
    slots: Sequence[Slot],
    work: Work,
    *,
    price: Price,
    gpus_per_replica: int,
    start: float,
    end: float,
    shared: SharedPrice | None = None,
) -> CostLayers:
    """`uses` over [start, end), priced and layered; `work` is of the same interval. Without `shared` the bill is of
    GPUs alone.

    Raises NoData when nothing was paid for, when no sample shows what the replicas did, or when nobody counted tokens:
    a layer that is not known is not 0. ValueError for an interval that is none, or fewer than one GPU.
    """
    if not start < end or gpus_per_replica < 1:
        raise ValueError(f"no bill of [{start}, {end}) with {gpus_per_replica} GPUs a replica")
    time = total_time(layer_time(use, slots, start=start, end=end) for use in uses)
    shares = _known(time, slots, shares_of(work))
    hour = Fraction(price.per_gpu_hour) * gpus_per_replica
    spent = part_times(time, shares)
    platform = Fraction(round((end - start) * US_PER_S)) * _per_hour(shared)
    *amounts, of_platform = apportioned([part / US_PER_HOUR for part in (*(us * hour for us in spent), platform)])
    parts = (
        *(
            LayerPart(layer, name, amount, float(us / US_PER_S), _MEANS[name])
            for (layer, name), us, amount in zip(GPU_PARTS, spent, amounts, strict=True)
        ),
        LayerPart("shared", "platform", of_platform, None, _MEANS["platform"]),
    )
    by_layer = {
        layer: total(p.amount for p in parts if p.layer == layer) for layer in ("used", "wasted", "idle", "shared")
    }
    bill = total(part.amount for part in parts)
    return CostLayers(
        currency=price.currency,
        used=by_layer["used"],
        wasted=by_layer["wasted"],
        idle=by_layer["idle"],
        shared=by_layer["shared"],
        bill=bill,
        parts=parts,
        units=unit_costs(work, shares, bill=bill, busy=total((by_layer["used"], by_layer["wasted"]))),
        busy_share=time.busy_us / time.billed_us,
        cache_savings_fraction=_cache_savings(work),
        notes=_notes(time, shares, shared),
    )


def _known(time: LayerTime, slots: Sequence[Slot], shares: Shares | None) -> Shares:
    if time.billed_us == 0:
        raise NoData("cost layers are n/a: no replica was paid for in the interval")
    if not slots:
        raise NoData("cost layers are n/a: no sample shows what the replicas did (vllm:num_requests_running)")
    if shares is None:
        raise NoData("cost layers are n/a: nobody counted the tokens (sre_gateway_tokens_total)")
    return shares


def part_times(time: LayerTime, shares: Shares) -> tuple[Fraction, ...]:
    """Microseconds of each of `GPU_PARTS`."""
    busy = Fraction(time.busy_us)
    idle = (time.not_serving_us, time.stalled_us, time.vacant_us, time.unseen_us)
    working = (shares.good, shares.late, shares.failed, shares.recomputed)
    return (*(busy * share for share in working), *map(Fraction, idle))


def _per_hour(shared: SharedPrice | None) -> Fraction:
    return Fraction(0) if shared is None else Fraction(shared.per_hour)


def _cache_savings(work: Work) -> float | None:
    if not work.prefix_queries or work.prefix_hits is None:
        return None
    return min(1.0, work.prefix_hits / work.prefix_queries)


def _notes(time: LayerTime, shares: Shares, shared: SharedPrice | None) -> tuple[str, ...]:
    weighed = (
        "A prompt token and a generated one are weighed by the seconds the engines spent on each (compute_time)."
        if shares.method == "compute_time"
        else "A generated token weighs 2.5 prompt tokens: the engines do not say how long each took (multiplier)."
    )
    told = [weighed]
    if shared is None:
        told.append("The bill is of GPUs alone: nobody gave a price of what runs beside them.")
    else:
        told.append(f"Shared: {shared.per_hour} an hour, {shared.source}.")
    if time.unseen_us:
        told.append(f"{time.unseen_us / US_PER_S:.1f} replica-s served unseen: no sample says what they did.")
    return tuple(told)
