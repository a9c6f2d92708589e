"""What the faults share: which replica is meant, and waiting until something is seen."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from sre.errors import PlatformError
from sre.platforms.model import Handle, Platform, Replica
from sre.platforms.selection import choose

POLL_S = 0.05


def chosen(platform: Platform, selector: str, *, seed: int = 0) -> Replica:
    """The ready replica that `busiest`, `any`, `random` (by `seed`) or a name means. Raises PlatformError."""
    inflight = platform.inflight() if selector == "busiest" else {}
    return choose(selector, platform.replicas(), inflight=inflight, seed=seed)


def found_by(platform: Platform) -> str:
    """A configuration that finds this platform again, as JSON: for `select_platform` in a helper process."""
    return json.dumps({**platform.reference, "platform": platform.driver, "state_dir": str(platform.state_dir)})


def require_not_stopped(platform: Platform, process: Handle, whose: str) -> None:
    """Raises PlatformError for a process that was stopped before: of two stops the first undo would end both."""
    if platform.condition(process) == "stopped":
        raise PlatformError(f"{whose} is stopped already: end that fault first (`sre chaos heal`), or continue it")


def until(seen: Callable[[], bool], *, within_s: float, poll_s: float = POLL_S) -> bool:
    """Whether it is seen within so many seconds."""
    deadline = time.monotonic() + within_s
    while not seen():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_s)
    return True
