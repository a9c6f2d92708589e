"""SIGTERM ends a run, wherever it arrives.

The toolkit answers it with an exception that a Python activity turns into a failed activity, and that is lost for good
when it arrives while a log line is written: the method then goes on, its fault with it. SystemExit goes through both,
as with SIGUSR1, and the rollbacks are played all the same.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType

LEFT = 20
"""The exit code by which the toolkit knows that rollbacks are wanted (chaoslib.exit)."""


def leave_on_sigterm() -> None:
    """Only inside the toolkit, which puts the old handler back when the run is over; elsewhere nothing is changed."""
    toolkit_listens = callable(signal.getsignal(signal.SIGUSR1)) and callable(signal.getsignal(signal.SIGTERM))
    if toolkit_listens and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _leave)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(LEFT)
