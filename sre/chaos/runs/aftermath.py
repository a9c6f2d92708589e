"""What our control does when a run is over, whichever way it ended: nothing stays broken, and nothing is glossed over.

Each step is taken although an earlier one failed, and a failed step counts against the run.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sre.chaos.guard.watching import Guard
from sre.chaos.leases.healing import heal_each, require_healed
from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.chaos.leases.standing import standing
from sre.chaos.runs.admission import Admitted
from sre.chaos.runs.failing import Journal, fail
from sre.chaos.runs.steady import steady_again
from sre.chaos.verdict import Evidence, judge
from sre.chaos.verdict.journal import AFTER_ROLLBACKS
from sre.errors import SreError

logger = logging.getLogger("chaostoolkit")


@dataclass(frozen=True, slots=True)
class Aftermath:
    """The end of one run. `guard` is None when the method was never begun."""

    admitted: Admitted
    guard: Guard | None
    experiment: dict[str, Any]
    configuration: dict[str, Any]
    secrets: dict[str, Any]

    def conclude(self, journal: Journal) -> None:
        """Stop the guard, heal, look again, write the end down, judge. Does not raise."""
        steps: tuple[Callable[[Journal], None], ...] = (self._stop_guard, self._heal, self._look_again, self._end)
        problems = [problem for step in steps for problem in _problem(step, journal)]
        for problem in problems:
            logger.error("sre.chaos.control: %s", problem)
        if problems:
            fail(journal, "error", problems=problems)
        for problem in _problem(self._judge, journal):
            fail(journal, "error", problems=[problem])

    def _stop_guard(self, _: Journal) -> None:
        if self.guard is None:
            return
        if not self.guard.stop():
            raise SreError("the guard's thread does not end: see the toolkit's log")
        self._record(
            "guard_end",
            looks=self.guard.looks,
            oldest_sample_s=round(self.guard.oldest_s, 3),
            aborted=self.guard.aborted,
        )

    def _heal(self, _: Journal) -> None:
        platform, run_id = self.admitted.platform, self.admitted.run.run_id
        held = [lease for lease in standing(platform.state_dir).open if lease.run_id == run_id]
        require_healed(heal_each(platform, held, by="control"))

    def _look_again(self, journal: Journal) -> None:
        probes = (self.experiment.get("steady-state-hypothesis") or {}).get("probes")
        if self.guard is None or not probes or self.experiment.get("dry"):
            return
        settle_s = self.admitted.terms.settle_s
        look = steady_again(self.experiment, self.configuration, self.secrets, settle_s=settle_s)
        journal[AFTER_ROLLBACKS] = look.record()
        self._record(AFTER_ROLLBACKS, **look.record())
        if not look.met:
            logger.error("the steady state is not met %.0f s after the rollbacks", look.waited_s)

    def _end(self, journal: Journal) -> None:
        self._record(
            "run_end",
            title=self.admitted.run.title,
            status=journal.get("status"),
            deviated=journal.get("deviated"),
        )

    def _judge(self, journal: Journal) -> None:
        records = Ledger(self.admitted.platform.state_dir).salvage().records
        judgement = judge(Evidence(journal=journal, ledger=records, returncode=None))
        logger.info("verdict: %s%s", judgement.verdict, "".join(f"; {reason}" for reason in judgement.reasons))
        if judgement.verdict != "passed":
            fail(journal, judgement.verdict, reasons=judgement.reasons)

    def _record(self, event: str, **detail: Any) -> None:
        whose = {"run": self.admitted.run.run_id, "pid": os.getpid()}
        ledger = Ledger(self.admitted.platform.state_dir)
        ledger.append(LedgerRecord(time.time(), event, detail={**whose, **detail}))


def _problem(step: Callable[[Journal], None], journal: Journal) -> Iterator[str]:
    try:
        step(journal)
    except SreError as error:
        yield str(error)
    except (KeyboardInterrupt, SystemExit):  # the run is at its end: who asks to leave gets there soonest this way
        yield f"{step.__name__.strip('_').replace('_', ' ')}: was interrupted"
    except Exception as error:  # noqa: BLE001  (a step that breaks is a finding, the next one is taken all the same)
        yield f"{type(error).__name__}: {error}"
