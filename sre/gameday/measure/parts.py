"""The sections of the report: what each measures and simulates, and how long that should take."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from sre.cost.model import Price
from sre.gameday.measure.bench import Bench
from sre.gameday.measure.runs import measured_cold_start, measured_failover, measured_knee, measured_run
from sre.gameday.measure.sizes import (
    BATCHING_CLASS,
    BATCHING_RPS,
    CLASS_REPLICAS,
    CLASS_RPS,
    COLD_START_SCALE,
    FAILOVER_CLASS,
    FAILOVER_REPLICAS,
    FAILOVER_RPS,
    KNEE_CLASS,
    ROUTING_CLASS,
    ROUTING_RPS,
    ROUTINGS,
    Sizes,
    class_offer,
    knee_offer,
    settle_s,
    sizes_of,
)
from sre.gameday.measure.vllm import VLLM_RPS, VLLM_START_S, VLLM_WHAT, vllm_phases, vllm_run
from sre.platforms.local.autoscale import CompareOptions, compare_policies
from sre.platforms.local.closed_loop import simulated_level
from sre.platforms.local.parallelism import cuts, parallel_run
from sre.platforms.local.simulated_service import simulated_failover, simulated_run
from sre.platforms.local.work import cold_start_of, error_bar, work_class, work_classes
from sre.platforms.performance import Fleet, FleetRun, Offer
from sre.reports.performance.capacity_sections import autoscaling_section, knee_section, parallelism_section
from sre.reports.performance.failure_sections import Phases, cold_start_section, failover_section
from sre.reports.performance.model import Measured, RunOptions, Section, Simulated
from sre.reports.performance.service_sections import (
    Both,
    Origins,
    batching_section,
    classes_section,
    routing_section,
)

PARALLEL_MODEL, PARALLEL_GPU, PARALLEL_GPUS = "Llama-3-70B", "H100-80GB", 8
POLICY_RPS = 30.0
_RESTART_S = 3.5
"""What the simulator is told of a restart of a local replica (docs/benchmarks.md: platform up with one replica). Never
the measured one: what is simulated depends on nothing that was measured, or it could not be made again.
"""
_NO_GPUS = "measured: parallel GPUs are not emulated by processes, and this report knows no platform that has them"
_NO_HOUR = (
    "measured: in real time a policy needs hours; `sre up --autoscale-clock` quickens its windows, but neither the "
    "load nor a cold start, so a figure from there would be of neither clock. The autoscaler's code is the same in both"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a section is built from. `machine` is None where nothing is measured, `no_vllm` why the real engine is not
    (None: it is).
    """

    options: RunOptions
    bench: Bench
    machine: str | None
    no_vllm: str | None
    price_of: Callable[[str], Price]

    @property
    def sizes(self) -> Sizes:
        return sizes_of(quick=self.options.quick)

    def fleet(self, replicas: int) -> Fleet:
        return Fleet(self.options.profile, replicas, self.options.time_scale)

    def origins(self, what: str, *, with_vllm: bool = False) -> Origins:
        options = self.options
        measured = None
        if self.machine is not None:
            stretched = f", stretched {options.time_scale:g} times" if options.time_scale != 1 else ""
            measured = Measured(self.machine, f"{what}; emulated engine {options.profile}{stretched}")
        simulated = Simulated(options.profile, error_bar(options.profile))
        vllm = Measured(self.machine, VLLM_WHAT) if self.machine is not None and with_vllm else None
        return Origins(measured, simulated, vllm)

    def both(self, runs: Mapping[str, tuple[Fleet, Offer]]) -> Both:
        """Each run in the simulator, then each on the platform, where that is asked for: what is wrong with an offer or
        a profile is known in seconds that way.
        """
        simulated = self.simulated(runs)
        measured = tuple(
            measured_run(self.bench, fleet, offer, name)
            for name, (fleet, offer) in runs.items()
            if self.options.measured
        )
        return Both(measured, simulated)

    def simulated(self, runs: Mapping[str, tuple[Fleet, Offer]]) -> tuple[FleetRun, ...]:
        self.bench.pacing.step("simulate")
        found = tuple(simulated_run(fleet, offer) for fleet, offer in runs.values())
        self.bench.pacing.done(f"{len(found)} runs")
        return found


