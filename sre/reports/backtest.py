"""A backtest as files: one page with its charts inside, everything as JSON, the episodes as CSV, one picture.

All are made before the first is written, and each is whole or absent.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sre.errors import EnvironmentLacks
from sre.reports.atomic import write_text
from sre.reports.backtest_chart import overview_chart, slo_chart, tuning_chart, write_png
from sre.reports.backtest_view import (
    DEFINITIONS,
    incidents_table,
    missed_lines,
    overall_table,
    plan_words,
    scores_table,
    summary,
    tier_words,
    tuning_table,
)
from sre.reports.formats import date_time
from sre.slo.backtest.model import Backtest, Episode, Label, Measured, Plan, Score, SloBacktest
from sre.slo.backtest.tune import Candidate, Tuning
from sre.slo.model import BurnTier

MOST_DRAWN = 12
MOST_STRIPS = 40


def write_backtest(
    result: Backtest, folder: Path, tunings: Sequence[Tuning] = (), policies: Sequence[str] = ()
) -> tuple[Path, ...]:
    """`backtest.html`, `.json`, `.png` and `episodes.csv` in `folder`, which is made. `policies`: one a tuning."""
    html = render(result, tunings, policies)
    data = json.dumps(backtest_json(result, tunings), indent=1, allow_nan=False) + "\n"
    table = episodes_csv(result)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(
            f"{folder}: no folder can be made there ({error.strerror}): choose another --out"
        ) from error
    paths = tuple(folder / name for name in ("backtest.html", "backtest.json", "episodes.csv"))
    for path, text in zip(paths, (html, data, table), strict=True):
        write_text(path, text)
    picture = folder / "backtest.png"
    write_png(result, ranked(result)[:MOST_STRIPS], picture)
    return (*paths, picture)


def ranked(result: Backtest) -> list[SloBacktest]:
    """SLOs by how much there is to see: missed incidents first, then episodes; equals in the documents' order."""
    return sorted(
        result.slos,
        key=lambda found: (
            -sum(len(score.missed) for score in found.sets),
            -sum(score.episodes for score in found.sets if score.severity == "page"),
            found.reason is not None,
        ),
    )


def render(result: Backtest, tunings: Sequence[Tuning] = (), policies: Sequence[str] = ()) -> str:
    """One HTML file: charts inside, no script, no network."""
    environment = Environment(loader=PackageLoader("sre.reports"), autoescape=True, undefined=StrictUndefined)
    css = resources.files("sre.reports").joinpath("templates/report.css").read_text("utf-8")
    order = ranked(result)
    drawn = order[:MOST_DRAWN]
    notes = []
    if len(order) > MOST_DRAWN:
        notes.append(
            f"Charts are shown for {MOST_DRAWN} of {len(order)} SLOs: those with missed incidents and most pages."
        )
    return (
        environment.get_template("backtest.html.j2").render(
            css=Markup(css),  # noqa: S704  (a file of this package)
            summary=summary(result),
            plan=plan_words(result.plan, result.source),
            missed=missed_lines(result),
            left_out=[f"{label.name} ({date_time(label.start)}): {reason}" for label, reason in result.left_out],
            overview=overview_chart(result, order[:MOST_STRIPS]) if len(result.slos) > 1 else None,
            overall=overall_table(result) if len(result.slos) > 1 else None,
            sections=[_section(found, result, draw=found in drawn) for found in order],
            tunings=[_tuning_section(t, p) for t, p in zip(tunings, policies, strict=True)],
            notes=notes,
            definitions=DEFINITIONS,
        )
        + "\n"
    )


def _section(found: SloBacktest, result: Backtest, *, draw: bool) -> dict[str, Any]:
    return {
        "scores": scores_table(found),
        "incidents": incidents_table(found) if result.labels and found.reason is None else None,
        "chart": slo_chart(found, result) if draw else None,
    }


def _tuning_section(tuning: Tuning, policy: str) -> dict[str, Any]:
    return {"table": tuning_table(tuning), "chart": tuning_chart(tuning), "policy": policy}


def episodes_csv(result: Backtest) -> str:
    """A row an episode, times in Unix seconds and RFC 3339; an open end is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ("slo", "tier", "severity", "fired_at", "reset_at", "fired_utc", "reset_utc", "from_start", "incidents")
    )
    for episode in (e for found in result.slos for e in found.episodes):
        end = episode.reset_at
        writer.writerow(
            (
                _cell(episode.slo),
                _cell(episode.tier),
                episode.severity,
                f"{episode.fired_at:.3f}",
                "" if end is None else f"{end:.3f}",
                _utc(episode.fired_at),
                "" if end is None else _utc(end),
                str(episode.from_start).lower(),
                _cell("; ".join(episode.incidents)),
            )
        )
    return out.getvalue()


def _cell(text: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


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
    values = {
        name: getattr(score, name)
        for name in (
            "name",
            "severity",
            "episodes",
            "true_episodes",
            "expected",
            "detected",
            "in_alert_s",
            "in_alert_share",
        )
    }
    for name in (
        "precision",
        "recall",
        "detection_s",
        "worst_detection_s",
        "reset_s",
        "budget_spent",
        "worst_budget_spent",
        "false_per_week",
    ):
        values |= _measured(name, getattr(score, name))
    values["incidents"] = [
        {
            "name": d.label.name,
            "start": d.label.start,
            "outcome": d.outcome,
            "why": d.why,
            "detected_at": d.detected_at,
            "episodes": d.episodes,
            **_measured("delay_s", d.delay_s),
            **_measured("reset_delay_s", d.reset_delay_s),
            **_measured("budget_spent", d.budget_spent),
            **_measured("cost", d.cost),
        }
        for d in score.detections
    ]
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
    def figures(scores: Any) -> dict[str, Any] | None:
        if scores is None:
            return None
        return {name: {k: v for k, v in _score(s).items() if k != "incidents"} for name, s in scores.items()}

    return {
        "tiers": [_tier(tier) for tier in candidate.tiers],
        "train": figures(candidate.train),
        "held_out": figures(candidate.test),
    }


def _utc(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
