"""From a scenario's document to the scenario: profiles, policy and trace are read, what cannot be is refused.

Whether faults can be meant, the fleet itself says (`serving.simulator.validate`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from serving.autoscale import load_policy
from serving.batching import SchedulerConfig
from serving.errors import BadInput
from serving.profiles import Profile, load, read_profile
from serving.simulator.columns import Workload
from serving.simulator.scenario import FleetFault, GatewayRules, ReplicaGroup, Scenario
from serving.simulator.scenario_file import ClassSection, GroupSection, ScenarioDocument, WorkloadSection
from serving.simulator.trace_workload import trace_traffic
from serving.simulator.workloads import ClassLoad, class_workload, columns, day_workload, known_class, mixed

DEFAULT_RATE_RPS = 10.0
DEFAULT_DURATION_S = 3600.0


@dataclass(frozen=True, slots=True)
class Built:
    """The scenario and what a reader should know of how it came about. `profiles` are one a group."""

    scenario: Scenario
    profiles: tuple[Profile, ...]
    skipped_rows: int
    notes: tuple[str, ...]


def build_scenario(document: ScenarioDocument, *, folder: Path, keep_samples: bool = True) -> Built:
    """`folder` is what the document's paths are relative to. Raises BadInput: one line, or one for each bad fault."""
    profiles = tuple(profile_of(group.profile, folder) for group in document.groups)
    groups = tuple(_group(section, profile) for section, profile in zip(document.groups, profiles, strict=True))
    offered = _workload(document, folder, block_tokens=groups[0].scheduler.block_size_tokens)
    scenario = Scenario(
        title=document.title,
        groups=groups,
        workload=offered.workload,
        duration_s=offered.duration_s,
        gateway=GatewayRules(**{name: getattr(document.gateway, name) for name in type(document.gateway).model_fields}),
        policy=None if document.policy is None else load_policy(folder / document.policy),
        faults=tuple(
            FleetFault(fault.kind, fault.at_s, fault.duration_s, fault.target, fault.value) for fault in document.faults
        ),
        seed=document.seed,
        scrape_interval_s=document.scrape_interval_s,
        sync_period_s=document.sync_period_s,
        keep_samples=keep_samples,
        unhealthy_restart_s=document.unhealthy_restart_s,
        ttft_threshold_s=document.thresholds.ttft_s,
        tpot_threshold_s=document.thresholds.tpot_s,
    )
    return Built(scenario, profiles, offered.skipped, _notes(scenario, offered))


def profile_of(name: str, folder: Path) -> Profile:
    """A shipped one by name, or a file. Raises BadInput."""
    return read_profile(folder / name) if is_file_name(name) else load(name)


def is_file_name(profile: str) -> bool:
    """Whether a profile is named by its file instead of by name."""
    return profile.endswith((".yaml", ".yml")) or "/" in profile


def _group(section: GroupSection, profile: Profile) -> ReplicaGroup:
    phases = tuple(profile.cold_start_s.items())
    if section.cold_start_s is not None:
        phases = (("cold start", section.cold_start_s),)
    if section.cold_start is not None:
        phases = tuple(section.cold_start.items())
    return ReplicaGroup(
        name=section.name,
        profile=profile.name,
        gpu=profile.gpu,
        gpus=profile.gpus_per_replica,
        scheduler=_scheduler(section, profile),
        step_time=profile.step_time,
        cold_start=phases,
        count=section.count,
        zones=tuple(section.zones),
        spot=section.spot,
    )


def _scheduler(section: GroupSection, profile: Profile) -> SchedulerConfig:
    own = profile.scheduler
    budget = section.max_num_batched_tokens or own.max_num_batched_tokens
    seqs = section.max_num_seqs or min(own.max_num_seqs, budget)
    length = section.max_model_len or own.max_model_len
    if seqs > budget:
        raise BadInput(
            f"group {section.name}: max_num_seqs {seqs} exceeds max_num_batched_tokens {budget}: every running "
            f"sequence needs one token a step: raise the budget or lower max_num_seqs"
        )
    if length > (held := own.kv_blocks * own.block_size_tokens):
        raise BadInput(
            f"group {section.name}: max_model_len {length:,} exceeds the {held:,} tokens that {profile.name}'s KV "
            f"cache holds: lower it, or take a profile with more or larger GPUs"
        )
    caching = own.enable_prefix_caching if section.enable_prefix_caching is None else section.enable_prefix_caching
    return replace(
        own,
        max_num_seqs=seqs,
        max_num_batched_tokens=budget,
        max_model_len=length,
        enable_prefix_caching=caching,
    )


