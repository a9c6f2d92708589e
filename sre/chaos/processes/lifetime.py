"""How a helper process ends by itself: at its fault's deadline, also when nobody is left who could end it.

The kernel's timer ends it, not its own code: a helper that hangs, or lost its event loop, ends as well.
"""

from __future__ import annotations

import os
import signal
import time

from sre.chaos.faults.background import DEADLINE_AT

GRACE_S = 0.5


def own_deadline() -> float:
    """Unix time at which this helper must be gone. Raises KeyError outside a fault's helper."""
    return float(os.environ[DEADLINE_AT])


def end_at(deadline_at: float, *, grace_s: float = GRACE_S) -> None:
    """Have the kernel end this process `grace_s` after the deadline. Not inherited by a fork: each asks for itself."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, deadline_at + grace_s - time.time()))
