"""Everything that can be refused is refused here, before a process is started or a folder is made."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sre.chaos.experiment import load_drill
from sre.chaos.model import Drill, Workload
from sre.cost.finance import Finance
from sre.cost.finance_reader import finance_in
from sre.cost.incident_gpus import check_currency
from sre.cost.model import Price
from sre.cost.prices import load_book, price_of, shipped_prices
from sre.errors import BadDocument, EnvironmentLacks, SreError
from sre.gameday.model import DrillOptions
from sre.platforms.local import PlatformSpec, check_load, gpu_of, gpu_price, platform_spec
from sre.risks.model import Risk
from sre.risks.register import load_risks, risk_named
from sre.runbooks.render import has_page
from sre.slo.evaluate import check_windows
from sre.slo.model import DrillClock, Slo
from sre.slo.openslo import load_slos
from sre.slo.tiers import workbook_tiers

NO_GATEWAY_YET = "http://127.0.0.1:1"
"""Stands in a plan that is checked before the gateway's port is known; `write_plan` replaces it."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A drill that may start: documents read and checked, platform and load described. `risk` is its known weakness."""

    options: DrillOptions
    drill: Drill
    slos: tuple[Slo, ...]
    clock: DrillClock
    spec: PlatformSpec
    load: dict[str, Any]
    price: Price
    gpus_per_replica: int
    folder: Path
    finance: Finance
    risk: Risk | None = None

    @property
    def warmup_s(self) -> float:
        """Seconds of load before chaos starts; at most a third of it, so that a short drill has its fault."""
        return min(self.drill.workload.warmup_s, self.duration_s / 3)

    @property
    def duration_s(self) -> float:
        return float(self.load["duration_s"])

    @property
    def has_runbook(self) -> bool:
        """Whether a runbook can be rendered from this drill."""
        return has_page(self.drill.runbook)

    def at(self, now: float) -> Prepared:
        """The same drill, with a report folder of that moment (Unix seconds). Raises SreError when it is taken."""
        folder = report_folder(self.options, now)
        return replace(self, folder=folder, load={**self.load, "out": str(folder.resolve())})


def _require_known(drill: Drill, slos: Sequence[Slo]) -> None:
    known = [slo.name for slo in slos]
    named = [("slo", name) for name in drill.slos]
    if drill.expected.alert_slo is not None:
        named.append(("expected.alert.slo", drill.expected.alert_slo))
    if unknown := [(where, name) for where, name in named if name not in known]:
        use = ", ".join(known)
        raise BadDocument(
            [f"{drill.path}: {where}: no SLO is named {name!r}: use one of {use}" for where, name in unknown]
        )


def prepare(options: DrillOptions, *, now: float) -> Prepared:
    """Read and check every input. `now` (Unix seconds) names the report. Raises SreError; touches nothing."""
    drill = load_drill(options.experiment)
    slos = load_slos(options.workspace / "slo")
    _require_known(drill, slos)
    spec, price, gpus_per_replica = _priced(_spec(drill, options), options, now)
    clock = DrillClock(drill.clock_factor)
    for slo in slos:
        check_windows(workbook_tiers(slo.period_s), clock, spec.scrape_interval_s)
    folder = report_folder(options, now)
    _require_folder(options.reports_dir)
    load = load_plan(drill.workload, options, out=folder)
    check_load(load, options.experiment)
    return Prepared(
        options=options,
        drill=drill,
        slos=slos,
        clock=clock,
        spec=spec,
        load=load,
        price=price,
        gpus_per_replica=gpus_per_replica,
        folder=folder,
        finance=_finance(options.workspace, price),
        risk=_risk(drill, options),
    )


def _priced(spec: PlatformSpec, options: DrillOptions, now: float) -> tuple[PlatformSpec, Price, int]:
    """The platform with the price of its GPUs that holds on the day, and how many a replica has."""
    gpu, gpus = gpu_of(spec.profile)
    known = load_book(options.prices) if options.prices else shipped_prices()
    price = price_of(gpu, known, on=datetime.fromtimestamp(now, UTC).date())
    told = gpu_price(price.name, price.per_gpu_hour, price.currency, gpus_per_replica=gpus)
    return replace(spec, price=told), price, gpus


def _finance(workspace: Path, price: Price) -> Finance:
    """The workspace's economics, in the currency of the price; without a file only the GPUs are worth something."""
    finance = finance_in(workspace, price.currency)
    check_currency(price, finance.currency, said_by=finance.path)
    return finance


def _risk(drill: Drill, options: DrillOptions) -> Risk | None:
    if drill.weakness is None:
        return None
    return risk_named(load_risks(options.workspace), drill.weakness.risk, where=drill.path)


def stamped(name: str, now: float) -> str:
    """`20261123T141447Z-NAME`: how folders in reports/ are called."""
    return f"{datetime.fromtimestamp(now, UTC).strftime('%Y%m%dT%H%M%SZ')}-{name}"


def report_folder(options: DrillOptions, now: float) -> Path:
    """Where the report of a drill that starts now goes. Raises SreError when that is taken."""
    folder = options.reports_dir / stamped(options.experiment.stem, now)
    if folder.exists():
        raise SreError(f"{folder}: exists already: wait a second, or choose another --reports")
    return folder


def _spec(drill: Drill, options: DrillOptions) -> PlatformSpec:
    """What the experiment needs, with the command line's changes."""
    if drill.platform.prometheus and not options.prometheus:
        raise SreError(f"{drill.path}: the drill makes no sense without Prometheus: leave --no-prometheus out")
    asked = {**drill.platform.asked(), **_asked(options)}
    return platform_spec(options.state_dir, **asked, prometheus="auto" if options.prometheus else "off")


def _require_folder(path: Path) -> None:
    """Raises EnvironmentLacks when nothing can be made at `path`: better now than after the drill."""
    existing = next(p for p in (path, *path.absolute().parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise EnvironmentLacks(f"{path}: no folder can be made there: choose another --reports")


def load_plan(workload: Workload, options: DrillOptions, *, out: Path) -> dict[str, Any]:
    """The load generator's plan (docs/contracts.md): the experiment's workload with the command line's changes."""
    asked = {
        "rate_rps": options.rate_rps,
        "duration_s": options.duration_s,
        "seed": options.seed,
        "max_prompt_tokens": options.max_prompt_tokens,
    }
    plan: dict[str, Any] = {
        "url": NO_GATEWAY_YET,
        "out": str(out.resolve()),
        "rate_rps": workload.rate_rps,
        "duration_s": workload.duration_s,
        "seed": workload.seed,
        **{key: value for key, value in asked.items() if value is not None},
    }
    if options.trace is not None:
        return {**plan, "trace": str(options.trace)}
    shape = {"cv": workload.cv, "prompt_tokens": workload.prompt_tokens, "output_tokens": workload.output_tokens}
    for key, value in shape.items():
        if value is not None:
            plan[key] = value if isinstance(value, float) else asdict(value)
    return plan


def write_plan(plan: dict[str, Any], path: Path, *, url: str) -> Path:
    """Write the plan for the gateway that is now up."""
    path.write_text(json.dumps({**plan, "url": url}, indent=1) + "\n", encoding="utf-8")
    return path


def _asked(options: DrillOptions) -> dict[str, Any]:
    asked = {
        "replicas": options.replicas,
        "profile": options.profile,
        "time_scale": options.time_scale,
        "port": options.port,
    }
    return {key: value for key, value in asked.items() if value is not None}
