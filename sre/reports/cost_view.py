"""The cost table: each amount with the formula that gives it, and the price with its source and dates."""

from __future__ import annotations

from sre.cost.model import CostReport
from sre.reports.formats import count, money
from sre.reports.table import Row, Table, table


def cost(report: CostReport) -> Table:
    """Formulas are those of `sre.cost.allocation`."""
    price = report.price
    rows = [Row(cells) for cells in (*_time(report), *_tokens(report), *_incident(report))]
    notes = (f"Price source: {price.source} ({price.validity}).", *report.notes)
    return table("cost", "Cost", ("what", ">amount", "how it is computed"), rows, notes=notes)


def _time(report: CostReport) -> tuple[tuple[str, str, str], ...]:
    price, currency = report.price, report.price.currency
    hourly = f"{money(price.per_gpu_hour, currency)} / GPU-hour"
    return (
        ("price", hourly, f"{price.name}: {price.gpu}, {price.validity}"),
        ("GPUs per replica", str(report.gpus_per_replica), ""),
        ("billed", _replica_seconds(report.billed_s), "start to end of each replica process, inside the drill"),
        ("serving", _replica_seconds(report.serving_s), "the part of billed from ready on"),
        ("not serving", _replica_seconds(report.not_serving_s), "billed - serving: start-up and restart"),
        ("total", money(report.total, currency), "billed / 3600 x GPUs per replica x price"),
    )


def _tokens(report: CostReport) -> tuple[tuple[str, str, str], ...]:
    currency = report.price.currency
    each, good = money(report.per_million_tokens, currency), money(report.per_million_good_tokens, currency)
    return (
        ("tokens generated", count(report.tokens), "failed requests included"),
        ("good tokens", count(report.good_tokens), "tokens of requests within both goodput thresholds"),
        ("wasted tokens", count(report.wasted_tokens), "tokens of requests that were not ok"),
        (f"{currency} per million tokens", each, "total / tokens generated x 1,000,000"),
        (f"{currency} per million good tokens", good, "total / good tokens x 1,000,000"),
    )


def _incident(report: CostReport) -> tuple[tuple[str, str, str], ...]:
    currency = report.price.currency
    capacity, wasted = money(report.incident_capacity, currency), money(report.incident_wasted_tokens, currency)
    return (
        ("incident: capacity lost", capacity, "replica time billed but not serving while the fault lasted x price"),
        ("incident: wasted tokens", wasted, "wasted tokens x total / tokens generated"),
        ("incident: total", money(report.incident_total, currency), "capacity lost + wasted tokens, where known"),
    )


def _replica_seconds(value: float) -> str:
    return f"{value:,.1f} replica-s"
