"""A backtest as JSON values, without its curves: what is unknown is null, with its reason beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sre.reports.backtest_view import tier_words
from sre.slo.backtest.model import Backtest, Detection, Episode, Label, Measured, Plan, Score, SloBacktest
from sre.slo.backtest.tune import Candidate, Tuning
from sre.slo.model import BurnTier, Severity

_COUNTS = ("name", "severity", "episodes", "true_episodes", "expected", "detected", "in_alert_s", "in_alert_share")
_MEASURED = (
    "precision",
    "recall",
    "detection_s",
    "worst_detection_s",
    "reset_s",
    "budget_spent",
    "worst_budget_spent",
    "false_per_week",
)
_OF_INCIDENT = ("delay_s", "reset_delay_s", "budget_spent", "cost")


def backtest_json(result: Backtest, tunings: Sequence[Tuning] = ()) -> dict[str, Any]:
    """Everything but the curves, as JSON values; what is unknown is null beside its reason."""
    return {
        "source": result.source,
        "plan": _plan(result.plan),
        "labels": [_label(label) for label in result.labels],
        "left_out": [{**_label(label), "reason": reason} for label, reason in result.left_out],
        "overall": [_score(score) for score in result.overall],
        "slos": [_slo(found) for found in result.slos],
        "tunings": [_tuning(tuning) for tuning in tunings],
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "start": plan.start,
        "end": plan.end,
        "step_s": plan.step_s,
        "convention": plan.convention,
        "drill_clock": plan.clock.factor,
        "grace_s": plan.grace,
    }


def _slo(found: SloBacktest) -> dict[str, Any]:
    return {
        "slo": found.slo.name,
        "target": found.slo.target,
        "reason": found.reason,
        "bad": found.bad,
        "total": found.total,
        "tiers": [_tier(tier) for tier in found.tiers],
        "skipped": [{"tier": tier.name, "reason": reason} for tier, reason in found.skipped],
        "scores": [_score(score) for score in found.scores],
        "sets": [_score(score) for score in found.sets],
        "episodes": [_episode(episode) for episode in found.episodes],
        "notes": list(found.notes),
    }


def _tier(tier: BurnTier) -> dict[str, Any]:
    return {**asdict(tier), "words": tier_words(tier)}


def _score(score: Score) -> dict[str, Any]:
    values = {name: getattr(score, name) for name in _COUNTS}
    for name in _MEASURED:
        values |= _measured(name, getattr(score, name))
    return {**values, "incidents": [_detection(d) for d in score.detections]}


def _detection(seen: Detection) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": seen.label.name,
        "start": seen.label.start,
        "outcome": seen.outcome,
        "why": seen.why,
        "detected_at": seen.detected_at,
        "episodes": seen.episodes,
    }
    for name in _OF_INCIDENT:
        values |= _measured(name, getattr(seen, name))
    return values


def _measured(name: str, measured: Measured) -> dict[str, Any]:
    return {name: measured.value} if measured.value is not None else {name: None, f"{name}_reason": measured.reason}


def _episode(episode: Episode) -> dict[str, Any]:
    return {**asdict(episode), "incidents": list(episode.incidents)}


def _label(label: Label) -> dict[str, Any]:
    return asdict(label)


def _tuning(tuning: Tuning) -> dict[str, Any]:
    return {
        "slo": tuning.slo.name,
        "objective": tuning.objective.text,
        "met": tuning.met,
        "tried": tuning.tried,
        "split_at": tuning.split_at,
        "warnings": list(tuning.warnings),
        "before": _candidate(tuning.before),
        "best": _candidate(tuning.best),
        "front": [_candidate(one) for one in tuning.front],
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "tiers": [_tier(tier) for tier in candidate.tiers],
        "train": _figures(candidate.train),
        "held_out": None if candidate.test is None else _figures(candidate.test),
    }


def _figures(scores: Mapping[Severity, Score]) -> dict[str, Any]:
    return {name: {k: v for k, v in _score(one).items() if k != "incidents"} for name, one in scores.items()}
