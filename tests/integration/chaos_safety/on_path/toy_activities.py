"""What the experiments of the scenes play."""

import ctypes
import os
import sys
import time
from pathlib import Path

from sre.chaos.acting import injected


def break_it(lease_s, params, configuration=None):
    return injected("toy", params, lease_s=lease_s, configuration=configuration)


def wait(seconds):
    Path("waiting").touch()
    time.sleep(seconds)


def slow_rollback(seconds):
    Path("rolling-back").touch()
    time.sleep(seconds)


def well():
    return True


def ill_later(path):
    """True the first time it is asked."""
    if Path(path).exists():
        return False
    Path(path).touch()
    return True


def reads_later(path, value):
    """1 the first time, then what it is told to."""
    if Path(path).exists():
        return {"nan": float("nan"), "none": None}[value]
    Path(path).touch()
    return 1


def wait_for(path):
    while not Path(path).exists():
        time.sleep(0.05)


def raises_later(path):
    return True if ill_later(path) else raises()


def raises():
    raise RuntimeError("the probe is made of stone")


def leaves():
    sys.exit(3)


def vanishes():
    os._exit(3)


def crashes():
    ctypes.string_at(0)
