"""What the watchdog does between its birth and its end: undo what is overdue, see it through, leave when idle.

One look costs a `stat` of the ledger and a glance at the run's process; the ledger is read when it has changed.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from sre.chaos.faults.catalogue import fault_class
from sre.chaos.faults.model import Lease
from sre.chaos.leases.lease import heal
from sre.chaos.leases.ledger import LEDGER_FILE
from sre.chaos.leases.records import Run
from sre.chaos.leases.recovery import end_when_well
from sre.chaos.leases.standing import Standing, standing
from sre.errors import SreError
from sre.platforms.model import Platform
from sre.platforms.processes import find

HEAL_LIMIT_S = 25.0
"""More than waiting for the lock and an undo may take: what hangs longer is left, for the others' sake."""
RECOVERY_S = 120.0
_FIRST_RETRY_S, _LAST_RETRY_S = 0.5, 10.0

logger = logging.getLogger("sre.chaos.leases.watchdog")
Clock = Callable[[], float]


class _TookTooLong(Exception):  # noqa: N818  (reads as a sentence)
    """Not an OSError or SreError, so that no undo takes it for its own."""


@dataclass(slots=True)
class _Known:
    """What only this process knows of an open fault. `ends_at` is its deadline by a clock that nobody sets."""

    ends_at: float
    retry_at: float = 0.0
    retry_s: float = _FIRST_RETRY_S


class Watch:
    """The watching over one platform. `step` never raises."""

    def __init__(self, platform: Platform, *, now: Clock = time.time, monotonic: Clock = time.monotonic) -> None:
        self._platform = platform
        self._now = now
        self._monotonic = monotonic
        self._mark: tuple[int, int, int] | None = None
        self._standing = Standing()
        self._unread = False
        self._told: tuple[str, ...] = ()
        self._runs: tuple[Run, ...] = ()
        self._known: dict[str, _Known] = {}
        self._recoveries: dict[str, threading.Thread] = {}

    def step(self) -> bool:
        """Look once and undo what is overdue; whether there is anything left to watch."""
        self._read()
        for lease in self._standing.open:
            why = self._overdue(lease)
            if why is not None and self._monotonic() >= self._known[lease.fault_id].retry_at:
                self._heal(lease, why)
        self._see_through()
        self._runs = tuple(run for run in self._runs if find(run.process) is not None)
        recovering = any(thread.is_alive() for thread in self._recoveries.values())
        return self._unread or bool(self._standing.open) or bool(self._runs) or recovering

    def heal_all(self, why: str) -> bool:
        """Undo everything that is open, overdue or not; whether nothing remains."""
        self._read()
        for lease in reversed(self._standing.open):
            self._heal(lease, why)
        self._read()
        return not self._unread and not self._standing.open

    def _read(self) -> None:
        try:
            status = (self._platform.state_dir / LEDGER_FILE).stat()
            mark = (status.st_ino, status.st_size, status.st_mtime_ns)
        except OSError:
            mark = (0, 0, 0)
        if mark == self._mark:
            return
        found = standing(self._platform.state_dir)
        for line in found.damage:
            if line not in self._told:
                logger.error("%s", line)
        self._told, self._unread = found.damage, found.unread
        if found.unread:  # what was known goes on; no file left to open, say, passes
            return
        self._mark, self._standing, self._runs = mark, found, found.runs
        for lease in self._standing.open:
            if lease.fault_id not in self._known:
                self._meet(lease)

    def _meet(self, lease: Lease) -> None:
        self._known[lease.fault_id] = _Known(self._monotonic() + lease.deadline_at - self._now())
        logger.info("%s: %s of %s", lease.fault_id, lease.fault, lease.plan.target)
        with contextlib.suppress(Exception):  # its undo will say so; loading it now spares doing so on an ill machine
            fault_class(lease.fault, str(lease.reference.get("platform", "local")))

    def _overdue(self, lease: Lease) -> str | None:
        if self._monotonic() >= self._known[lease.fault_id].ends_at:
            return "its lease is over"
        return self._standing.overdue(lease, now=self._now)

    def _heal(self, lease: Lease, why: str) -> None:
        known = self._known[lease.fault_id]
        try:
            with _limited(HEAL_LIMIT_S):
                if heal(self._platform, lease, by="watchdog", now=self._now, urgent=True):
                    logger.info("%s: undone, %s", lease.fault_id, why)
        except Exception as error:  # noqa: BLE001  (one fault that stays must not keep the watchdog from the others)
            logger.error("%s stays for now: %s: %s", lease.fault_id, type(error).__name__, error)
            known.retry_at = self._monotonic() + known.retry_s
            known.retry_s = min(_LAST_RETRY_S, 2 * known.retry_s)

    def _see_through(self) -> None:
        """Wait, aside, for the recovery of what was undone and whose run can no longer write down its end."""
        for lease in self._standing.unended:
            undone = self._standing.fault(lease).undone
            fresh = undone is not None and self._now() - undone < RECOVERY_S
            if fresh and lease.fault_id not in self._recoveries and not self._standing.run_lives(lease):
                thread = threading.Thread(target=self._recover, args=(lease,), daemon=True)
                with contextlib.suppress(RuntimeError):  # no thread to be had now: at the next look
                    thread.start()
                    self._recoveries[lease.fault_id] = thread

    def _recover(self, lease: Lease) -> None:
        try:
            end_when_well(self._platform, lease, timeout_s=RECOVERY_S)
            logger.info("%s: %s is well again", lease.fault_id, lease.plan.target)
        except SreError as error:
            logger.warning("%s: nobody saw it recover: %s", lease.fault_id, error)
        except Exception:
            logger.exception("%s: nobody saw it recover", lease.fault_id)


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise in the block when it takes longer; in a test's thread, where no alarm can ring, it may take its time."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise _TookTooLong(f"it takes more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
