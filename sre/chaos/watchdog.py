"""The process beside a run that undoes faults at their deadline, or when the run's process is gone.

`python -m sre.chaos.watchdog STATE_DIR`, one for each state directory, started before the first fault. It needs nothing
from the run that started it: the ledger tells what to undo and until when.
"""

from __future__ import annotations

import fcntl
import logging
import os
import sys
import time
from pathlib import Path

from sre.chaos.lease import heal
from sre.chaos.ledger import Ledger
from sre.chaos.records import open_leases, open_runs
from sre.errors import EnvironmentLacks, SreError
from sre.platforms.model import Platform
from sre.platforms.processes import PLATFORM_ID, STATE_DIR, find
from sre.platforms.select import select_platform
from sre.platforms.spawn import spawn

LOCK_FILE = "watchdog.lock"
POLL_S = 0.2
LINGER_S = 10.0
START_TIMEOUT_S = 5.0

logger = logging.getLogger("sre.chaos.watchdog")


def ensure_watchdog(platform: Platform) -> None:
    """Start one unless it lives. Raises EnvironmentLacks when it does not come up."""
    if watches(platform.state_dir):
        return
    start_watchdog(platform)
    deadline = time.monotonic() + START_TIMEOUT_S
    while not watches(platform.state_dir):
        if time.monotonic() > deadline:
            raise EnvironmentLacks(f"the watchdog does not start: see {platform.state_dir / 'logs' / 'watchdog.log'}")
        time.sleep(0.02)


def start_watchdog(platform: Platform) -> None:
    """Start one and do not wait; a second one leaves at once."""
    marks = {STATE_DIR: str(platform.state_dir), "SRE_PLATFORM": platform.driver}
    platform_id = getattr(platform, "platform_id", None)
    if platform_id is not None:
        marks[PLATFORM_ID] = str(platform_id)
    argv = (sys.executable, "-m", "sre.chaos.watchdog", str(platform.state_dir))
    process = spawn(
        argv, env={**os.environ, **marks}, log=platform.state_dir / "logs" / "watchdog.log", dies_with_us=None
    )
    process.returncode = 0  # it outlives us


def watches(state_dir: Path) -> bool:
    """Whether a watchdog lives: it holds its lock."""
    try:
        with (state_dir / LOCK_FILE).open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def watch(platform: Platform) -> None:
    """Undo what is due until nothing is left to watch for `LINGER_S`."""
    ledger, idle_since = Ledger(platform.state_dir), time.monotonic()
    while time.monotonic() - idle_since < LINGER_S:
        records = ledger.read()
        held = open_leases(records)
        if held or any(find(run.process) for run in open_runs(records)):
            idle_since = time.monotonic()
        for lease in held:
            if time.time() >= lease.deadline_at or find(lease.run) is None:
                try:
                    heal(platform, lease, by="watchdog")
                except SreError as error:
                    logger.error("%s stays for now: %s", lease.fault_id, error)
        time.sleep(POLL_S)


def main() -> None:
    state_dir = Path(sys.argv[1]).resolve()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    with (state_dir / LOCK_FILE).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        watch(select_platform({"state_dir": str(state_dir)}))


if __name__ == "__main__":
    main()