def classes(asked: Asked) -> Section:
    fleet, works = asked.fleet(CLASS_REPLICAS), work_classes()
    runs = {
        work.name: (
            fleet,
            class_offer(work.name, CLASS_RPS[work.name], asked.sizes.requests, fleet=fleet, seed=asked.options.seed),
        )
        for work in works
    }
    both = asked.both(runs)
    if asked.no_vllm is None:
        both = replace(both, vllm=(vllm_run(asked.bench, requests=asked.sizes.requests, seed=asked.options.seed),))
    origins = asked.origins(f"Triton and gateway, {CLASS_REPLICAS} replicas", with_vllm=asked.no_vllm is None)
    absent = () if asked.no_vllm is None else (f"real vLLM: {asked.no_vllm.removeprefix('vLLM: ')}",)
    return classes_section(works, both, origins, time_scale=asked.options.time_scale, absent=absent)


def knee(asked: Asked) -> Section:
    fleet, sizes, seed = asked.fleet(1), asked.sizes, asked.options.seed
    measured = measured_knee(asked.bench, fleet, sizes, seed=seed) if asked.options.measured else ()
    simulated = tuple(
        simulated_level(
            fleet,
            knee_offer(level, seed=seed + level),
            settle_s=settle_s(level) * fleet.time_scale,
            window_s=sizes.knee_window_s * fleet.time_scale,
        )
        for level in sizes.knee_levels
    )
    origins = asked.origins("Triton and gateway, one replica")
    return knee_section(measured, simulated, origins, work=work_class(KNEE_CLASS), time_scale=asked.options.time_scale)


def routing(asked: Asked) -> Section:
    base = asked.fleet(CLASS_REPLICAS)
    offer = class_offer(ROUTING_CLASS, ROUTING_RPS, asked.sizes.requests, fleet=base, seed=asked.options.seed)
    both = asked.both({f"routing-{name}": (replace(base, routing=name), offer) for name in ROUTINGS})
    origins = asked.origins(f"Triton and gateway, {CLASS_REPLICAS} replicas")
    return routing_section(ROUTINGS, both, origins, work=work_class(ROUTING_CLASS), time_scale=asked.options.time_scale)


def batching(asked: Asked) -> Section:
    """The simulator plays the whole grid with enough requests, the platform a part of it with few."""
    sizes, base = asked.sizes, asked.fleet(1)

    def runs(grid: tuple[tuple[int, int], ...], requests: int) -> dict[str, tuple[Fleet, Offer]]:
        offer = class_offer(BATCHING_CLASS, BATCHING_RPS, requests, fleet=base, seed=asked.options.seed)
        return {
            f"batching-{seqs}-{budget}": (replace(base, max_num_seqs=seqs, max_num_batched_tokens=budget), offer)
            for seqs, budget in grid
        }

    few = runs(sizes.batching_measured, sizes.batching_requests)
    simulated = asked.simulated(runs(sizes.batching_grid, sizes.requests))
    twins = asked.both(few) if asked.options.measured else Both()
    return batching_section(
        Both(twins.measured, simulated),
        twins.simulated,
        asked.origins("Triton and gateway, one replica"),
        work=work_class(BATCHING_CLASS),
        time_scale=asked.options.time_scale,
        rate_rps=BATCHING_RPS,
    )


def parallelism(asked: Asked) -> Section:
    found = cuts(PARALLEL_MODEL, PARALLEL_GPU, PARALLEL_GPUS)
    asked.bench.pacing.step("simulate: the highest rate of each cut")
    note = asked.bench.pacing.note
    runs = [
        parallel_run(cut, "chat", seed=asked.options.seed, requests=asked.sizes.requests, on_progress=note)
        for cut in found
    ]
    asked.bench.pacing.done(f"{len(runs)} cuts")
    bars = "; ".join(dict.fromkeys(error_bar(cut.profile) for cut in found))
    origin = Simulated(", ".join(cut.profile for cut in found), bars)
    absent = [_NO_GPUS]
    if all(cut.pipeline == 1 for cut in found):
        absent.append(f"pipeline parallelism: no profile of {PARALLEL_MODEL} on {PARALLEL_GPU} has it")
    return parallelism_section(runs, origin, work=work_class("chat"), gpus=PARALLEL_GPUS, absent=absent)


