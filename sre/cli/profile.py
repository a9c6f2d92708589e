"""`sre profile ...`: GPU profiles, listed, shown, fitted to a log and tried on one."""

from __future__ import annotations

import sys
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.platforms.profiles import ProfileFit

app = typer.Typer(
    help="GPU profiles: how long steps take and what a replica holds, with sources and error bars.",
    no_args_is_help=True,
)
_PARTS = ("odd", "first", "last")
_LIMITS = ("run", "profile")


@app.command("list")
def list_profiles(
    refused: Annotated[
        bool, typer.Option("--refused", help="Also what does not fit its GPUs, and by how much.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the profiles with their figures and error bars."""
    from dataclasses import asdict

    from sre.console import print_json
    from sre.platforms.local.profile import list_profiles as entries
    from sre.reports.profile import list_lines

    found = entries(with_refused=refused)
    if as_json:
        print_json({"profiles": [asdict(entry) for entry in found]})
        return
    for line in list_lines(found):
        typer.echo(line)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A profile's name (`sre profile list`) or its .yaml file.")],
    out: Annotated[Path | None, typer.Option("--out", help="Also write a picture: a .png, .svg or .html file.")] = None,
    as_json: Json = False,
) -> None:
    """Show one profile: sources, error bars, memory, and step time against batch and context."""
    from dataclasses import asdict

    from sre.console import print_json
    from sre.platforms.local.profile import show_profile
    from sre.reports.profile import show_lines, write_picture

    shown = show_profile(name)
    if out is not None:
        write_picture(shown, out)
    if as_json:
        print_json({**asdict(shown), "file": str(out) if out else None})
        return
    for line in show_lines(shown):
        typer.echo(line)
    if out is not None:
        typer.echo(f"wrote {out}")


@app.command("fit")
def fit(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="*requests.jsonl of vLLM runs on one engine, each with *meta.json beside it."),
    ] = None,
    part: Annotated[
        str, typer.Option("--part", help="What is fitted: odd (every second request), first or last (--share of them).")
    ] = "odd",
    share: Annotated[float, typer.Option("--share", min=0.05, max=0.95, help="Share of the requests fitted.")] = 0.5,
    out: Annotated[Path | None, typer.Option("--out", help="Write the profile here, a .yaml file.")] = None,
    kv_blocks: Annotated[
        int | None, typer.Option("--kv-blocks", min=1, help="KV blocks of the engine, for a run that does not say.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad lines out instead of refusing the log.")
    ] = False,
    aiconfigurator: Annotated[
        str | None,
        typer.Option("--aiconfigurator", help="Instead of a log: this system of aiconfigurator-core, e.g. h100_sxm."),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", help="With --aiconfigurator: the model, as Hugging Face names it.")
    ] = "",
    tensor: Annotated[int, typer.Option("--tp", min=1, help="With --aiconfigurator: tensor parallelism.")] = 1,
    pipeline: Annotated[int, typer.Option("--pp", min=1, help="With --aiconfigurator: pipeline stages.")] = 1,
    tables_python: Annotated[
        str,
        typer.Option(
            "--tables-python", envvar="SRE_AICONFIGURATOR_PYTHON", help="Interpreter that has aiconfigurator-core."
        ),
    ] = sys.executable,
    as_json: Json = False,
) -> None:
    """Fit step times to request logs of vLLM by simulated latencies, and say how far off they are on the rest."""
    from dataclasses import asdict

    from sre.console import Progress, print_json
    from sre.platforms.local.profile import FitOptions, fit_profile
    from sre.reports.atomic import write_text

    if part not in _PARTS:
        raise typer.BadParameter(f"--part is {part!r}: use one of {', '.join(_PARTS)}")
    if out is not None and out.suffix != ".yaml":
        raise typer.BadParameter(f"--out is {out}: name a .yaml file, the profile is called as it is")
    if aiconfigurator is not None:
        if runs or not model:
            raise typer.BadParameter("--aiconfigurator takes --model and no log: fit one or the other")
        _from_tables(model, aiconfigurator, tensor, pipeline, tables_python, out, as_json=as_json)
        return
    if not runs:
        raise typer.BadParameter("no log is given: name the *requests.jsonl of a run, or --aiconfigurator")
    options = FitOptions(
        logs=tuple(runs),
        name=out.stem if out else "fitted",
        part=next(one for one in ("first", "last", "odd") if one == part),
        share=share,
        kv_blocks=kv_blocks,
        skip_bad=skip_bad,
    )
    progress = Progress()
    progress.step("step times by simulated latencies")
    try:
        found = fit_profile(options, on_progress=progress.note)
        if out is not None:
            write_text(out, found.document)
    except BaseException:
        progress.fail()
        raise
    progress.done(f"{found.evaluations} replays")
    if as_json:
        print_json({"ok": True, **asdict(found), "file": str(out) if out else None})
        return
    _print_fit(found, out)


