"""`sre chaos lint`: refuses experiments that Chaos Toolkit would crash on, or run without telling anything."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.chaos.lint import Checked

Paths = Annotated[
    list[Path] | None,
    typer.Argument(help="Experiments (YAML, JSON) or folders of them.", show_default="experiments/"),
]
DEFAULT_FOLDER = Path("experiments")


def lint(
    paths: Paths = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail, too.")] = False,
    as_json: Json = False,
) -> None:
    """Find what is wrong with experiments, all of it at once, each with its line and the mend.

    What has no error, Chaos Toolkit runs, and the run can be believed. Exit 0 without errors, 1 with some (--strict: or
    warnings), 2 when there is nothing to read.
    """
    from sre.chaos.lint import lint as lint_files

    checked = lint_files(paths or [DEFAULT_FOLDER])
    ok = not any(one.fails(strict=strict) for one in checked)
    if as_json:
        _print_json(checked, ok=ok)
    else:
        _print(checked)
    raise typer.Exit(0 if ok else 1)


def _print_json(checked: Sequence[Checked], *, ok: bool) -> None:
    from dataclasses import asdict

    from sre.console import print_json

    findings = [finding for one in checked for finding in one.findings]
    print_json(
        {
            "ok": ok,
            "files": [str(one.path) for one in checked],
            "errors": sum(f.severity == "error" for f in findings),
            "warnings": sum(f.severity == "warning" for f in findings),
            "findings": [asdict(finding) for finding in findings],
        }
    )


def _print(checked: Sequence[Checked]) -> None:
    import sys

    from sre.chaos.lint.report import summary, text_lines

    for line in text_lines(checked, colour=sys.stdout.isatty()):
        typer.echo(line)
    typer.echo(summary(checked))
