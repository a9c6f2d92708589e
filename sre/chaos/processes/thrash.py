"""`python -m sre.chaos.processes.thrash PLATFORM LOW HIGH PERIOD_S`: scales out and in, until its fault's deadline.

PLATFORM is a configuration that finds the platform, as JSON. What was asked for, and what was refused, goes to the
log, one line a change.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time

from sre.chaos.faults.background import FAULT_ID
from sre.chaos.processes.lifetime import end_at, own_deadline
from sre.errors import SreError
from sre.platforms.model import Platform
from sre.platforms.select import select_platform


def thrash(platform: Platform, low: int, high: int, *, period_s: float, reason: str) -> None:
    """Out to `high`, in to `low`, each `period_s` seconds after the other. Never returns."""
    for wanted in itertools.cycle((high, low)):
        try:
            platform.scale(wanted, reason=reason)
            said = "asked for"
        except SreError as error:
            said = f"refused ({error}):"
        sys.stdout.write(f"{time.time():.3f} {said} {wanted} replicas\n")
        sys.stdout.flush()
        time.sleep(period_s)


def main() -> None:
    end_at(own_deadline())
    platform = select_platform(json.loads(sys.argv[1]))
    low, high, period_s = int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    thrash(platform, low, high, period_s=period_s, reason=f"fault {os.environ[FAULT_ID]}")


if __name__ == "__main__":
    main()
