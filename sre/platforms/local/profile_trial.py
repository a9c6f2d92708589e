"""A GPU profile tried on request logs of vLLM: replayed with its step times as they are, and how far off that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sre.platforms.local.errors import serving_errors_as_ours
from sre.platforms.local.profile import compared, error_of, replay
from sre.platforms.profiles import ProfileTrial, TriedLog

if TYPE_CHECKING:
    from serving.profiles import Profile
    from serving.profiles.fitting import Run, Trial
    from serving.profiles.fitting.parts import PartName


@dataclass(frozen=True, slots=True)
class TrialOptions:
    """`part` None judges all requests, else the `first` or `last` `share` by arrival, or every second one (`odd`).

    `limits` says whose KV blocks and batch limits hold: the run's, or the profile's.
    """

    profile: str
    logs: tuple[Path, ...]
    part: PartName | None = None
    share: float = 0.5
    limits: Literal["run", "profile"] = "run"
    mean_pct: float = 5.0
    p99_pct: float = 8.0
    kv_blocks: int | None = None
    skip_bad: bool = False


def try_profile(options: TrialOptions, *, on_progress: Callable[[str], None]) -> ProfileTrial:
    """Replay each log with the profile. Raises SreError for an unknown profile and bad logs, one line a fault."""
    from serving.profiles import load
    from serving.profiles.fitting import read_run, worst

    with serving_errors_as_ours():
        profile = load(options.profile)
        blocks = options.kv_blocks or (profile.scheduler.kv_blocks if options.limits == "profile" else None)
        runs = [read_run(path, kv_blocks=blocks, skip_bad=options.skip_bad) for path in options.logs]
        trials = []
        for run in runs:
            on_progress(f"{run.title}: {len(run.log)} requests, {run.facts.gpu}")
            trials.append(_tried(run, profile, options))
    mean, p99 = (100 * max(worst(one.compared, statistic) for one in trials) for statistic in ("mean", "p99"))
    return ProfileTrial(
        profile=profile.name,
        error=error_of(profile),
        logs=tuple(_told(run, one, profile, options) for run, one in zip(runs, trials, strict=True)),
        mean_error_pct=round(mean, 2),
        p99_error_pct=round(p99, 2),
        mean_limit_pct=options.mean_pct,
        p99_limit_pct=options.p99_pct,
        within=mean <= options.mean_pct and p99 <= options.p99_pct,
    )


def _tried(run: Run, profile: Profile, options: TrialOptions) -> Trial:
    from serving.profiles.fitting import Part, try_run

    limits = run.facts.scheduler if options.limits == "run" else profile.scheduler
    part = Part(options.part, options.share, most=len(run.log)) if options.part else None
    return try_run(run, limits, profile.step_time, replay, part=part)


def _told(run: Run, tried: Trial, profile: Profile, options: TrialOptions) -> TriedLog:
    from serving.profiles.fitting import unlike

    return TriedLog(
        title=run.title,
        requests=len(run.log),
        skipped_lines=run.skipped,
        rate_rps=run.log.rate_rps,
        judged=tried.judged,
        preemptions=tried.preemptions,
        is_exact=tried.is_exact,
        compared=tuple(compared(one) for one in tried.compared),
        warnings=unlike(profile, run.facts),
        notes=_notes(run, tried, profile, options),
    )


def _notes(run: Run, tried: Trial, profile: Profile, options: TrialOptions) -> tuple[str, ...]:
    from serving.profiles.fitting import other_limits

    notes, others = [], other_limits(profile.scheduler, run.facts.scheduler)
    if others:
        notes.append(f"limits of the {options.limits} were used: {'; '.join(others)}")
    if run.facts.scheduler.enable_prefix_caching:
        notes.append(
            "prefix caching was on: a log does not say which prompts share a prefix, so no such hits are simulated"
        )
    if tried.forgets_preempted_blocks:
        notes.append(
            "who was preempted found nothing of itself in the prefix cache, where it would have in the engine, so "
            "simulated times are somewhat too long (a shorter log is replayed by the scheduler itself)"
        )
    return tuple(notes)
