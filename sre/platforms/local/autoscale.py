"""The autoscaler's policy documents and the simulated comparison of them, in our own words and types."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from serving.errors import BadInput
from sre.platforms.local.errors import faults_one_by_one
from sre.platforms.scaling import FleetMoment, MinuteOfService, PolicyComparison, PolicyReading, PolicyRun

if TYPE_CHECKING:
    from serving.autoscale.model import MetricSpec, Policy, ScalingRules
    from serving.profiles import Profile
    from serving.simulator import FleetResult, ReplicaGroup, Traffic

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
    skip_bad_rows: bool = False
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
        group = _group(profile, options.cold_start_s)
        on_progress(f"{traffic.title}: {len(traffic.arrivals):,} requests")
        most = group.longest_tokens
        if refused := sum(a.prompt_tokens + a.output_tokens > most for a in traffic.arrivals):
            on_progress(f"{refused:,} requests are longer than the model takes: refused under every policy")
        lengths = [(a.prompt_tokens, a.output_tokens) for a in traffic.arrivals[:_LENGTHS]]
        lengths = [pair for pair in lengths if sum(pair) <= most]
        if not lengths:
            raise BadInput(f"{traffic.title}: no request fits {profile.name}: choose another --trace or --profile")
        capacity = sustained_rps(group, lengths, ttft_s=options.ttft_s, tpot_s=options.inter_token_s)
        on_progress(f"one replica carries {capacity:.1f} requests/s")
        start = options.start_replicas or _replicas(_rate_at_start(traffic), capacity)
        contenders = [
            *_baselines(policies, traffic, capacity, wanted=options.baselines),
            *(_Contender(policy.name, _within(start, policy), policy) for policy in policies),
        ]
        runs = tuple(_run(group, traffic, item, options, on_progress) for item in contenders)
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
        cold_start=group.cold_start,
        ttft_s=options.ttft_s,
        inter_token_s=options.inter_token_s,
        bin_s=traffic.duration_s / BINS,
        runs=runs,
    )


def _traffic(options: CompareOptions) -> Traffic:
    from serving.simulator import generated, thickened

    if options.trace is not None:
        return thickened(
            options.trace,
            rate_rps=options.rate_rps,
            duration_s=options.duration_s,
            seed=options.seed,
            skip_bad_rows=options.skip_bad_rows,
        )
    return generated(
        rate_rps=options.rate_rps or DEFAULT_RATE_RPS,
        duration_s=options.duration_s or DEFAULT_DURATION_S,
        seed=options.seed,
    )


def _group(profile: Profile, cold_start_s: float | None) -> ReplicaGroup:
    from serving.simulator import ReplicaGroup

    stated = tuple(profile.cold_start_s.items()) or DEFAULT_COLD_START
    phases = stated if cold_start_s is None else (("cold start", cold_start_s),)
    return ReplicaGroup(
        name="llm",
        profile=profile.name,
        gpu=profile.gpu,
        gpus=profile.gpus_per_replica,
        scheduler=profile.scheduler,
        step_time=profile.step_time,
        cold_start=phases,
        count=1,
    )


@dataclass(frozen=True, slots=True)
class _Contender:
    """Replicas at the start, and what changes their number; None: nothing."""

    name: str
    replicas: int
    policy: Policy | None = None


def _within(start: int, policy: Policy) -> int:
    return min(max(start, policy.min_replicas), policy.max_replicas)


def _rate_at_start(traffic: Traffic) -> float:
    window_s = min(_WARM_UP_S, traffic.duration_s)
    return sum(arrival.at_ns < window_s * 1e9 for arrival in traffic.arrivals) / window_s


def _replicas(rate_rps: float, capacity_rps: float) -> int:
    return max(1, math.ceil(rate_rps / capacity_rps))


def _baselines(
    policies: Sequence[Policy], traffic: Traffic, capacity_rps: float, *, wanted: bool
) -> tuple[_Contender, ...]:
    """The two ends: the least the policies would run, and enough for the busiest minute at its mean rate."""
    if not wanted:
        return ()
    least, most = min(p.min_replicas for p in policies), _replicas(traffic.peak_rps(), capacity_rps)
    return _Contender(f"fixed {least} (minimum)", least), _Contender(f"fixed {most} (peak)", most)


def _run(
    group: ReplicaGroup,
    traffic: Traffic,
    contender: _Contender,
    options: CompareOptions,
    on_progress: Callable[[str], None],
) -> PolicyRun:
    from serving.simulator import Scenario, run_fleet, score

    scenario = Scenario(
        title=contender.name,
        groups=(replace(group, count=contender.replicas),),
        workload=traffic.workload,
        duration_s=traffic.duration_s,
        policy=contender.policy,
        ttft_threshold_s=options.ttft_s,
        tpot_threshold_s=options.inter_token_s,
    )
    run = run_fleet(scenario)
    found = score(run)
    served, good_share = found.overall, found.overall.good / max(1, found.overall.requests)
    on_progress(f"{contender.name}: {good_share:.2%} good, {found.replica_s / 3600:.2f} replica-hours")
    source = "" if contender.policy is None else contender.policy.where
    return PolicyRun(
        name=Path(source).stem if source else contender.name,
        source=source,
        is_baseline=not source,
        requests=served.requests,
        good=served.good,
        rejected=served.requests - served.count("ok"),
        ttft_ok=served.ttft_ok * served.counted / max(1, served.requests),
        inter_token_ok=served.tpot_ok * served.counted / max(1, served.requests),
        ttft_p50_s=served.ttft.p50,
        ttft_p99_s=served.ttft.p99,
        good_tokens=served.good_tokens,
        replica_s=found.replica_s,
        starting_s=found.starting_s,
        max_replicas=found.max_replicas,
        scale_events=found.scale_events,
        max_queue=found.max_queue,
        preemptions=found.preemptions,
        moments=tuple(
            FleetMoment(m.at_s, m.desired, m.ready, m.starting, m.waiting, m.limited_by) for m in run.moments
        ),
        service=_service(run),
    )


def _service(run: FleetResult) -> tuple[MinuteOfService, ...]:
    from serving.simulator.score import percentiles, service_of

    scenario = run.scenario
    bin_s = scenario.duration_s / BINS
    service = service_of(
        scenario.workload, run.outcomes, ttft_s=scenario.ttft_threshold_s, tpot_s=scenario.tpot_threshold_s
    )
    bins = (scenario.workload.at_ns / 1e9 / bin_s).astype(int).clip(0, BINS - 1)
    return tuple(
        MinuteOfService(
            at_s=index * bin_s,
            requests=int(chosen.sum()),
            good_share=float(service.good[chosen].mean()) if chosen.any() else None,
            ttft_p95_s=percentiles(service.ttft_s[chosen]).p95,
        )
        for index in range(BINS)
        for chosen in [bins == index]
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
