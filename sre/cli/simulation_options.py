"""Options that `sre simulate` and `sre sweep` share, and what both make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sre.cli.text_table import print_aligned

if TYPE_CHECKING:
    from sre.cost.model import Price
    from sre.platforms.simulation import SimulationRequest
    from sre.reports.table import Table
    from sre.slo.model import Slo

ScenarioFile = Annotated[
    Path | None,
    typer.Argument(help="A scenario file, or a shipped one by name: day, zone-loss, spot-fleet.", show_default=False),
]
ProfileName = Annotated[
    str | None, typer.Option("--profile", help="GPU profile of the replicas: a shipped one, or a file.")
]
Count = Annotated[int | None, typer.Option("--replicas", min=1, help="Replicas at the start.")]
Generated = Annotated[
    str | None, typer.Option("--workload", help="Without a trace: day, chat, rag, agent or mixed. Default: day.")
]
Cv = Annotated[
    float | None, typer.Option("--cv", help="Burstiness of generated arrivals: 1 is Poisson, above it bursty.")
]
RoutingWord = Annotated[
    str | None, typer.Option("--routing", help="affinity (the platform's), least_outstanding or round_robin.")
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="Autoscaling policy: a HorizontalPodAutoscaler or KEDA ScaledObject.")
]
Faults = Annotated[
    list[str] | None,
    typer.Option("--fault", help="KIND@SECONDS[+SECONDS][:TARGET][=VALUE], e.g. crash@60:busiest; repeatable."),
]
Experiment = Annotated[
    Path | None, typer.Option("--experiment", help="Faults, load and replicas of an experiment file (experiments/).")
]
Zones = Annotated[str | None, typer.Option("--zones", help="Zones that replicas are put into in turn: a,b,c.")]
Spot = Annotated[bool | None, typer.Option("--spot/--no-spot", help="The replicas are spot machines.")]
ColdStartS = Annotated[
    float | None,
    typer.Option("--cold-start", min=0, help="Seconds until a new replica serves. Default: the profile's."),
]
SimulationSeed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything that is drawn.")]
Ttft = Annotated[float | None, typer.Option("--ttft", help="Threshold of the first token, seconds.")]
InterToken = Annotated[float | None, typer.Option("--inter-token", help="Threshold of the mean gap, seconds.")]
SkipBadRows = Annotated[bool, typer.Option("--skip-bad-rows", help="Leave out a trace's bad rows, and count them.")]
Prices = Annotated[Path | None, typer.Option("--prices", help="Your own price book.")]


_WIDEST = 160


def _cut(text: str) -> str:
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def request_of(**options: Any) -> SimulationRequest:
    """The options, by the request's own names, as a request. Raises SreError, one line, for a number that cannot be."""
    from sre.errors import SreError
    from sre.platforms.fault_text import parse_fault
    from sre.platforms.local.simulate import scenario_path
    from sre.platforms.simulation import SimulationRequest

    above_zero = {
        "rate_rps": "--rate",
        "duration_s": "--duration",
        "ttft_s": "--ttft",
        "tpot_s": "--inter-token",
        "scrape_interval_s": "--scrape-interval",
    }
    for name, option in above_zero.items():
        value = options.get(name)
        if value is not None and not 0 < value < float("inf"):
            raise SreError(f"{option} is {value:g}: give a number above 0")
    cv = options.get("burstiness_cv")
    if cv is not None and not 0 <= cv <= 20:
        raise SreError(f"--cv is {cv:g}: give 0 (a metronome) to 20")
    routing = options.get("routing")
    if routing is not None and routing not in (known := ("affinity", "least_outstanding", "round_robin")):
        raise SreError(f"--routing is {routing!r}: use one of {', '.join(known)}")
    zones = options.pop("zones", None)
    if zones is not None and not all(zone.strip() for zone in zones.split(",")):
        raise SreError(f"--zones {zones!r}: a zone has no name: write a,b,c")
    scenario = options.pop("scenario", None)
    faults = options.pop("faults", None) or ()
    return SimulationRequest(
        **options,
        scenario=None if scenario is None else scenario_path(scenario),
        zones=None if zones is None else tuple(zone.strip() for zone in zones.split(",")),
        faults=tuple(parse_fault(text) for text in faults),
    )


def with_experiment(request: SimulationRequest, path: Path | None) -> SimulationRequest:
    """The request with an experiment's faults, and with its load, replicas and clock where the request says nothing.
    Raises BadDocument for one whose faults the fleet model does not know.
    """
    if path is None:
        return request
    from sre.platforms.local.simulate import replica_facts
    from sre.reports.simulation.experiment import plan_of

    plan = plan_of(path, profile=request.profile, facts=replica_facts, replicas=request.replicas)
    own = plan.request
    if request.scenario is not None:
        return replace(request, faults=(*own.faults, *request.faults), zones=request.zones or own.zones)
    offered = ("trace", "workload")
    has_load = any(getattr(request, name) is not None for name in offered)
    changes = {
        one.name: getattr(own, one.name)
        for one in fields(own)
        if getattr(request, one.name) is None and not (has_load and one.name in (*offered, "rate_rps", "burstiness_cv"))
    }
    return replace(request, **changes, faults=(*own.faults, *request.faults))


def slos_of(paths: Sequence[Path] | None) -> tuple[Slo, ...]:
    """Those asked for; of slo/ in this folder, if it is there, without any."""
    from sre.slo.openslo import load_documents, load_slos, resolve

    if paths:
        return resolve(load_documents(tuple(paths)))
    return load_slos(Path("slo")) if Path("slo").is_dir() else ()


def book_of(path: Path | None) -> tuple[Price, ...]:
    """The price book of that path; the shipped ones for None."""
    from sre.cost.prices import load_book, shipped_prices

    return load_book(path) if path is not None else shipped_prices()


def print_table(table: Table) -> None:
    """A table on the terminal; one without rows says why."""
    typer.secho(f"\n{table.title}", bold=True)
    if not table.rows:
        typer.echo(table.empty)
        return
    print_aligned(table, cut=_cut)
