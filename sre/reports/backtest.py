"""A backtest as files: one page with its charts inside, everything as JSON, the episodes as CSV, one picture.

All are made before the first is written, and each is whole or absent.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sre.errors import EnvironmentLacks
from sre.reports.atomic import write_text
from sre.reports.backtest_chart import overview_chart, slo_chart, tuning_chart, write_png
from sre.reports.backtest_json import backtest_json
from sre.reports.backtest_view import (
    DEFINITIONS,
    incidents_table,
    missed_lines,
    overall_table,
    plan_words,
    scores_table,
    summary,
    tuning_table,
)
from sre.reports.formats import date_time
from sre.slo.backtest.model import Backtest, SloBacktest
from sre.slo.backtest.tune import Tuning

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


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
