"""A statement cut into the lines of a bill: by life of a replica and clock hour, with each line's money.

Cutting loses nothing: lines are rounded so that they add up to the statement's bill and to every part of its layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sre.cost.layer_time import US_PER_S, layer_time
from sre.cost.layers import GPU_PARTS, US_PER_HOUR, part_times
from sre.cost.model import Layer
from sre.cost.rounding import divided, total
from sre.cost.shares import shares_of
from sre.cost.statement import Statement

HOUR = timedelta(hours=1)
LAYERS: tuple[Layer, ...] = ("used", "wasted", "idle", "shared")
_NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Piece:
    """One line of a bill: a life of a replica, or the platform (`replica` None), inside one clock hour (UTC).

    `quantity` are GPU-hours, of the platform hours. `exact` is the money of each part of the layers, the shared one
    last; without layers it is one amount.
    """

    hour: datetime
    start: float
    end: float
    replica: str | None
    born: float
    quantity: Fraction
    exact: tuple[Fraction, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A piece with its money as it is billed; `by_layer` is empty without layers."""

    piece: Piece
    billed: Decimal
    by_layer: Mapping[Layer, Decimal]


def lines_of(statement: Statement) -> list[Line]:
    """In order of time. Their `billed` add up to `statement.bill`, exactly."""
    pieces = [piece for piece in (*_of_replicas(statement), *_of_platform(statement)) if piece.quantity]
    pieces.sort(key=lambda piece: (piece.hour, piece.replica is None, piece.start, piece.replica or ""))
    if not pieces:
        return []
    if statement.layers is None:
        amounts = divided(statement.bill, [sum(piece.exact, _NOTHING) for piece in pieces])
        return [Line(piece, amount, {}) for piece, amount in zip(pieces, amounts, strict=True)]
    parts = statement.layers.parts
    columns = [divided(part.amount, [piece.exact[i] for piece in pieces]) for i, part in enumerate(parts)]
    lines = []
    for row, piece in enumerate(pieces):
        by_layer = {
            layer: total(columns[i][row] for i, part in enumerate(parts) if part.layer == layer) for layer in LAYERS
        }
        lines.append(Line(piece, total(by_layer.values()), by_layer))
    return lines


def _of_replicas(statement: Statement) -> Iterator[Piece]:
    shares = shares_of(statement.work) if statement.layers is not None else None
    gpus = statement.gpus_per_replica
    per_us = Fraction(statement.price.per_gpu_hour) * gpus / US_PER_HOUR
    for use in statement.uses:
        for hour, start, end in _hours(max(use.start, statement.start), min(use.end, statement.end)):
            time = layer_time(use, statement.slots, start=start, end=end)
            spent = (Fraction(time.billed_us),) if shares is None else (*part_times(time, shares), _NOTHING)
            yield Piece(
                hour,
                start,
                end,
                use.replica,
                use.start,
                Fraction(time.billed_us * gpus, US_PER_HOUR),
                tuple(us * per_us for us in spent),
            )


def _of_platform(statement: Statement) -> Iterator[Piece]:
    if statement.shared is None or not statement.shared.per_hour:
        return
    before = () if statement.layers is None else (_NOTHING,) * len(GPU_PARTS)
    for hour, start, end in _hours(statement.start, statement.end):
        quantity = Fraction(round(end * US_PER_S) - round(start * US_PER_S), US_PER_HOUR)
        money = quantity * Fraction(statement.shared.per_hour)
        yield Piece(hour, start, end, None, statement.start, quantity, (*before, money))


def _hours(start: float, end: float) -> Iterator[tuple[datetime, float, float]]:
    """[start, end) cut at clock hours: (begin of the hour, start, end)."""
    while start < end:
        hour = datetime.fromtimestamp(start, UTC).replace(minute=0, second=0, microsecond=0)
        until = min(end, (hour + HOUR).timestamp())
        yield hour, start, until
        start = until
