"""GPU profiles for the command line: listed, shown, and fitted to the request logs of a vLLM run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sre.platforms.local.errors import serving_errors_as_ours
from sre.platforms.profiles import Compared, ErrorStated, FittedLog, ProfileEntry, ProfileFit, ProfileShown, StepTimes

if TYPE_CHECKING:
    from serving.batching import SchedulerConfig, StepTimeModel
    from serving.profiles import Profile
    from serving.profiles.fitting import Comparison, ReplayTimes, RequestLog, Run, TestedRun
    from serving.profiles.fitting.parts import PartName

_SEQUENCES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_CONTEXTS = (0, 1000, 4000, 16_000)
_TOKENS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
_MIXED_DECODES = 32


def list_profiles(*, with_refused: bool = False) -> list[ProfileEntry]:
    """Every profile that can be used, by name; with those of the family that do not fit their GPUs when asked."""
    from serving.profiles import load, profile_names
    from serving.profiles.capacity import shortfall
    from serving.profiles.family import members

    with serving_errors_as_ours():
        found = [_entry(load(name)) for name in profile_names()]
    refused = [
        ProfileEntry(
            name=member.name,
            model=member.model.title,
            gpu=member.gpu.title,
            gpus=member.memory.gpus,
            tensor_parallel=member.tensor_parallel,
            pipeline_parallel=member.pipeline_parallel,
            refusal=reason,
        )
        for member in (members() if with_refused else [])
        if (reason := shortfall(member.capacity)) is not None
    ]
    return sorted(found + refused, key=lambda entry: entry.name)


def show_profile(name: str) -> ProfileShown:
    """One profile, by name or file. Raises SreError for an unknown one and for one that does not fit its GPUs."""
    from serving.profiles import describe_capacity, load

    with serving_errors_as_ours():
        profile = load(name)
        lines = [(label, value) for label, value in describe_capacity(profile) if label != "source"]
    overhead = profile.step_time.request_overhead_ms
    lines += [("request overhead", f"{overhead:g} ms from arrival to the replica's queue")] if overhead else []
    return ProfileShown(
        entry=_entry(profile),
        quantization=profile.quantization,
        source=" ".join(profile.source.split()),
        lines=(*lines, *_pipeline_lines(profile)),
        steps=_steps(profile),
    )


def _entry(profile: Profile) -> ProfileEntry:
    times, limits = profile.step_time, profile.scheduler
    return ProfileEntry(
        name=profile.name,
        model=profile.model,
        gpu=profile.gpu,
        gpus=profile.gpus_per_replica,
        tensor_parallel=profile.tensor_parallel,
        pipeline_parallel=profile.pipeline_parallel,
        kv_tokens=limits.kv_blocks * limits.block_size_tokens,
        max_model_len=limits.max_model_len,
        decode_1_ms=_ms(times, 1, 0),
        decode_64_ms=_ms(times, 64, 0),
        prefill_ms=_ms(times, 0, limits.max_num_batched_tokens),
        error=error_of(profile),
    )


def error_of(profile: Profile) -> ErrorStated:
    """What the profile says of its own errors."""
    bars = profile.error
    if bars is None:
        return ErrorStated("not stated", "unknown")
    return ErrorStated(
        bars.in_words(), bars.basis, bars.step_time_pct, bars.mean_pct, bars.p99_pct, " ".join(bars.outside.split())
    )


def _pipeline_lines(profile: Profile) -> list[tuple[str, str]]:
    gain = profile.pipeline
    if gain is None:
        return []
    return [
        ("pipeline", f"{gain.stages} stages: {gain.latency_ms:.2f} ms more a step for the hand-overs"),
        (
            "throughput",
            f"x {gain.decode_throughput:.2f} of a full decode step, x {gain.prefill_throughput:.2f} of a full prefill: "
            "formula in serving/profiles/roofline.py",
        ),
    ]


def _ms(times: StepTimeModel, decodes: int, prefill: int, context: int = 0) -> float:
    seconds = times.duration_of_s(decode_seqs=decodes, prefill_tokens=prefill, context_tokens=context)
    return round(seconds * 1000, 4)


def _steps(profile: Profile) -> StepTimes:
    times, limits = profile.step_time, profile.scheduler
    sequences = tuple(n for n in _SEQUENCES if n <= limits.max_num_seqs)
    contexts = tuple(context for context in _CONTEXTS if context < limits.max_model_len)
    tokens = tuple(n for n in _TOKENS if n <= limits.max_num_batched_tokens)
    decodes = min(_MIXED_DECODES, limits.max_num_seqs)
    return StepTimes(
        sequences=sequences,
        contexts_tokens=contexts,
        decode_ms=tuple(tuple(_ms(times, n, 0, n * context) for context in contexts) for n in sequences),
        tokens=tokens,
        prefill_ms=tuple(_ms(times, 0, n) for n in tokens),
        mixed_ms=tuple(_ms(times, decodes, n) for n in tokens),
        mixed_decodes=decodes,
    )


@dataclass(frozen=True, slots=True)
class FitOptions:
    """`part` is which requests may be looked at: `first` or `last` `share` by arrival, or `odd`, every second one.

    `odd` sees every phase of a run, and its test is of other requests under the same load; `first` has to foretell a
    load that it has not seen, which a log whose first half is all of one kind cannot teach.
    """

    logs: tuple[Path, ...]
    name: str
    part: PartName = "odd"
    share: float = 0.5
    kv_blocks: int | None = None
    skip_bad: bool = False


def fit_profile(options: FitOptions, *, on_progress: Callable[[str], None]) -> ProfileFit:
    """Fit a profile to logs of one engine. Raises SreError for bad logs, one line a fault."""
    from serving.profiles.fitting import FitSettings, Part, fit, profile_document, rate_in_words, read_run

    with serving_errors_as_ours():
        runs = [read_run(path, kv_blocks=options.kv_blocks, skip_bad=options.skip_bad) for path in options.logs]
        for run in runs:
            on_progress(f"{run.title}: {len(run.log)} requests {rate_in_words(run.log.rate_rps)}, {run.facts.gpu}")
        found = fit(runs, FitSettings(Part(options.part, options.share)), replay, on_progress=on_progress)
    return ProfileFit(
        name=options.name,
        document=profile_document(options.name, runs, found),
        parameters=found.parameters.rounded(),
        logs=tuple(_fitted(run, tested) for run, tested in zip(runs, found.runs, strict=True)),
        mean_error_pct=round(found.mean_error * 100, 2),
        p99_error_pct=round(found.p99_error * 100, 2),
        evaluations=found.evaluations,
        notes=_notes(runs),
    )


def replay(log: RequestLog, scheduler: SchedulerConfig, step_time: StepTimeModel, *, exact: bool) -> ReplayTimes:
    """The log's requests through the simulator's replica: the fast one, or the scheduler itself."""
    from serving.profiles.fitting import ReplayTimes
    from serving.simulator.log_replay import LogReplay

    served = LogReplay(scheduler, step_time, exact=exact)
    first_s, last_s = served.serve(log.arrival_s, log.prompt_tokens, log.output_tokens)
    return ReplayTimes(first_s, last_s, served.preemptions)


def profile_from_tables(name: str, *, model: str, system: str, tensor: int, pipeline: int, python: str) -> str:
    """A profile's file from the tables of aiconfigurator-core, in the environment of the interpreter `python`.

    Raises SreError for what it has no tables for, EnvironmentLacks without the package.
    """
    from serving.profiles.aiconfigurator import Tables, document_from_tables

    with serving_errors_as_ours():
        return document_from_tables(name, Tables(model, system, tensor, pipeline, python))


def _fitted(run: Run, tested: TestedRun) -> FittedLog:
    return FittedLog(
        title=tested.title,
        requests=tested.requests,
        skipped_lines=run.skipped,
        rate_rps=tested.rate_rps,
        part=tested.part,
        preemptions=tested.preemptions,
        fitted=tuple(compared(one) for one in tested.fitted),
        tested=tuple(compared(one) for one in tested.tested),
    )


def compared(one: Comparison) -> Compared:
    """A statistic in our own type."""
    return Compared(one.measure, one.statistic, one.measured, one.simulated, round(one.error * 100, 2))


def _notes(runs: list[Run]) -> tuple[str, ...]:
    notes = []
    if any(run.facts.scheduler.enable_prefix_caching for run in runs):
        notes.append(
            "prefix caching was on: a log does not say which prompts share a prefix, so such hits count as a faster "
            "prefill; blocks a preempted request finds again are simulated"
        )
    if any(len(run.log) < 200 for run in runs):
        notes.append("fewer than 200 requests: a p99 of the tested part is one or two of them")
    return tuple(notes)
