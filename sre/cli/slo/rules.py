"""`sre slo rules`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Json
from sre.cli.slo.options import CatalogueFiles, Paths

if TYPE_CHECKING:
    from sre.slo.rules.promtool import Verdict

Out = Annotated[Path, typer.Option("--out", help="Folder for what is generated.")]


def rules(
    paths: Paths = None,
    out: Out = Path("slo/generated"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 when a file differs from what would be generated.")
    ] = False,
    test: Annotated[
        bool, typer.Option("--test", help="Also run the generated unit tests with promtool (a second a tier).")
    ] = False,
    runbook_base: Annotated[
        str | None, typer.Option("--runbook-base", help="Put before each runbook's path, for runbook_url.")
    ] = None,
    dashboard_base: Annotated[
        str | None, typer.Option("--dashboard-base", help="Grafana's address: alerts then link to the dashboard.")
    ] = None,
    group_interval: Annotated[
        str | None, typer.Option("--group-interval", help="How often rules are evaluated. Default: 30s.")
    ] = None,
    scrape_interval: Annotated[
        str, typer.Option("--scrape-interval", help="How often your Prometheus scrapes: no window below two of them.")
    ] = "15s",
    drill_clock: Annotated[
        float, typer.Option("--drill-clock", help="Compress every window for a game day: 60 makes an hour a minute.")
    ] = 1.0,
    catalogue: CatalogueFiles = None,
    as_json: Json = False,
) -> None:
    """Prometheus rules with unit tests, Alertmanager inhibitions, a Grafana dashboard: all files or none."""
    from sre.cli.slo.options import paths_of, slos_of
    from sre.errors import SreError
    from sre.metrics.catalogue import Catalogue
    from sre.slo.model import DrillClock
    from sre.slo.rules import RuleOptions, generate
    from sre.slo.rules.durations import seconds_of
    from sre.slo.rules.promtool import judge
    from sre.slo.rules.write import differences, digests, left_over, write_all

    if not 1 <= drill_clock < float("inf"):
        raise SreError(f"--drill-clock is {drill_clock:g}: give 1 (real time) or more")
    slos = slos_of(paths_of(paths))
    options = RuleOptions(
        clock=DrillClock(drill_clock),
        group_interval_s=None if group_interval is None else seconds_of(group_interval, "--group-interval"),
        scrape_interval_s=seconds_of(scrape_interval, "--scrape-interval"),
        runbook_base=runbook_base,
        dashboard_base=dashboard_base,
        catalogue=Catalogue.read(tuple(catalogue or ())),
        sources=digests({slo.path: Path(slo.path) for slo in slos}),
    )
    generated = generate(slos, options)
    if check:
        _report_check(differences(generated.files, out), generated.files, out, as_json=as_json)
        return
    verdicts = judge(generated.files, test=test)
    refused = [verdict for verdict in verdicts if verdict.ok is False]
    if refused:
        for verdict in refused:
            typer.echo(verdict.text, err=True)
        raise SreError(f"{', '.join(v.judge for v in refused)}: refused what was generated: nothing was written")
    written = write_all(generated.files, out)
    extra = [f"{path}: belongs to no document given: remove it" for path in left_over(generated.files, out)]
    _report(written, (*generated.notes, *extra), verdicts, as_json=as_json)


def _report_check(found: Sequence[str], files: Mapping[str, str], out: Path, *, as_json: bool) -> None:
    if as_json:
        from sre.console import print_json

        print_json({"ok": not found, "out": str(out), "files": len(files), "differences": list(found)})
    else:
        for line in found:
            typer.echo(line, err=True)
        typer.echo(f"{out}: run sre slo rules again" if found else f"{out}: {len(files)} files are up to date")
    raise typer.Exit(1 if found else 0)


def _report(written: Sequence[Path], notes: Sequence[str], verdicts: Sequence[Verdict], *, as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        from sre.console import print_json

        judged = [asdict(verdict) for verdict in verdicts]
        print_json({"ok": True, "files": [str(p) for p in written], "notes": list(notes), "checks": judged})
        return
    for folder in dict.fromkeys(path.parent for path in written):
        names = [path.name for path in written if path.parent == folder]
        typer.echo(f"wrote {folder}: {names[0] if len(names) == 1 else f'{len(names)} files'}")
    for verdict in verdicts:
        typer.echo(f"{verdict.judge}: {verdict.text}" if verdict.ok else f"note: {verdict.text}")
    for note in notes:
        typer.echo(f"note: {note}")
