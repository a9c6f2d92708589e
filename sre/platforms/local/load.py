"""Starts the load generator against a running platform."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sre.platforms.local.platform import LocalPlatform
from sre.platforms.processes import PLATFORM_ID, STATE_DIR
from sre.platforms.spawn import spawn


def start_load(platform: LocalPlatform, plan: Path, *, log: Path) -> subprocess.Popen[bytes]:
    """Run `python -m serving.loadgen --plan PLAN` as a marked child that ends with us; the caller waits for it.

    Main thread only (see `spawn`). The process carries the platform's marks, so `sre down` ends it too.
    """
    argv = (sys.executable, "-m", "serving.loadgen", "--plan", str(plan))
    return spawn(argv, env=marks(platform), log=log)


def marks(platform: LocalPlatform) -> dict[str, str]:
    """Our environment plus the marks by which the platform's processes are found."""
    return {**os.environ, PLATFORM_ID: platform.platform_id, STATE_DIR: str(platform.state_dir)}
