"""`sre risk ...`."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Json

if TYPE_CHECKING:
    from rich.console import Console

    from sre.reports.risk_model import RegisterReport
    from sre.risks.model import Acceptance, Assessment

app = typer.Typer(help="The risk register, risks.yaml: levels, treatments, acceptances, and what drills have shown.")
Workspace = Annotated[Path, typer.Option("--workspace", help="Folder with risks.yaml, experiments/, slo/, runbooks/.")]
Reports = Annotated[
    list[Path] | None,
    typer.Option("--reports", help="Report folders, or folders of them; default: reports/ of the workspace."),
]
AsOf = Annotated[str | None, typer.Option("--as-of", help="The day it is judged on, 2026-01-31; default: today, UTC.")]
MaxAge = Annotated[
    int, typer.Option("--max-age-days", min=0, help="How old a passed drill may be that demonstrates a control.")
]
_TABLE_WIDTH = 190
RiskId = Annotated[str, typer.Argument(help="Such as RISK-001.")]


@app.command("list")
def list_risks(
    workspace: Workspace = Path(),
    reports: Reports = None,
    as_of: AsOf = None,
    max_age_days: MaxAge = 90,
    as_json: Json = False,
) -> None:
    """List the risks with their levels, owner, treatment, status and evidence."""
    from sre.console import print_json
    from sre.reports.risk_json import register_json

    report = _report(workspace, reports, as_of, max_age_days)
    if as_json:
        print_json(register_json(report))
        return
    _print_risks(report)


@app.command("show")
def show(
    risk_id: RiskId,
    workspace: Workspace = Path(),
    reports: Reports = None,
    as_of: AsOf = None,
    max_age_days: MaxAge = 90,
    as_json: Json = False,
) -> None:
    """Show one risk whole: statement, levels, controls, links, evidence, acceptance."""
    from sre.console import print_json
    from sre.reports.risk_json import entry_json
    from sre.reports.risk_view import card
    from sre.risks.accepting import entry_named

    report = _report(workspace, reports, as_of, max_age_days)
    entry = entry_named(report.entries, risk_id)
    if as_json:
        print_json(entry_json(entry, report))
        return
    shown = card(entry, report)
    typer.echo(f"{shown.id}: {shown.title}\n{shown.statement}")
    for label, cell in shown.facts:
        typer.echo(f"  {label:18} {cell.text}")
    for control in shown.controls:
        typer.echo(f"  {'control':18} {control}")


@app.command("check")
def check(
    workspace: Workspace = Path(),
    reports: Reports = None,
    as_of: AsOf = None,
    max_age_days: MaxAge = 90,
    as_json: Json = False,
) -> None:
    """Say what is wrong: expired acceptances, levels out of order, dead links, claims without a drill. Exit 1 then."""
    from sre.console import print_json
    from sre.reports.risk_json import register_json

    report = _report(workspace, reports, as_of, max_age_days)
    if as_json:
        document = register_json(report)
        print_json(
            {
                key: document[key]
                for key in ("ok", "as_of", "findings", "unlinked_experiments", "left_out", "demonstrated")
            }
        )
    else:
        for finding in report.findings:
            typer.echo(finding.text, err=True)
        _name_left_out(report)
        for name in report.unlinked:
            typer.echo(f"note: no risk is linked to {name}")
        words = "in order" if not report.findings else f"{len(report.findings)} findings"
        typer.echo(f"{len(report.entries)} risks, {report.demonstrated} demonstrated by drills: {words}")
    raise typer.Exit(1 if report.findings else 0)


@app.command("matrix")
def matrix(
    out: Annotated[Path, typer.Option("--out", help="Folder for risks.html, .md and .json.")],
    workspace: Workspace = Path(),
    reports: Reports = None,
    as_of: AsOf = None,
    max_age_days: MaxAge = 90,
    as_json: Json = False,
) -> None:
    """Write the register with its heat map, inherent beside residual, as HTML, Markdown and JSON."""
    from sre.console import print_json
    from sre.reports.risk_json import register_json
    from sre.reports.risk_write import write_register

    report = _report(workspace, reports, as_of, max_age_days)
    page = write_register(report, out, root=workspace)
    if as_json:
        print_json({"page": str(page), "folder": str(out), "left_out": register_json(report)["left_out"]})
    else:
        _name_left_out(report)
        typer.echo(f"report  {page}")


@app.command("accept")
def accept(
    risk_id: RiskId,
    approver: Annotated[str, typer.Option("--approver", help="The person who accepts.")],
    role: Annotated[str, typer.Option("--role", help="In which role; the matrix says which may.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it is lived with.")],
    expires: Annotated[str, typer.Option("--expires", help="The last day on which it holds, 2026-01-31.")],
    on: Annotated[str | None, typer.Option("--on", help="The day it was given; default: today, UTC.")] = None,
    write: Annotated[bool, typer.Option("--write", help="Put it into risks.yaml, not only show the diff.")] = False,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Make the lines of an acceptance, as a diff to review; comments and all else of risks.yaml stay as they are."""
    from sre.console import print_json
    from sre.reports.atomic import write_text
    from sre.risks.accepting import accepted_register, difference, entry_named
    from sre.risks.model import Acceptance
    from sre.risks.register import FILE, load_register

    accepted = Acceptance(approver.strip(), role.strip(), _day(on), _day(expires), reason.strip())
    entry = entry_named(load_register(workspace), risk_id)
    path = workspace / FILE
    if entry.assessment is not None:
        _require_allowed(accepted, entry.assessment, workspace)
    text = accepted_register(path, risk_id, accepted)
    diff = difference(path, text)
    if write:
        write_text(path, text)
    if as_json:
        print_json({"risk": risk_id, "written": write, "diff": diff})
    else:
        typer.echo(diff, nl=False)
        done = f"{path} is changed: have it reviewed" if write else "nothing is changed: --write, or `git apply`"
        typer.echo(done, err=True)


