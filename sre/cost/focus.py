"""Statements as rows of FOCUS 1.2: what is on a bill, and nothing else.

A row a process life of a replica and clock hour (UTC), and one an hour for what is shared. Rows come from a `Statement`
alone, which holds paid time and its price: lost revenue, service credits and labour cannot get in. The rows of a
statement add up to its bill exactly, and their `x_` costs to its layers.

A committed price counts as an agreed rate (`Standard`, contracted below list): there is no commitment to draw down
here, so there are no `CommitmentDiscount*` columns. Spot is `Dynamic`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from sre.cost.focus_pieces import HOUR, LAYERS, Line, Piece, lines_of
from sre.cost.rounding import rounded
from sre.cost.statement import Statement
from sre.errors import SreError

Value = str | Decimal | datetime | None
FocusRow = dict[str, Value]
"""A row by column name, as a file has it."""

_SELF = "Self-hosted"
_SERVICE: FocusRow = {
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "LLM serving",
    "ServiceSubcategory": "Generative AI",
}


@dataclass(frozen=True, slots=True)
class Account:
    """Who is billed."""

    id: str = "llm-gameday"
    name: str = "LLM serving"


def focus_rows(statements: Sequence[Statement], account: Account | None = None) -> Iterator[FocusRow]:
    """The rows of all statements, in order of time. Raises SreError when one is given twice."""
    ids = [statement.id for statement in statements]
    twice = sorted({one for one in ids if ids.count(one) > 1})
    if twice:
        raise SreError(f"{', '.join(twice)}: given twice: its bill would be counted twice")
    for statement in sorted(statements, key=lambda one: (one.start, one.id)):
        for line in lines_of(statement):
            yield {
                **_who(statement, line.piece, account or Account()),
                **_SERVICE,
                **(_platform(statement, line.piece) if line.piece.replica is None else _replica(statement, line.piece)),
                **_money(statement, line),
            }


def _who(statement: Statement, piece: Piece, account: Account) -> FocusRow:
    is_bought = piece.replica is not None
    provider = (statement.price.provider or _SELF) if is_bought else _SELF
    region = statement.price.region if is_bought else None
    month = piece.hour.replace(day=1, hour=0)
    return {
        "BillingAccountId": account.id,
        "BillingAccountName": account.name,
        "BillingPeriodStart": month,
        "BillingPeriodEnd": (month + timedelta(days=32)).replace(day=1),
        "ChargePeriodStart": piece.hour,
        "ChargePeriodEnd": piece.hour + HOUR,
        "InvoiceIssuerName": provider,
        "ProviderName": provider,
        "PublisherName": provider,
        "RegionId": region,
        "RegionName": region,
        "Tags": _pairs({"report": statement.id, "experiment": statement.experiment, "incident": statement.incident}),
        "x_Experiment": statement.experiment,
        "x_IncidentId": statement.incident,
        "x_ReportId": statement.id,
        "x_UsageStart": _instant(piece.start),
        "x_UsageEnd": _instant(piece.end),
    }


def _replica(statement: Statement, piece: Piece) -> FocusRow:
    price = statement.price
    return {
        "ChargeDescription": (
            f"{piece.replica}: {piece.end - piece.start:.3f} s of {statement.gpus_per_replica} x {price.gpu or 'GPU'} "
            f"at {price.per_gpu_hour:f} {price.currency} a GPU-hour ({price.name})"
        ),
        "PricingCategory": "Dynamic" if price.purchase == "spot" else "Standard",
        "PricingUnit": "GPU-Hours",
        "ConsumedUnit": "GPU-Hours",
        "ResourceId": f"{statement.id}/{piece.replica}/{round(piece.born * 1000)}",
        "ResourceName": piece.replica,
        "ResourceType": "GPU replica",
        "SkuId": price.gpu or "GPU",
        "SkuPriceId": price.name,
        "SkuMeter": "GPU Hours",
        "SkuPriceDetails": _pairs({"GpuCount": 1, "x_GpuModel": price.gpu or None}),
        "x_PriceSource": price.source,
        "x_PurchaseOption": price.purchase,
    }


def _platform(statement: Statement, piece: Piece) -> FocusRow:
    return {
        "ChargeDescription": f"Gateway, autoscaler and monitoring: {piece.end - piece.start:.3f} s",
        "PricingCategory": "Standard",
        "PricingUnit": "Hours",
        "ConsumedUnit": "Hours",
        "ResourceId": f"{statement.id}/platform",
        "ResourceName": "platform",
        "ResourceType": "Platform",
        "SkuId": "platform",
        "SkuPriceId": "platform-hour",
        "SkuMeter": "Platform Hours",
        "SkuPriceDetails": None,
        "x_PriceSource": statement.shared.source if statement.shared else "",
        "x_PurchaseOption": None,
    }


def _money(statement: Statement, line: Line) -> FocusRow:
    quantity = rounded(line.piece.quantity)
    paid, listed = _unit_prices(statement, line.piece)
    by_layer: FocusRow = {f"x_{layer.title()}Cost": line.by_layer.get(layer) for layer in LAYERS}
    return {
        "BilledCost": line.billed,
        "EffectiveCost": line.billed,
        "ContractedCost": line.billed,
        "ListCost": line.billed if listed == paid else rounded(line.piece.quantity * Fraction(listed)),
        "ContractedUnitPrice": paid,
        "ListUnitPrice": listed,
        "BillingCurrency": statement.price.currency,
        "PricingCurrency": statement.price.currency,
        "PricingCurrencyContractedUnitPrice": paid,
        "PricingCurrencyEffectiveCost": line.billed,
        "PricingCurrencyListUnitPrice": listed,
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeFrequency": "Usage-Based",
        "PricingQuantity": quantity,
        "ConsumedQuantity": quantity,
        **by_layer,
    }


def _unit_prices(statement: Statement, piece: Piece) -> tuple[Decimal, Decimal]:
    """(what is paid, what is listed) for one unit."""
    if piece.replica is None:
        per_hour = statement.shared.per_hour if statement.shared else Decimal(0)
        return per_hour, per_hour
    paid = statement.price.per_gpu_hour
    return paid, statement.price.list_per_gpu_hour or paid


def _pairs(values: dict[str, str | int | None]) -> str:
    return json.dumps({key: value for key, value in values.items() if value is not None}, sort_keys=True)


def _instant(at: float) -> datetime:
    return datetime.fromtimestamp(round(at, 3), UTC)
