"""What `sre chaos run` and `sre chaos verdict` print and write of a judged run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from sre.chaos.leases.ledger import LedgerFault
    from sre.chaos.verdict import Examination

Junit = Annotated[Path | None, typer.Option("--junit", help="Also write the verdict to this file, as JUnit XML.")]


def check_junit(path: Path | None) -> None:
    """Raises EnvironmentLacks before anything is started when the file could not be written after it."""
    from sre.errors import EnvironmentLacks

    if path is not None and not path.resolve().parent.is_dir():
        raise EnvironmentLacks(f"{path}: its folder does not exist: make it, or choose another --junit")


def tell(examination: Examination, *, files: dict[str, Path], junit: Path | None, as_json: bool) -> NoReturn:
    """Print the verdict, write the JUnit file, and exit with the verdict's code."""
    from sre.chaos.exit_codes import exit_code
    from sre.chaos.verdict.document import to_document
    from sre.chaos.verdict.junit import to_junit
    from sre.console import print_json
    from sre.reports.atomic import write_text

    if junit is not None:
        write_text(junit, to_junit(examination))
    if as_json:
        print_json(to_document(examination, files=files))
    else:
        _print(examination, files=files)
    raise typer.Exit(int(exit_code(examination.verdict)))


def _print(examination: Examination, *, files: dict[str, Path]) -> None:
    typer.secho(f"{examination.verdict.upper()}  {examination.title}".rstrip(), bold=True)
    for reason in examination.judgement.reasons:
        typer.echo(f"  because {reason}")
    for fault in examination.judgement.faults:
        typer.echo(f"  fault   {_life(fault)}")
    for note in examination.judgement.notes:
        typer.echo(f"  note    {note}")
    for name, path in files.items():
        typer.echo(f"  {name:7} {path}")


def _life(fault: LedgerFault) -> str:
    parts = [f"{fault.fault} on {fault.target}: {fault.proof if fault.proven else 'not proven'}"]
    if fault.undone is not None:
        parts.append(f"undone by {fault.undone_by} after {fault.undone - fault.begin:.1f} s")
    if fault.end is not None:
        parts.append(f"well again after {fault.end - fault.begin:.1f} s")
    return "; ".join(parts)
