"""What the guard of a real run looks with, and how it aborts it."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import signal
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sre.chaos.guard.model import GuardSettings, Look
from sre.chaos.leases.healing import heal_each
from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.chaos.leases.standing import standing
from sre.chaos.leases.watchdog import ensure_watchdog
from sre.chaos.sight import Sight
from sre.errors import SreError
from sre.platforms.model import Platform

if TYPE_CHECKING:
    from sre.chaos.guard.looking import Looker

HEAL_WITHIN_S = 30.0
_AGAIN_S = 0.2
logger = logging.getLogger("chaostoolkit")


@dataclass(slots=True)
class RunMeans:
    """Means for the run of this process. `slo_dir` holds the documents of `settings.burns`."""

    platform: Platform
    run_id: str
    settings: GuardSettings
    slo_dir: Path
    sight: Sight
    began_at: float = field(default_factory=time.time)
    _looker: Looker | None = None

    def look(self, at: float) -> Look:
        if self._looker is None:
            self._looker = self._made()
        return self._looker.look(at)

    def ensure_watchdog(self) -> None:
        ensure_watchdog(self.platform)

    def say(self, reason: str, readings: Mapping[str, float]) -> None:
        logger.critical("guard: %s: the run is aborted, every fault of it is undone", reason)
        detail = {"run": self.run_id, "pid": os.getpid(), "reason": reason, "readings": dict(readings)}
        with contextlib.suppress(SreError, OSError, ValueError):  # a full disk must not keep a fault alive
            Ledger(self.platform.state_dir).append(LedgerRecord(time.time(), "guard_abort", detail=detail))

    def leave(self) -> None:
        """As `chaoslib.exit.exit_gracefully`, but to the main thread itself: the signal is there when this returns.

        Outside of `chaos run` nobody waits for it, and it would kill the process.
        """
        if callable(signal.getsignal(signal.SIGUSR1)):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        else:
            logger.error("guard: nobody listens to SIGUSR1: the method goes on, without its faults")

    def heal(self) -> None:
        """Again and again until none is left: the main thread may be in the middle of one."""
        deadline = time.monotonic() + HEAL_WITHIN_S
        while True:
            held = [lease for lease in standing(self.platform.state_dir).open if lease.run_id == self.run_id]
            stayed = heal_each(self.platform, held, by="guard").stayed
            for one in stayed:
                logger.error("guard: %s of %s stays for now: %s", one.lease.fault, one.lease.plan.target, one.why)
            if not stayed or time.monotonic() > deadline:
                return
            time.sleep(_AGAIN_S)

    def _made(self) -> Looker:
        """Made in the guard's thread: what reads samples takes a fifth of a second to import.

        What the run's end needs is imported here as well, while nobody waits for it.
        """
        importlib.import_module("sre.chaos.runs.aftermath")
        from sre.chaos.gate.budget import slos_named
        from sre.chaos.guard.looking import Looker

        burns = self.settings.burns
        slos = slos_named([limit.slo for limit in burns], self.slo_dir) if burns else {}
        return Looker(self.platform, self.sight.open(), self.settings, slos, since=self.began_at)
