"""The process beside a run that undoes faults at their deadline, or when the run's process is gone.

`python -m sre.chaos.leases.watchdog STATE_DIR`, one for each state directory, started before the first fault. It needs
nothing from the run that started it: the ledger tells what to undo and until when. Asked to leave (SIGTERM), it undoes
all that is open first.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from sre.chaos.leases.lock import holder, is_stopped
from sre.errors import EnvironmentLacks, PlatformError
from sre.platforms.model import Platform
from sre.platforms.processes import PLATFORM_ID, STATE_DIR, kill_all
from sre.platforms.select import select_platform
from sre.platforms.spawn import spawn

LOCK_FILE = "watchdog.lock"
POLL_S = 0.2
LINGER_S = 10.0
LOG = Path("logs", "watchdog.log")
START_LOG = Path("logs", "watchdog-start.log")
START_TIMEOUT_S = 7.0
ON_ITS_WAY_S = 1.5
LEAVE_TIMEOUT_S = 5.0
_LOCK_WAIT_S = 0.5  # those who look whether it lives take the lock for an instant

logger = logging.getLogger("sre.chaos.leases.watchdog")


def ensure_watchdog(platform: Platform) -> None:
    """Start one unless it lives; cheap when it does. Raises EnvironmentLacks when it does not come up."""
    state_dir, deadline = platform.state_dir, time.monotonic() + START_TIMEOUT_S
    started = False
    while not watches(state_dir):
        if not started and not _is_on_its_way(state_dir):
            start_watchdog(platform)
            started = True
        if time.monotonic() > deadline:
            raise EnvironmentLacks(f"the watchdog does not start: see {state_dir / START_LOG}")
        time.sleep(0.05)


def start_watchdog(platform: Platform) -> None:
    """Start one and do not wait; a second one leaves at once. Raises EnvironmentLacks when none can be started."""
    marks = {STATE_DIR: str(platform.state_dir)}
    with contextlib.suppress(PlatformError):  # it is down: there is nothing that `sre down` would have to find
        platform_id = getattr(platform, "platform_id", None)  # only the local driver has marks of its own
        if platform_id is not None:
            marks[PLATFORM_ID] = str(platform_id)
    argv = (sys.executable, "-m", "sre.chaos.leases.watchdog", str(platform.state_dir))
    try:
        process = spawn(argv, env={**os.environ, **marks}, log=platform.state_dir / START_LOG, dies_with_us=None)
    except OSError as error:
        raise EnvironmentLacks(f"the watchdog cannot be started ({error}): make room, or free processes") from error
    process.returncode = 0  # it outlives us


def watches(state_dir: Path) -> bool:
    """Whether a watchdog lives: it holds its lock. One stopped by SIGSTOP watches nothing, and is ended here."""
    try:
        with (state_dir / LOCK_FILE).open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                watchdog = holder(file.fileno())
                if watchdog is None or not is_stopped(watchdog):
                    return True
                kill_all([watchdog])
    except OSError:
        return False
    return False


def watch(platform: Platform, leaving: Leaving) -> None:
    """Undo what is due until nothing is left to watch for `LINGER_S`, or until it is asked to leave."""
    from sre.chaos.leases.watch import Watch

    watching = Watch(platform)
    idle_since = time.monotonic()
    while not leaving.asked and time.monotonic() - idle_since < LINGER_S:
        if watching.step():
            idle_since = time.monotonic()
        time.sleep(POLL_S)
    deadline = time.monotonic() + LEAVE_TIMEOUT_S
    while leaving.asked and not watching.heal_all("the watchdog was asked to leave") and time.monotonic() < deadline:
        time.sleep(POLL_S)


class Leaving:
    """Whether SIGTERM has come. Ctrl-C and a closed terminal mean the run, never its watchdog."""

    def __init__(self) -> None:
        self.asked = False
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._ask)

    def _ask(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True


@contextlib.contextmanager
def _the_only_one(state_dir: Path) -> Iterator[bool]:
    with (state_dir / LOCK_FILE).open("a") as file:
        deadline = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    yield False
                    return
                time.sleep(0.02)
            else:
                yield True
                return


def _is_on_its_way(state_dir: Path) -> bool:
    """Whether somebody has just started one, which needs its time to take the lock."""
    try:
        return time.time() - (state_dir / START_LOG).stat().st_mtime < ON_ITS_WAY_S
    except OSError:
        return False


def _spare_us_when_memory_runs_out() -> None:
    with contextlib.suppress(OSError):  # root only, and only a wish
        Path("/proc/self/oom_score_adj").write_text("-900", encoding="ascii")


def _log_to(path: Path) -> None:
    """After what earlier watchdogs said. A full disk takes no log line, and that is all."""
    logging.raiseExceptions = False
    with contextlib.suppress(OSError):
        logging.basicConfig(filename=path, level=logging.INFO, format="%(asctime)s %(process)d %(message)s")


def main() -> None:
    leaving = Leaving()
    state_dir = Path(sys.argv[1]).resolve()
    with _the_only_one(state_dir) as ours:
        if ours:
            _log_to(state_dir / LOG)
            _spare_us_when_memory_runs_out()
            # only where the ledger is: each lease names the platform that it hit
            watch(select_platform({"platform": "local", "state_dir": str(state_dir)}), leaving)


if __name__ == "__main__":
    main()
