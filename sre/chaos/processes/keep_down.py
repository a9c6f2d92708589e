"""`python -m sre.chaos.processes.keep_down REFERENCE PART`: kills what runs a part of the platform, again and again.

The supervisor starts observers again within seconds; a monitoring system that crash-loops is the fault that is meant.
It ends at $SRE_FAULT_DEADLINE_AT, whatever happens. REFERENCE is JSON (`Platform.reference`).
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import cast

from sre.chaos.processes.lifetime import end_at, own_deadline
from sre.errors import PlatformError
from sre.platforms.model import Part, Platform
from sre.platforms.select import select_platform

LOOK_EVERY_S = 0.1


def keep_down(platform: Platform, part: Part, *, is_over: Callable[[], bool], pause: Callable[[float], None]) -> int:
    """Returns how many were killed."""
    killed = 0
    while not is_over():
        killed += kill_once(platform, part)
        pause(LOOK_EVERY_S)
    return killed


def kill_once(platform: Platform, part: Part) -> bool:
    """Whether there was one to kill. That nothing runs, or nothing is up, is as it should be."""
    try:
        return platform.signal(platform.process(part), "kill")
    except PlatformError:
        return False


def main() -> None:
    reference, part = json.loads(sys.argv[1]), cast("Part", sys.argv[2])
    deadline_at = own_deadline()
    end_at(deadline_at)
    keep_down(select_platform(reference), part, is_over=lambda: time.time() >= deadline_at, pause=time.sleep)


if __name__ == "__main__":
    main()
