"""`sre slo backtest`: what the alert tiers would have done over history, and how that compares with known incidents."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir
from sre.cli.slo.options import (
    CaFile,
    CatalogueFiles,
    DrillClockFactor,
    Only,
    Paths,
    PrometheusUrl,
    SamplesPath,
    TokenFile,
)

if TYPE_CHECKING:
    from sre.console import Progress
    from sre.metrics.model import SampleSource
    from sre.slo.backtest.model import Backtest, Convention, Label, Plan
    from sre.slo.backtest.objective import Objective
    from sre.slo.backtest.tune import Tuning
    from sre.slo.model import Slo


def backtest(
    paths: Paths = None,
    prometheus: PrometheusUrl = None,
    samples: SamplesPath = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    catalogue: CatalogueFiles = None,
    only: Only = None,
    start: Annotated[
        str | None,
        typer.Option("--start", help="RFC 3339 or Unix seconds. Default: where a file begins; a period before --end."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", help="RFC 3339 or Unix seconds. Default: where a file ends; now.")
    ] = None,
    step: Annotated[
        float | None, typer.Option("--step", help="Seconds between evaluations. Default: 60, less on a drill clock.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="Known incidents: CSV with start,end,name[,slo][,severity].")
    ] = None,
    drills: Annotated[
        Path | None,
        typer.Option("--drills", help="Known incidents: the faults of our drills, reports/ or one report's folder."),
    ] = None,
    grace: Annotated[
        float, typer.Option("--grace", min=0, help="Seconds after an incident in which an alert still belongs to it.")
    ] = 300.0,
    convention: Annotated[
        str,
        typer.Option(
            "--convention",
            help="How windows are cut: events (ours), promql-closed (Prometheus 2.x), promql-left-open (3.x).",
        ),
    ] = "events",
    drill_clock: DrillClockFactor = 1.0,
    tune: Annotated[bool, typer.Option("--tune", help="Search tiers for --objective; prints them as OpenSLO.")] = False,
    objective: Annotated[
        str | None,
        typer.Option(
            "--objective",
            help='E.g. "recall>=0.95,precision>=0.9,min detection" (the default of --tune). '
            "Without --tune: exit 1 when the tiers miss it.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the search.")] = 1,
    processes: Annotated[
        int | None, typer.Option("--processes", min=1, help="For a folder of Parquet files. Default: one a core.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for backtest.html, .json, .png and episodes.csv.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Replay alert tiers over history: episodes, and with known incidents precision, recall, delays, budget spent.

    Exit 1: no data, or an objective that is not met. 2: wrong use. 3: something is missing or does not answer.
    """
    from sre.cli.slo.options import moment_of, slos_of
    from sre.console import Progress
    from sre.slo.backtest.objective import DEFAULT, parse_objective
    from sre.slo.backtest.run import require_data

    asked = parse_objective(objective or DEFAULT) if tune or objective is not None else None
    slos = slos_of(paths, only)
    known = _labels(labels, drills)
    samples = samples or _samples_of_drill(drills, prometheus)
    progress = Progress(quiet=as_json)
    request = _Request(
        slos=slos,
        labels=known,
        start=None if start is None else moment_of(start, "--start"),
        end=None if end is None else moment_of(end, "--end"),
        step_s=step if step is not None else _step_s(_clock(drill_clock)),
        grace_s=grace,
        convention=_convention(convention),
        clock=_clock(drill_clock),
    )
    try:
        tunings: list[Tuning] = []
        if samples is not None and prometheus is None and not tune and _is_fleet(samples):
            result = _of_files(request, samples, tuple(catalogue or ()), processes, progress)
        else:
            result, tunings = _of_source(
                request,
                progress,
                asked if tune else None,
                seed,
                opening=_Opening(prometheus, samples, token_file, ca_file, state_dir),
                catalogue=catalogue,
            )
        require_data(result)
        written = _write(result, tunings, out, progress)
    except BaseException:
        progress.fail()
        raise
    progress.done()
    unmet = _unmet(result, tunings, asked)
    _show(result, tunings, unmet, written, as_json)
    raise typer.Exit(1 if unmet else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What was asked for, before the source has said what it holds."""

    slos: Sequence[Slo]
    labels: Sequence[Label]
    start: float | None
    end: float | None
    step_s: float
    grace_s: float
    convention: Convention
    clock: float

    def plan(self, held: Callable[[], tuple[float, float]] | None) -> Plan:
        """The range asked for, filled up by what a file holds, or by now and the longest period of a live server."""
        from sre.slo.backtest.model import Plan
        from sre.slo.model import DrillClock

        start, end = self.start, self.end
        if held is not None and (start is None or end is None):
            first, last = held()
            start, end = first if start is None else start, last if end is None else end
        end = time.time() if end is None else end
        start = end - max(slo.period_s for slo in self.slos) / self.clock if start is None else start
        return Plan(
            start=start,
            end=end,
            step_s=self.step_s,
            convention=self.convention,
            clock=DrillClock(self.clock),
            grace_s=self.grace_s,
        )


def _convention(text: str) -> Convention:
    from sre.errors import SreError
    from sre.slo.backtest.model import CONVENTIONS

    for known in CONVENTIONS:
        if text == known:
            return known
    raise SreError(f"--convention {text!r} is unknown: use one of {', '.join(CONVENTIONS)}")


def _clock(factor: float) -> float:
    from sre.errors import SreError

    if not 1 <= factor < float("inf"):
        raise SreError(f"--drill-clock {factor:g}: give 1 (production) or more, 60 for our drills")
    return factor


def _step_s(clock: float) -> float:
    """A minute of production, but no less than a second of a drill."""
    return max(60.0 / clock, 1.0)


def _labels(labels: Path | None, drills: Path | None) -> tuple[Label, ...]:
    from sre.reports.backtest_labels import drill_labels
    from sre.slo.backtest.labels import read_labels

    found = (*(read_labels(labels) if labels else ()), *(drill_labels(drills) if drills else ()))
    return tuple(sorted(found, key=lambda label: (label.start, label.end)))


def _samples_of_drill(drills: Path | None, prometheus: str | None) -> Path | None:
    """The samples that lie beside the only drill asked for, when no other source is named."""
    from sre.reports.backtest_labels import SAMPLES_FILE, drill_folders

    if drills is None or prometheus is not None:
        return None
    folders = drill_folders(drills)
    return folders[0] / SAMPLES_FILE if len(folders) == 1 and (folders[0] / SAMPLES_FILE).is_file() else None


def _is_fleet(samples: Path) -> bool:
    from sre.slo.backtest.fleet import is_fleet

    return is_fleet(samples)


@dataclass(frozen=True, slots=True)
class _Opening:
    """Which source to open."""

    prometheus: str | None
    samples: Path | None
    token_file: Path | None
    ca_file: Path | None
    state_dir: Path


def _of_files(
    request: _Request, samples: Path, catalogue: tuple[Path, ...], processes: int | None, progress: Progress
) -> Backtest:
    from sre.reports.formats import plural
    from sre.slo.backtest.fleet import backtest_files
    from sre.slo.backtest.parquet_files import folder_times

    plan = request.plan(partial(folder_times, samples))
    progress.step(f"replaying {plural(len(request.slos), 'SLO')}")
    done = iter(range(1, len(request.slos) + 1))
    return backtest_files(
        samples,
        request.slos,
        plan,
        request.labels,
        catalogue=catalogue,
        processes=processes,
        on_slo=lambda one: progress.detail(f"{next(done)} of {len(request.slos)}: {one.slo.name}"),
    )


def _of_source(
    request: _Request,
    progress: Progress,
    objective: Objective | None,
    seed: int,
    *,
    opening: _Opening,
    catalogue: Sequence[Path] | None,
) -> tuple[Backtest, list[Tuning]]:
    from sre.cli.slo.options import catalogued, source_of
    from sre.reports.formats import plural
    from sre.slo.backtest.extent import extent
    from sre.slo.backtest.run import backtest as replay_all

    progress.step("reading samples")
    with source_of(
        prometheus=opening.prometheus,
        samples=opening.samples,
        token_file=opening.token_file,
        ca_file=opening.ca_file,
        state_dir=opening.state_dir,
    ) as opened:
        source = catalogued(opened, catalogue)
        plan = request.plan(None if opening.prometheus else partial(extent, source, request.slos))
        progress.step(f"replaying {plural(len(request.slos), 'SLO')}")
        done = iter(range(1, len(request.slos) + 1))
        result = replay_all(
            source,
            request.slos,
            plan,
            request.labels,
            on_slo=lambda one: progress.detail(f"{next(done)} of {len(request.slos)}: {one.slo.name}"),
        )
        tunings = [] if objective is None else _tuned(source, result, objective, seed, progress)
    return result, tunings


def _tuned(source: SampleSource, result: Backtest, objective: Objective, seed: int, progress: Progress) -> list[Tuning]:
    from sre.slo.backtest.tune import tune

    tunings = []
    for found in result.slos:
        if found.reason is not None:
            continue
        progress.step(f"tuning {found.slo.name}")
        tunings.append(
            tune(
                source,
                found.slo,
                result.plan,
                result.labels,
                objective,
                found.tiers,
                seed=seed,
                on_tried=lambda n: progress.detail(f"{n} sets of tiers"),
            )
        )
    return tunings


def _write(result: Backtest, tunings: Sequence[Tuning], out: Path | None, progress: Progress) -> tuple[Path, ...]:
    if out is None:
        return ()
    from sre.reports.backtest import write_backtest

    progress.step("drawing")
    return write_backtest(result, out, tunings, [_policy(tuning) for tuning in tunings])


def _policy(tuning: Tuning) -> str:
    from sre.reports.backtest_view import cost_words
    from sre.slo.backtest.policy import policy_yaml

    remarks = [f"tuned for {tuning.objective.text} by sre slo backtest", cost_words(tuning), *tuning.warnings]
    return policy_yaml(tuning.slo.name, tuning.best.tiers, remarks=remarks)


def _unmet(result: Backtest, tunings: Sequence[Tuning], objective: Objective | None) -> list[str]:
    """SLOs that miss the objective, with the tiers tuned or, without --tune, with their own."""
    if objective is None:
        return []
    if tunings:
        return [tuning.slo.name for tuning in tunings if not tuning.met]
    judged = [found for found in result.slos if found.reason is None]
    return [found.slo.name for found in judged if not objective.met({score.severity: score for score in found.sets})]


def _show(
    result: Backtest, tunings: Sequence[Tuning], unmet: Sequence[str], written: Sequence[Path], as_json: bool
) -> None:
    from sre.console import print_json
    from sre.reports.backtest_view import cost_words, report_lines, tuning_lines

    if as_json:
        from sre.reports.backtest_json import backtest_json

        files = [str(path) for path in written]
        policies = {tuning.slo.name: _policy(tuning) for tuning in tunings}
        data = backtest_json(result, tunings)
        print_json({"ok": not unmet, "unmet": list(unmet), **data, "policies": policies, "files": files})
        return
    for line in report_lines(result):
        typer.echo(line)
    for tuning in tunings:
        typer.echo("")
        for line in tuning_lines(tuning):
            typer.echo(line)
        typer.echo(cost_words(tuning))
        typer.echo(f"\n{_policy(tuning)}")
    if unmet:
        typer.echo(f"objective not met: {', '.join(unmet)}")
    for path in written:
        typer.echo(f"wrote {path}")
