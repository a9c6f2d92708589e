"""`python -m sre.chaos.tables [--check] [WORKSPACE]`: write the tables, or say which are out of date."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from sre.chaos.tables.experiments import experiment_index
from sre.chaos.tables.faults import fault_table
from sre.chaos.tables.markdown import between_marks
from sre.errors import SreError

INDEX = Path("experiments/README.md")
PAGE = Path("docs/chaos.md")


def pages(workspace: Path) -> Mapping[Path, str]:
    """What the files should hold. Raises SreError when experiments have errors, or a page has no place for a table."""
    page = (workspace / PAGE).read_text(encoding="utf-8")
    return {
        INDEX: experiment_index(workspace / INDEX.parent),
        PAGE: between_marks(page, "faults", fault_table()),
    }


def main(arguments: list[str]) -> int:
    check = "--check" in arguments
    workspace = Path(next((argument for argument in arguments if not argument.startswith("-")), "."))
    try:
        wanted = pages(workspace)
    except SreError as error:
        sys.stderr.write("".join(f"{fault}\n" for fault in getattr(error, "faults", None) or [error]))
        return 1
    stale = [path for path, text in wanted.items() if _written(workspace / path) != text]
    for path in stale:
        sys.stdout.write(f"{path}: {'out of date: run `make docs`' if check else 'written'}\n")
        if not check:
            (workspace / path).write_text(wanted[path], encoding="utf-8")
    return 1 if check and stale else 0


def _written(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