def _require_allowed(accepted: Acceptance, assessed: Assessment, workspace: Path) -> None:
    from sre.errors import SreError
    from sre.risks.check import acceptance_faults
    from sre.risks.matrix import load_matrix

    empty = [key for key in ("approver", "role", "reason") if not getattr(accepted, key)]
    faults = [f"--{key} is empty" for key in empty]
    if accepted.expires <= accepted.on:
        faults.append(f"--expires {accepted.expires} is not after {accepted.on}")
    faults += acceptance_faults(accepted, assessed.current, load_matrix(workspace), today=_day(None))
    if faults:
        raise SreError("; ".join(faults))


def _report(workspace: Path, reports: list[Path] | None, as_of: str | None, max_age_days: int) -> RegisterReport:
    from sre.errors import SreError
    from sre.reports.risk_model import register_report
    from sre.risks.register import FILE

    if not (workspace / FILE).is_file():
        raise SreError(f"{workspace / FILE}: there is no register: write one, or give --workspace")
    own = workspace / "reports"
    folders = reports or ([own] if own.is_dir() else [])
    return register_report(workspace, folders, as_of=_day(as_of), max_age_days=max_age_days)


def _name_left_out(report: RegisterReport) -> None:
    """Each experiment that could not be read, with its first fault."""
    from sre.reports.risk_view import left_out_words

    for one in report.left_out:
        typer.echo(f"note: {left_out_words(one)} ({one.faults[0]})", err=True)


def _day(text: str | None) -> date:
    from datetime import UTC, datetime

    from sre.errors import SreError

    if text is None:
        return datetime.now(UTC).date()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise SreError(f"{text!r} is no day: write one like 2026-01-31") from None


def _print_risks(report: RegisterReport) -> None:
    """A table where it fits, else two lines a risk."""
    from rich.console import Console

    from sre.reports.risk_view import register_row

    console = Console(highlight=False)
    rows = [[cell.text for cell in register_row(entry, report)] for entry in report.entries]
    if console.is_terminal and console.width >= _TABLE_WIDTH:
        _print_table(rows, console)
        return
    for risk, title, owner, inherent, current, residual, treatment, status, evidence in rows:
        typer.echo(f"{risk}  {inherent} > {current} > {residual}  {status}")
        typer.echo(f"          {title} ({owner}, {treatment}, {evidence})")


def _print_table(rows: list[list[str]], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    from sre.reports.risk_model import STAGES

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("id", "risk", "owner", *STAGES, "treatment", "status", "evidence"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
