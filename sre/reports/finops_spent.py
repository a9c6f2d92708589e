"""What a bill bought: the money of one drill by layers and units, and of many drills together."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sre.cost.incident_gpus import GpuUse
from sre.cost.lost_requests import Answers, Limits, lost_requests
from sre.cost.model import UnitCost
from sre.reports.finops_model import Spent

LAYERS = ("used", "wasted", "idle", "shared")
_OUTLINE = ("serving", "not serving")


def spent_in(answers: Answers, use: GpuUse, limits: Limits) -> Spent:
    """One drill's bill, at the price of `use`."""
    cost = use.cost
    parts = _parts(use)
    lost = lost_requests(answers, limits, start=float("-inf"), end=float("inf"))
    return Spent(
        bill=cost.total * use.rescale if cost.layers is None else sum((part for _, part in parts), Decimal(0)),
        requests=lost.total,
        good_requests=lost.good,
        tokens=cost.tokens,
        good_tokens=cost.good_tokens,
        parts=parts,
        layered=cost.layers is not None,
        units=_token_units(use),
    )


def _token_units(use: GpuUse) -> tuple[UnitCost, ...]:
    """What a million tokens cost with prompts counted, on both bases; none at another price than the report's."""
    if use.cost.layers is None or use.rescale != 1:
        return ()
    return tuple(unit for unit in use.cost.layers.units if unit.name == "million tokens" and not unit.phase)


def _parts(use: GpuUse) -> tuple[tuple[str, Decimal], ...]:
    layers = use.cost.layers
    if layers is not None:
        gpus = tuple((name, getattr(layers, name) * use.rescale) for name in LAYERS if name != "shared")
        return (*gpus, ("shared", layers.shared))
    total = use.cost.total * use.rescale
    hourly = use.per_replica_hour
    idle = hourly * Decimal(str(use.cost.not_serving_s)) / 3600
    return (_OUTLINE[0], total - idle), (_OUTLINE[1], idle)


def together(found: Sequence[Spent]) -> Spent:
    """The sum. A count that one of them lacks is None for all: a part is no total. Layers only where all have them."""
    if len(found) == 1:
        return found[0]
    layered = bool(found) and all(one.layered for one in found)
    names = LAYERS if layered else _OUTLINE
    return Spent(
        bill=sum((one.bill for one in found), Decimal(0)),
        requests=sum(one.requests for one in found),
        good_requests=sum(one.good_requests for one in found),
        tokens=_total([one.tokens for one in found]),
        good_tokens=_total([one.good_tokens for one in found]),
        parts=tuple((name, sum((_part(one, name) for one in found), Decimal(0))) for name in names),
        layered=layered,
    )


def _part(spent: Spent, name: str) -> Decimal:
    """Of a mixed set: the layers of one with layers, told as serving and not."""
    parts = dict(spent.parts)
    if name in parts:
        return parts[name]
    return Decimal(0) if name == "not serving" else sum(parts.values(), Decimal(0))


def _total(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
