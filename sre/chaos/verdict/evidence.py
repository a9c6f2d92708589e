"""What a verdict is drawn from, and what it consists of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sre.chaos.leases.ledger import LedgerRecord
from sre.chaos.model import Verdict

SEVERITY: tuple[Verdict, ...] = ("error", "aborted", "interrupted", "void", "deviated")
"""Weightiest first: a reason further left decides the verdict."""

Group = Literal[
    "steady state before",
    "steady state during",
    "steady state after",
    "steady state after rollbacks",
    "method",
    "rollbacks",
    "fault",
    "guard",
    "run",
]
"""What a reason is about; the classes of test cases in JUnit's terms."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a verdict is drawn from. `journal` is None when the toolkit left none (it crashed or refused the file).

    `ledger` may hold other runs as well. `returncode` is the toolkit's, None where nobody waited for it.
    `missing_controls` are control modules that cannot be imported (see `experiment.missing_controls`): the journal does
    not tell. `log_tail` is the end of the toolkit's log, quoted when there is no journal. `began_at` (Unix time) is
    when the toolkit was started: without a journal it tells this run's records from those of earlier ones.
    `ledger_damage` are lines of the ledger that cannot be read.
    """

    journal: Mapping[str, Any] | None
    ledger: Sequence[LedgerRecord]
    returncode: int | None
    missing_controls: Sequence[str] = ()
    log_tail: str = ""
    began_at: float | None = None
    ledger_damage: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run did not pass. `index` is the place in the group (of the experiment's probe, activity, or of the run's
    fault); None when it is about the whole group.
    """

    verdict: Verdict
    text: str
    group: Group = "run"
    index: int | None = None
