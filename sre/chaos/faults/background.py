"""Helper processes that are a fault while they run: fault proxies, storms of clients, eaters of memory.

Each is found by the fault's id in its environment, so nothing has to be written down after it was started, and each
knows its deadline and ends by itself. They carry the platform's marks too: `sre down` ends them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from sre.chaos.faults.model import Lease
from sre.errors import PlatformError
from sre.platforms.model import Platform
from sre.platforms.processes import PLATFORM_ID, STATE_DIR, kill_all
from sre.platforms.spawn import spawn

FAULT_ID = "SRE_FAULT_ID"
DEADLINE_AT = "SRE_FAULT_DEADLINE_AT"


def start_background(
    platform: Platform, lease: Lease, module: str, arguments: Sequence[str], *, env: Mapping[str, str] | None = None
) -> Path:
    """Run `python -m MODULE ARGUMENTS` as a helper of this fault; returns its log. It outlives us.

    The module must end at $SRE_FAULT_DEADLINE_AT (Unix seconds), whatever else happens.
    """
    marks = {FAULT_ID: lease.fault_id, DEADLINE_AT: repr(lease.deadline_at), STATE_DIR: str(platform.state_dir)}
    platform_id = getattr(platform, "platform_id", None)  # only the local driver has marks of its own
    if platform_id is not None:
        marks[PLATFORM_ID] = str(platform_id)
    log = platform.state_dir / "logs" / f"{lease.fault}-{lease.fault_id}.log"
    argv = (sys.executable, "-m", module, *arguments)
    helper = spawn(argv, env={**os.environ, **marks, **(env or {})}, log=log, dies_with_us=None)
    helper.returncode = 0  # it is followed by its mark; keeps Popen from warning about it
    return log


def background_processes(fault_id: str) -> list[psutil.Process]:
    """The live helpers of one fault."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(FAULT_ID) == fault_id and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end_background(lease: Lease) -> None:
    """Kill the helpers of this fault; nothing to do when there are none. Raises PlatformError when one stays."""
    left: list[psutil.Process] = []
    while not left and (there := background_processes(lease.fault_id)):  # again: one may fork while it is looked for
        left = kill_all(there, timeout_s=3.0)
    if left:
        pids = ", ".join(str(process.pid) for process in left)
        raise PlatformError(f"{lease.fault}: its helper processes {pids} cannot be killed: see their state in `ps`")
