"""A policy comparison as table, JSON and page. Money is replica-hours x GPUs x the price of one GPU-hour."""

from __future__ import annotations

import json
from dataclasses import asdict
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sre.cost.model import Price
from sre.errors import EnvironmentLacks
from sre.platforms.scaling import PolicyComparison, PolicyRun
from sre.reports.atomic import write_text
from sre.reports.autoscale_chart import comparison_charts, write_pngs
from sre.reports.formats import NOT_AVAILABLE, count, money, percent, seconds
from sre.reports.table import Row, Table, table

_HEAD = (
    "policy",
    ">good",
    ">TTFT in time",
    ">gaps in time",
    ">TTFT p50",
    ">TTFT p99",
    ">replica-hours",
    ">cost",
    ">per million good tokens",
    ">most waiting",
    ">scalings",
    ">rejected",
)
LIMITS = (
    "A simulation: steps are planned by the engine's own scheduling model and timed by the profile; network, gateway "
    "time, prefix caching, faults and client time-outs are left out.",
    "A request is good when it was served, its first token and its mean gap between tokens within the thresholds.",
    "Replicas are billed from their start, cold start included, to their end; whole GPUs, no reservation.",
)


def cost_of(run: PolicyRun, price: Price, gpus_per_replica: int) -> Decimal:
    """The bill of one run, in the price's currency."""
    return Decimal(str(run.replica_s)) * gpus_per_replica * price.per_gpu_hour / 3600


def per_million_good(run: PolicyRun, price: Price, gpus_per_replica: int) -> Decimal | None:
    """None when no request was good."""
    bill = cost_of(run, price, gpus_per_replica)
    return bill * 1_000_000 / run.good_tokens if run.good_tokens else None


def comparison_table(comparison: PolicyComparison, price: Price) -> Table:
    """A row a policy, in the order they ran."""
    rows = [Row(_cells(run, comparison, price), "muted" if run.is_baseline else "") for run in comparison.runs]
    return table("policies", "Policies", _HEAD, rows, notes=_notes(comparison, price))


def _cells(run: PolicyRun, comparison: PolicyComparison, price: Price) -> tuple[str, ...]:
    gpus = comparison.gpus_per_replica
    return (
        run.name,
        percent(run.attainment),
        percent(run.ttft_ok),
        percent(run.inter_token_ok),
        seconds(run.ttft_p50_s),
        seconds(run.ttft_p99_s),
        f"{run.replica_s / 3600:.2f}",
        money(cost_of(run, price, gpus), price.currency),
        money(per_million_good(run, price, gpus), price.currency),
        count(run.max_queue),
        count(run.scale_events) if not run.is_baseline else NOT_AVAILABLE,
        count(run.rejected),
    )


def _notes(comparison: PolicyComparison, price: Price) -> tuple[str, ...]:
    cold = ", ".join(f"{phase} {seconds(value)}" for phase, value in comparison.cold_start)
    total = seconds(sum(value for _, value in comparison.cold_start))
    return (
        f"Traffic: {comparison.traffic}; {count(comparison.requests)} requests in {seconds(comparison.duration_s)}, "
        f"mean {comparison.mean_rps:.1f}/s, busiest minute {comparison.peak_rps:.1f}/s.",
        f"Replica: {comparison.profile}; carries {comparison.capacity_rps:.1f} requests/s at a steady 99 % good (first "
        f"token within {seconds(comparison.ttft_s)}, mean gap within {seconds(comparison.inter_token_s)}). "
        f"Cold start {total}: {cold}. {comparison.profile_source}",
        f"Policies start with {comparison.start_replicas} warm replicas, within their own bounds.",
        f"Price: {money(price.per_gpu_hour, price.currency)} for an hour of one {price.gpu} "
        f"({price.name}, {price.validity}).",
    )


def comparison_json(comparison: PolicyComparison, price: Price, *, curves: bool) -> dict[str, Any]:
    """Everything as JSON values; `curves` adds the moments and minutes of each run."""
    gpus = comparison.gpus_per_replica
    runs = []
    for run in comparison.runs:
        data = asdict(run)
        if not curves:
            del data["moments"], data["service"]
        bill, per_million = cost_of(run, price, gpus), per_million_good(run, price, gpus)
        data |= {
            "attainment": run.attainment,
            "replica_hours": run.replica_s / 3600,
            "cost": f"{bill:.4f}",
            "per_million_good_tokens": None if per_million is None else f"{per_million:.4f}",
        }
        runs.append(data)
    return {**asdict(comparison), "currency": price.currency, "price": price.name, "runs": runs}


def write_comparison(comparison: PolicyComparison, price: Price, folder: Path) -> tuple[Path, ...]:
    """`compare.html`, `compare.json` and two PNG charts in `folder`, which is made. Raises EnvironmentLacks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(
            f"{folder}: no folder can be made there ({error.strerror}): choose another --out"
        ) from error
    html, data = folder / "compare.html", folder / "compare.json"
    write_text(html, render(comparison, price))
    write_text(data, json.dumps(comparison_json(comparison, price, curves=True), indent=1) + "\n")
    gpus = comparison.gpus_per_replica
    return html, data, *write_pngs(comparison, lambda run: cost_of(run, price, gpus), price.currency, folder)


def render(comparison: PolicyComparison, price: Price) -> str:
    """One HTML file, charts inside, no script and no network."""
    environment = Environment(loader=PackageLoader("sre.reports"), autoescape=True, undefined=StrictUndefined)
    css = resources.files("sre.reports").joinpath("templates/report.css").read_text("utf-8")
    gpus = comparison.gpus_per_replica
    charts = comparison_charts(comparison, lambda run: cost_of(run, price, gpus), price.currency)
    template = environment.get_template("autoscale.html.j2")
    return (
        template.render(
            css=Markup(css),  # noqa: S704  (a file of this package)
            summary=_summary(comparison, price),
            table=comparison_table(comparison, price),
            charts=charts,
            limits=LIMITS,
        )
        + "\n"
    )


def _summary(comparison: PolicyComparison, price: Price) -> str:
    """The cheapest policy that keeps 99 % good, or the best one when none does."""
    kept = [run for run in comparison.runs if run.attainment >= 0.99 and not run.is_baseline]
    gpus = comparison.gpus_per_replica
    if kept:
        best = min(kept, key=lambda run: run.replica_s)
        return f"Cheapest policy with 99 % good: {best.name}, {money(cost_of(best, price, gpus), price.currency)}."
    best = max(comparison.runs, key=lambda run: run.attainment)
    return f"No policy kept 99 % good; {best.name} came closest with {percent(best.attainment)}."
