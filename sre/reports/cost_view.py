"""The cost table: each amount with the formula that gives it, and the price with its source and date."""

from __future__ import annotations

from sre.cost.model import CostReport
from sre.reports.formats import count, money
from sre.reports.table import Row, Table, table


def cost(report: CostReport) -> Table:
    price, currency = report.price, report.price.currency
    gpus = report.gpus_per_replica
    rows = (
        (
            "price",
            f"{money(price.per_gpu_hour, currency)} / GPU-hour",
            f"{price.name}: {price.gpu}, valid from {price.valid_from}",
        ),
        ("GPUs per replica", str(gpus), ""),
        ("billed", _replica_seconds(report.billed_s), "from the start of each replica process to its end"),
        ("serving", _replica_seconds(report.serving_s), "part of billed: from ready on"),
        ("not serving", _replica_seconds(report.not_serving_s), "billed - serving: start-up and restart"),
        ("total", money(report.total, currency), "billed / 3600 x GPUs per replica x price"),
        ("tokens generated", count(report.tokens), "failed requests included"),
        ("good tokens", count(report.good_tokens), "tokens of requests within both goodput thresholds"),
        ("wasted tokens", count(report.wasted_tokens), "tokens of requests that were not ok"),
        (
            f"{currency} per million tokens",
            money(report.per_million_tokens, currency),
            "total / tokens generated x 1e6",
        ),
        (
            f"{currency} per million good tokens",
            money(report.per_million_good_tokens, currency),
            "total / good tokens x 1e6",
        ),
        (
            "incident: capacity lost",
            money(report.incident_capacity, currency),
            "billed while the fault kept it from serving",
        ),
        (
            "incident: wasted tokens",
            money(report.incident_wasted_tokens, currency),
            "wasted tokens at the drill's price a token",
        ),
        ("incident: total", money(report.incident_total, currency), "capacity lost + wasted tokens"),
    )
    notes = (f"Price source: {price.source}, valid from {price.valid_from}.", *report.notes)
    return table("cost", "Cost", ("what", ">amount", "how it is computed"), [Row(r) for r in rows], notes=notes)


def _replica_seconds(value: float) -> str:
    return f"{value:,.1f} replica-s"
