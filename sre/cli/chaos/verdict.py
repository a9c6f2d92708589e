"""`sre chaos verdict`: judges a run that is over, also one of plain `chaos run`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sre.cli.chaos.judged import Junit
from sre.cli.options import DEFAULT_STATE_DIR, Json, StateDir


def verdict(
    journal: Annotated[Path, typer.Argument(help="The journal that `chaos run` left (--journal-path).")],
    ledger: Annotated[
        Path | None, typer.Option("--ledger", help="The fault ledger. Default: chaos.jsonl of the state directory.")
    ] = None,
    junit: Junit = None,
    state_dir: StateDir = DEFAULT_STATE_DIR,
    as_json: Json = False,
) -> None:
    """Judge a run by its journal and the fault ledger. Without a proven fault nothing passes.

    Exit 0 passed, 1 deviated, 2 wrong use, 4 void, 5 aborted, 6 interrupted, 7 error.
    """
    from sre.chaos.leases.ledger import LEDGER_FILE
    from sre.chaos.verdict import examine
    from sre.chaos.verdict.files import evidence_of
    from sre.cli.chaos.judged import check_junit, tell

    check_junit(junit)
    where = ledger or state_dir / LEDGER_FILE
    examination = examine(evidence_of(journal, where))
    tell(examination, files={"journal": journal, "ledger": where}, junit=junit, as_json=as_json)