def autoscaling(asked: Asked) -> Section:
    options = CompareOptions(
        profile=asked.options.profile, rate_rps=POLICY_RPS, duration_s=asked.sizes.policy_s, seed=asked.options.seed
    )
    asked.bench.pacing.step("simulate: policies on the same traffic")
    found = compare_policies(options, on_progress=asked.bench.pacing.note)
    asked.bench.pacing.done(f"{len(found.runs)} policies")
    origin = Simulated(asked.options.profile, error_bar(asked.options.profile))
    return autoscaling_section(found, asked.price_of(found.gpu), origin, absent=(_NO_HOUR,))


def cold_start(asked: Asked) -> Section:
    measured: Mapping[str, float] = {}
    if asked.options.measured:
        measured = measured_cold_start(asked.bench, asked.fleet(1), cold_start_scale=COLD_START_SCALE)
    vllm: Mapping[str, float] = vllm_phases(asked.bench) if asked.no_vllm is None else {}
    absent = () if asked.no_vllm is None else (f"real vLLM: {asked.no_vllm.removeprefix('vLLM: ')}",)
    return cold_start_section(
        Phases(measured, vllm, cold_start_of(asked.options.profile)),
        asked.origins("a Triton replica of the local platform", with_vllm=asked.no_vllm is None),
        cold_start_scale=COLD_START_SCALE,
        absent=absent,
    )


def failover(asked: Asked) -> Section:
    fleet, sizes = asked.fleet(FAILOVER_REPLICAS), asked.sizes
    requests = round(FAILOVER_RPS * sizes.failover_s)
    offer = class_offer(FAILOVER_CLASS, FAILOVER_RPS, requests, fleet=fleet, seed=asked.options.seed)
    kill_after_s = sizes.kill_after_s * fleet.time_scale
    simulated = simulated_failover(fleet, offer, kill_after_s=kill_after_s, restart_s=_RESTART_S)
    measured = None
    if asked.options.measured:
        measured = measured_failover(asked.bench, fleet, offer, kill_after_s=kill_after_s)
    return failover_section(
        measured,
        simulated,
        asked.origins(f"Triton and gateway, {FAILOVER_REPLICAS} replicas"),
        replicas=FAILOVER_REPLICAS,
        restart_s=_RESTART_S,
        time_scale=asked.options.time_scale,
    )


@dataclass(frozen=True, slots=True)
class Part:
    """One section: what it is called while it is made, and how."""

    title: str
    build: Callable[[Asked], Section]


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "classes": Part("SLO attainment by class", classes),
        "knee": Part("throughput against concurrency", knee),
        "routing": Part("prefix routing", routing),
        "batching": Part("batching knobs", batching),
        "failover": Part("failover", failover),
        "cold_start": Part("cold start", cold_start),
        "parallelism": Part("parallelism", parallelism),
        "autoscaling": Part("autoscaling policies", autoscaling),
    }
)
_PLATFORM_S = 9.0


def expected_s(key: str, options: RunOptions, *, with_vllm: bool = False) -> float:
    """About how long a section takes on two cores: loads by their own length, the rest as seen."""
    sizes, scale = sizes_of(quick=options.quick), options.time_scale
    load_s = {
        "classes": sum(sizes.requests / rps for rps in CLASS_RPS.values()) * scale + 3 * _PLATFORM_S,
        "knee": sum(settle_s(level) + sizes.knee_window_s for level in sizes.knee_levels) * scale + _PLATFORM_S,
        "routing": 3 * (sizes.requests / ROUTING_RPS * scale + _PLATFORM_S),
        "batching": len(sizes.batching_measured) * (sizes.batching_requests / BATCHING_RPS * scale + _PLATFORM_S),
        "failover": sizes.failover_s * scale + 2 * _PLATFORM_S,
        "cold_start": 2 * _PLATFORM_S,
    }.get(key, 0.0)
    simulated_s = {"parallelism": 25.0, "autoscaling": sizes.policy_s / 15}.get(key, 5.0)
    vllm_s = {"classes": VLLM_START_S + sizes.requests / VLLM_RPS, "cold_start": VLLM_START_S}
    load_s += vllm_s.get(key, 0.0) * with_vllm
    return load_s * options.measured + simulated_s
