"""What an incident cost in GPUs: paid and not serving, above the wanted number, and spent on tokens nobody could use.

The parts are disjoint pieces of the bill. Not serving is time from start to ready; stalled, failed and recomputed are
layers of the bill (`sre.cost.layers`), which are disjoint by construction; replicas above the wanted number, and those
up to it while the gateway was gone, are counted from ready on, less the share of serving time that the layers have
counted already. On a fleet of fixed size this money is paid without an incident too: it is the part of the bill that
served nobody, not an extra one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from sre.cost.allocation import replica_time
from sre.cost.fleet_history import FleetHistory
from sre.cost.measured import shown, unknown
from sre.cost.model import CostLayers, CostReport, Layer, Price, ReplicaUse
from sre.cost.provenance import CostLine
from sre.errors import BadDocument

CUT_OFF = "GPUs paid while cut off"
NOT_SERVING, STALLED, RECOVERY = "GPUs paid while starting", "GPUs paid while stalled", "recovery capacity"
WASTED, RECOMPUTED = "tokens of failed or abandoned requests", "tokens computed again"
EVENTS, LAYERS = "events.jsonl", "cost.json"
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class GpuUse:
    """The GPUs of a drill: its cost report, process lives, and what was wanted (None: not known)."""

    cost: CostReport
    uses: tuple[ReplicaUse, ...]
    history: FleetHistory | None
    price: Price

    @property
    def per_replica_hour(self) -> Decimal:
        return self.price.per_gpu_hour * self.cost.gpus_per_replica

    @property
    def rescale(self) -> Decimal:
        """What an amount of the cost report is at `price`."""
        return self.price.per_gpu_hour / self.cost.price.per_gpu_hour


def check_currency(price: Price, currency: str, *, said_by: str) -> None:
    """Raises BadDocument where price and economics are not in one currency: nothing is converted."""
    if price.currency != currency:
        raise BadDocument(
            [
                f"{said_by} is in {currency}, the price {price.name} in {price.currency}: nothing is converted; "
                f"take a price in {currency} (--prices BOOK) or write {said_by} in {price.currency}"
            ]
        )


def gpu_lines(use: GpuUse, *, start: float, end: float, counts_recovery: bool) -> tuple[CostLine, ...]:
    """Billed lines of an incident that lasted [start, end)."""
    time = replica_time(use.uses, start=start, end=end)
    starting = Decimal(time.not_serving_us) / _MILLION
    wasted = _wasted(use)
    lines = [_timed(NOT_SERVING, starting, use, "from start to ready")]
    stalled = _layer(STALLED, "idle", "stalled", use)
    lines += [] if stalled is None else [stalled]
    counted = _known_share(use, [*wasted, *([stalled] if stalled else [])])
    if use.history is not None and use.history.cut_off:
        cut_off = Decimal(str(round(use.history.cut_off_s(start=start, end=end), 6)))
        lines.append(_less(CUT_OFF, cut_off, counted, use, "ready, without a gateway"))
    if counts_recovery:
        lines.append(_recovery(use, start, end, counted))
    return (*lines, *wasted)


def _timed(name: str, replica_s: Decimal, use: GpuUse, what: str) -> CostLine:
    return CostLine(
        name=name,
        amount=use.per_replica_hour * replica_s / 3600,
        basis="measured",
        is_billed=True,
        formula=f"{shown(replica_s)} replica-s {what} / 3600 x {_rate(use)}",
        source=f"{EVENTS}; price {use.price.name}",
    )


def _rate(use: GpuUse) -> str:
    price = use.price
    return f"{use.cost.gpus_per_replica} GPU x {shown(price.per_gpu_hour)} {price.currency}/h"


def _recovery(use: GpuUse, start: float, end: float, counted: Decimal) -> CostLine:
    if use.history is None:
        return unknown(RECOVERY, f"{EVENTS} does not say how many replicas were wanted", is_billed=True, source=EVENTS)
    surplus = Decimal(str(round(use.history.surplus_s(start=start, end=end), 6)))
    return _less(RECOVERY, surplus, counted, use, "above the wanted number")


def _less(name: str, replica_s: Decimal, counted: Decimal, use: GpuUse, what: str) -> CostLine:
    """Serving time, less the share of it that other lines hold."""
    if counted and replica_s:
        what += f" x {shown(1 - counted)} not counted in other lines"
    line = _timed(name, replica_s, use, what)
    amount = use.per_replica_hour * replica_s * (1 - counted) / 3600
    return CostLine(name, amount, "measured", True, line.formula, line.source)


def _known_share(use: GpuUse, lines: Sequence[CostLine]) -> Decimal:
    """Of the serving time's bill, the share that layers count already."""
    serving = use.per_replica_hour * Decimal(str(use.cost.serving_s)) / 3600
    told = sum((line.amount for line in lines if line.amount is not None), Decimal(0))
    return min(Decimal(1), told / serving) if serving else Decimal(0)


def _wasted(use: GpuUse) -> list[CostLine]:
    layers = [_layer(WASTED, "wasted", "failed", use), _layer(RECOMPUTED, "wasted", "recomputed", use)]
    known = [line for line in layers if line is not None]
    return known or [_wasted_tokens(use)]


def _layer(name: str, layer: Layer, part: str, use: GpuUse) -> CostLine | None:
    found = None if use.cost.layers is None else _part(use.cost.layers, layer, part)
    if found is None:
        return None
    amount, means = found
    formula = f"{layer}, {part}: {means}"
    return CostLine(name, amount * use.rescale, "measured", True, formula, f"{LAYERS}, layers over the whole drill")


def _part(layers: CostLayers, layer: Layer, name: str) -> tuple[Decimal, str] | None:
    for part in layers.parts:
        if (part.layer, part.name) == (layer, name):
            return part.amount, part.means
    return None


def _wasted_tokens(use: GpuUse) -> CostLine:
    """Without layers: at what a token cost in serving time, so that the start-up is not paid twice."""
    cost = use.cost
    if cost.wasted_tokens is None or (cost.wasted_tokens and not cost.tokens):
        return unknown(WASTED, "there are no samples of the gateway's tokens", is_billed=True, source="samples.jsonl")
    serving = use.per_replica_hour * Decimal(str(cost.serving_s)) / 3600
    tokens = cost.tokens or 1
    paid = f"{shown(serving)} {use.price.currency}"
    return CostLine(
        name=WASTED,
        amount=serving * min(cost.wasted_tokens, tokens) / tokens,
        basis="measured",
        is_billed=True,
        formula=f"{cost.wasted_tokens:,} of {cost.tokens or 0:,} tokens x {paid} of serving time",
        source=f"{LAYERS}: wasted_tokens, tokens, serving_s",
    )