@app.command("test")
def try_on_runs(
    profile: Annotated[str, typer.Argument(help="A profile's name (`sre profile list`) or its .yaml file.")],
    runs: Annotated[
        list[Path], typer.Argument(help="*requests.jsonl of vLLM runs, or folders, each with *meta.json beside it.")
    ],
    part: Annotated[
        str, typer.Option("--part", help="Judge these: all, odd (every second request), first or last (--share).")
    ] = "all",
    share: Annotated[float, typer.Option("--share", min=0.05, max=0.95, help="Share of the requests judged.")] = 0.5,
    limits: Annotated[
        str, typer.Option("--limits", help="Whose KV blocks and batch limits hold: the run's, or the profile's.")
    ] = "run",
    mean_pct: Annotated[float, typer.Option("--mean-pct", min=0, help="Most that a mean may be off, either way.")] = 5,
    p99_pct: Annotated[float, typer.Option("--p99-pct", min=0, help="Most that a p99 may be off, either way.")] = 8,
    kv_blocks: Annotated[
        int | None, typer.Option("--kv-blocks", min=1, help="KV blocks of the engine, for a run that does not say.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad lines out instead of refusing the log.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Replay logs of vLLM with a profile as it is, and say how far off it is; exit 1 when that is too far."""
    from dataclasses import asdict

    from sre.console import Progress, print_json
    from sre.platforms.local.profile_trial import TrialOptions, try_profile
    from sre.reports.profile import trial_lines

    if part not in ("all", *_PARTS):
        raise typer.BadParameter(f"--part is {part!r}: use one of all, {', '.join(_PARTS)}")
    if limits not in _LIMITS:
        raise typer.BadParameter(f"--limits is {limits!r}: use one of {', '.join(_LIMITS)}")
    if not (isfinite(mean_pct) and isfinite(p99_pct)):
        raise typer.BadParameter(f"--mean-pct {mean_pct} and --p99-pct {p99_pct}: write percentages")
    options = TrialOptions(
        profile=profile,
        logs=tuple(runs),
        part=next((one for one in ("first", "last", "odd") if one == part), None),
        share=share,
        limits="profile" if limits == "profile" else "run",
        mean_pct=mean_pct,
        p99_pct=p99_pct,
        kv_blocks=kv_blocks,
        skip_bad=skip_bad,
    )
    progress = Progress()
    progress.step("replay with the profile's step times")
    try:
        found = try_profile(options, on_progress=progress.note)
    except BaseException:
        progress.fail()
        raise
    progress.done(f"{sum(log.requests for log in found.logs):,} requests")
    if as_json:
        print_json({"ok": found.within, **asdict(found)})
    else:
        for line in trial_lines(found):
            typer.echo(line)
    raise typer.Exit(0 if found.within else 1)


def _from_tables(
    model: str, system: str, tensor: int, pipeline: int, python: str, out: Path | None, *, as_json: bool
) -> None:
    from sre.console import print_json
    from sre.platforms.local.profile import profile_from_tables
    from sre.reports.atomic import write_text

    name = out.stem if out else f"{system}-{model.rsplit('/', 1)[-1]}-tp{tensor}"
    document = profile_from_tables(name, model=model, system=system, tensor=tensor, pipeline=pipeline, python=python)
    if out is not None:
        write_text(out, document)
    if as_json:
        print_json({"ok": True, "name": name, "document": document, "file": str(out) if out else None})
        return
    typer.echo(f"wrote {out}" if out else document.rstrip())


def _print_fit(found: ProfileFit, out: Path | None) -> None:
    from sre.reports.profile import fit_lines

    for line in fit_lines(found):
        typer.echo(line)
    typer.echo(f"wrote {out}" if out else "not written: give --out NAME.yaml")
