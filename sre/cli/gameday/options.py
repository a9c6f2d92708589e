"""What the verbs of `sre gameday` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Workspace = Annotated[
    Path | None, typer.Option("--workspace", help="Folder with experiments/, slo/, runbooks/ and reports/.")
]


def workspace_of(experiment: Path) -> Path:
    """The folder above `experiments/` when the file lies in one, else the current folder."""
    parent = experiment.resolve().parent
    return parent.parent if parent.name == "experiments" else Path.cwd()


def short(path: Path) -> str:
    """Relative to the current folder when below it: what a person would type."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