@dataclass(frozen=True, slots=True)
class _Offered:
    workload: Workload
    duration_s: float
    skipped: int = 0


def _workload(document: ScenarioDocument, folder: Path, *, block_tokens: int) -> _Offered:
    section, seed = document.workload, document.seed
    if section.trace is not None:
        traffic = trace_traffic(
            folder / section.trace,
            rate_rps=section.rate_rps,
            duration_s=document.duration_s,
            seed=seed,
            skip_bad_rows=section.skip_bad_rows,
        )
        rows = traffic.rows[: section.requests]
        return _Offered(columns(traffic.title, rows, block_tokens), traffic.duration_s, traffic.skipped)
    duration_s = document.duration_s or DEFAULT_DURATION_S
    if section.generated == "day":
        rate_rps = section.rate_rps or DEFAULT_RATE_RPS
        return _Offered(
            first(day_workload(rate_rps=rate_rps, duration_s=duration_s, seed=seed), section.requests), duration_s
        )
    loads = _loads(section)
    workload = class_workload(
        loads, duration_s=duration_s, seed=seed, block_tokens=block_tokens, requests=section.requests
    )
    return _Offered(workload, duration_s)


def _loads(section: WorkloadSection) -> tuple[ClassLoad, ...]:
    cv = 1.0 if section.cv is None else section.cv
    if section.classes:
        return tuple(_load(one) for one in section.classes)
    if section.generated == "mixed" or section.generated is None:
        return mixed(rate_rps=section.rate_rps, cv=cv)
    return (known_class(section.generated, rate_rps=section.rate_rps or DEFAULT_RATE_RPS, cv=cv),)


def _load(one: ClassSection) -> ClassLoad:
    if one.prompt_tokens is not None and one.output_tokens is not None:
        return ClassLoad(
            one.name, one.prompt_tokens, one.output_tokens, one.rate_rps, one.cv, one.priority, one.prefixes
        )
    known = known_class(one.name, rate_rps=one.rate_rps, cv=one.cv, priority=one.priority)
    return replace(
        known,
        prompt_tokens=one.prompt_tokens or known.prompt_tokens,
        output_tokens=one.output_tokens or known.output_tokens,
        prefixes=one.prefixes or known.prefixes,
    )


def first(workload: Workload, requests: int | None) -> Workload:
    """Its first `requests`; all of them for None."""
    if requests is None or requests >= len(workload):
        return workload
    return replace(
        workload,
        at_ns=workload.at_ns[:requests],
        prompt_tokens=workload.prompt_tokens[:requests],
        output_tokens=workload.output_tokens[:requests],
        priority=workload.priority[:requests],
        klass=workload.klass[:requests],
        prefix=None if workload.prefix is None else workload.prefix[:requests],
    )


def _notes(scenario: Scenario, offered: _Offered) -> tuple[str, ...]:
    workload = scenario.workload
    notes = []
    if offered.skipped:
        notes.append(f"{offered.skipped:,} bad rows of the trace were left out (--skip-bad-rows)")
    most = max(_most_tokens(group.scheduler) for group in scenario.groups)
    too_long = int((workload.prompt_tokens.astype("int64") + workload.output_tokens > most).sum())
    if too_long == len(workload):
        raise BadInput(
            f"{workload.title}: no request fits a replica ({most:,} tokens at most): choose another trace or profile"
        )
    if too_long:
        notes.append(f"{too_long:,} requests are longer than any replica takes ({most:,} tokens): refused as invalid")
    return tuple(notes)


def _most_tokens(config: SchedulerConfig) -> int:
    return min(config.max_model_len, config.kv_blocks * config.block_size_tokens)


def shortened(document: ScenarioDocument, share: float) -> ScenarioDocument:
    """The first `share` of a scenario whose duration is stated; faults that begin later are left out."""
    if document.duration_s is None:
        raise BadInput("a scenario without duration_s has no share: state it")
    duration_s = float(math.ceil(document.duration_s * share))
    kept = [fault for fault in document.faults if fault.at_s < duration_s]
    return document.model_copy(update={"duration_s": duration_s, "faults": kept})
