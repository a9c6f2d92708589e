"""The autoscaler's policy documents and the simulated comparison of them, in our own words and types."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from serving.errors import BadInput
from sre.platforms.local.errors import faults_one_by_one
from sre.platforms.scaling import FleetMoment, MinuteOfService, PolicyComparison, PolicyReading, PolicyRun

if TYPE_CHECKING:
    from serving.autoscale.model import MetricSpec, Policy, ScalingRules
    from serving.profiles import Profile
    from serving.simulator import FixedFleet, FleetRun, FleetSpec, Traffic

DEFAULT_COLD_START = (("process and CUDA context", 10.0), ("weights", 45.0), ("compilation", 20.0), ("warm-up", 15.0))
"""Planning figures for an 8B model from a local disk; a profile that states its own phases is believed instead."""
DEFAULT_RATE_RPS = 30.0
DEFAULT_DURATION_S = 3600.0
BINS = 60
_WARM_UP_S = 120.0
_LENGTHS = 5000


@dataclass(frozen=True, slots=True)
class CompareOptions:
    """What is compared on what. `policies` empty: the shipped ones. `trace` absent: the generated day."""

    profile: str
    policies: tuple[Path, ...] = ()
    baselines: bool = True
    trace: Path | None = None
    rate_rps: float | None = None
    duration_s: float | None = None
    seed: int = 1
    cold_start_s: float | None = None
    start_replicas: int | None = None
    ttft_s: float = 1.0
    inter_token_s: float = 0.05


def read_policy(path: Path) -> PolicyReading:
    """What the document will do. Raises BadDocument with a line for each fault."""
    from serving.autoscale import load_policy

    with faults_one_by_one():
        return _reading(load_policy(path))


def compare_policies(options: CompareOptions, *, on_progress: Callable[[str], None]) -> PolicyComparison:
    """Play every policy against the same traffic. Raises SreError for a bad document, trace or profile."""
    from serving.autoscale import load_policy, shipped_policies
    from serving.profiles import load
    from serving.simulator import sustained_rps

    with faults_one_by_one():
        policies = [load_policy(path) for path in options.policies or shipped_policies()]
        profile = load(options.profile)
        traffic = _traffic(options)
        spec = _fleet_spec(profile, options.cold_start_s)
        on_progress(f"{traffic.title}: {len(traffic.arrivals):,} requests")
        if refused := sum(not spec.takes(arrival) for arrival in traffic.arrivals):
            on_progress(f"{refused:,} requests are longer than the model takes: rejected by every policy")
        lengths = [(a.prompt_tokens, a.output_tokens) for a in traffic.arrivals[:_LENGTHS] if spec.takes(a)]
        if not lengths:
            raise BadInput(f"{traffic.title}: no request fits {profile.name}: choose another --trace or --profile")
        capacity = sustained_rps(spec, lengths, ttft_s=options.ttft_s, inter_token_s=options.inter_token_s)
        on_progress(f"one replica carries {capacity:.1f} requests/s")
        start = options.start_replicas or _replicas(_rate_at_start(traffic), capacity)
        contenders: list[Policy | FixedFleet] = [
            *_baselines(policies, traffic, capacity, wanted=options.baselines),
            *policies,
        ]
        runs = tuple(_run(spec, traffic, item, start, options, on_progress) for item in contenders)
    return PolicyComparison(
        traffic=traffic.title,
        profile=profile.name,
        profile_source=" ".join(profile.source.split()),
        gpu=profile.gpu,
        gpus_per_replica=profile.gpus_per_replica,
        duration_s=traffic.duration_s,
        requests=len(traffic.arrivals),
        mean_rps=traffic.mean_rps,
        peak_rps=traffic.peak_rps(),
        capacity_rps=capacity,
        start_replicas=start,
        cold_start=spec.cold_start,
        ttft_s=options.ttft_s,
        inter_token_s=options.inter_token_s,
        bin_s=traffic.duration_s / BINS,
        runs=runs,
    )


def _traffic(options: CompareOptions) -> Traffic:
    from serving.simulator import generated, thickened

    if options.trace is not None:
        return thickened(options.trace, rate_rps=options.rate_rps, duration_s=options.duration_s, seed=options.seed)
    return generated(
        rate_rps=options.rate_rps or DEFAULT_RATE_RPS,
        duration_s=options.duration_s or DEFAULT_DURATION_S,
        seed=options.seed,
    )


def _fleet_spec(profile: Profile, cold_start_s: float | None) -> FleetSpec:
    from serving.simulator import FleetSpec

    stated = tuple(profile.cold_start_s.items()) or DEFAULT_COLD_START
    phases = stated if cold_start_s is None else (("cold start", cold_start_s),)
    return FleetSpec(profile.scheduler, profile.step_time, phases)


def _rate_at_start(traffic: Traffic) -> float:
    window_s = min(_WARM_UP_S, traffic.duration_s)
    return sum(arrival.at_ns < window_s * 1e9 for arrival in traffic.arrivals) / window_s


def _replicas(rate_rps: float, capacity_rps: float) -> int:
    return max(1, math.ceil(rate_rps / capacity_rps))


def _baselines(
    policies: Sequence[Policy], traffic: Traffic, capacity_rps: float, *, wanted: bool
) -> tuple[FixedFleet, ...]:
    """The two ends: the least the policies would run, and enough for the busiest minute at its mean rate."""
    from serving.simulator import FixedFleet

    if not wanted:
        return ()
    least, most = min(p.min_replicas for p in policies), _replicas(traffic.peak_rps(), capacity_rps)
    return FixedFleet(f"fixed {least} (minimum)", least), FixedFleet(f"fixed {most} (peak)", most)


def _run(
    spec: FleetSpec,
    traffic: Traffic,
    scaling: Policy | FixedFleet,
    start: int,
    options: CompareOptions,
    on_progress: Callable[[str], None],
) -> PolicyRun:
    from serving.simulator import FixedFleet, score, simulate

    run = simulate(spec, traffic.arrivals, scaling, duration_s=traffic.duration_s, start_replicas=start)
    found = score(run, ttft_s=options.ttft_s, inter_token_s=options.inter_token_s)
    on_progress(f"{scaling.name}: {found.attainment:.2%} good, {found.replica_s / 3600:.2f} replica-hours")
    source = "" if isinstance(scaling, FixedFleet) else scaling.where
    return PolicyRun(
        name=Path(source).stem if source else scaling.name,
        source=source,
        is_baseline=not source,
        requests=found.requests,
        good=found.good,
        rejected=found.rejected,
        ttft_ok=found.ttft_ok,
        inter_token_ok=found.inter_token_ok,
        ttft_p50_s=found.ttft_p50_s,
        ttft_p99_s=found.ttft_p99_s,
        good_tokens=found.good_tokens,
        replica_s=found.replica_s,
        starting_s=found.starting_s,
        max_replicas=found.max_replicas,
        scale_events=found.scale_events,
        max_queue=found.max_queue,
        preemptions=found.preemptions,
        moments=tuple(
            FleetMoment(m.at_s, m.desired, m.ready, m.starting, m.waiting, m.limited_by) for m in run.moments
        ),
        service=_service(run, options),
    )


def _service(run: FleetRun, options: CompareOptions) -> tuple[MinuteOfService, ...]:
    from serving.simulator.score import is_good, quantile

    bin_s = run.duration_s / BINS
    bins: list[list[tuple[bool, float | None]]] = [[] for _ in range(BINS)]
    for served in run.served:
        good = is_good(served, ttft_s=options.ttft_s, inter_token_s=options.inter_token_s)
        bins[min(BINS - 1, int(served.arrival.at_ns / 1e9 / bin_s))].append((good, served.ttft_s))
    return tuple(
        MinuteOfService(
            at_s=index * bin_s,
            requests=len(entries),
            good_share=sum(good for good, _ in entries) / len(entries) if entries else None,
            ttft_p95_s=quantile(sorted(value for _, value in entries if value is not None), 0.95),
        )
        for index, entries in enumerate(bins)
    )


def _reading(policy: Policy) -> PolicyReading:
    lines = [("scales", f"{policy.scale_target}, {policy.min_replicas} to {policy.max_replicas} replicas")]
    lines += [("metric", _metric_in_words(metric)) for metric in policy.metrics]
    if len(policy.metrics) > 1:
        lines.append(("several", "the metric that asks for most wins; while one is unavailable nothing is scaled in"))
    lines += [
        ("scale out", _rules_in_words(policy.scale_up, "least")),
        ("scale in", _rules_in_words(policy.scale_down, "most")),
    ]
    if policy.surge_replicas:
        lines.append(
            ("surge", f"{policy.surge_replicas} spare above what the metrics ask for, to cover the cold start")
        )
    return PolicyReading(policy.name, policy.kind, policy.where, tuple(lines), _warnings(policy))


def _metric_in_words(metric: MetricSpec) -> str:
    target = f"{metric.target.milli / 1000:g}{' %' if metric.target.type == 'Utilization' else ''}"
    what = f"`{metric.query}`" if metric.query else metric.title
    how = {
        "Value": f"kept at {target}: replicas x value / {target}",
        "AverageValue": f"kept at {target} a replica",
        "Utilization": f"kept at {target} of the request",
    }[metric.target.type]
    return f"{what}, {how}"


def _rules_in_words(rules: ScalingRules, which: str) -> str:
    if rules.select == "Disabled":
        return "disabled"
    held = f"the {which} recommended in the last {rules.window_s} s" if rules.window_s else "at once"
    rates = [f"{p.value}{' %' if p.type == 'Percent' else ' replicas'} in {p.period_s} s" for p in rules.policies]
    joined = f" or {'the larger' if rules.select == 'Max' else 'the smaller'} of: ".join(["", ", ".join(rates)]).strip()
    rate = rates[0] if len(rates) == 1 else joined.removeprefix("or ")
    return f"{held}; at most {rate}; beyond {float(rules.tolerance) * 100:g} % of the target"


def _warnings(policy: Policy) -> tuple[str, ...]:
    from serving.autoscale.loop import require_answerable

    warnings = list(policy.notes)
    try:
        require_answerable(policy, None)
    except BadInput as error:
        warnings += str(error).splitlines()
    if policy.surge_replicas:
        warnings.append("sre.dev/surge-replicas is read by our autoscaler; a cluster's own HPA controller ignores it")
    return tuple(warnings)
