"""The fault proxy from a fault's side: started, put in the way, given its rules, asked, and taken out of the way.

Everything is found again by the fault's id: the process by its mark, its files by name, the route by its owner. So each
step back works alone, also when the proxy is dead, hangs, or never came up.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from sre.chaos.faults.background import background_processes, start_background
from sre.chaos.faults.model import Lease
from sre.chaos.faults.targets import until
from sre.errors import PlatformError
from sre.platforms.model import Platform
from sre.platforms.processes import kill_all

MODULE = "sre.chaos.processes.proxy"
START_S = 6.0
OBEYS_S = 2.0


def start_proxy(platform: Platform, lease: Lease, arguments: Sequence[str]) -> str:
    """Start it, transparent; where it listens, `host:port`. Raises PlatformError when it does not come up."""
    rules, state = _files(platform, lease)
    state.parent.mkdir(parents=True, exist_ok=True)
    log = start_background(platform, lease, MODULE, (*arguments, "--rules", str(rules), "--state", str(state)))
    if not until(state.exists, within_s=START_S, poll_s=0.02):
        raise PlatformError(f"{lease.fault}: the fault proxy does not start: see {log}")
    return str(proxy_facts(platform, lease)["listen"])


def arm(platform: Platform, lease: Lease, rules: Mapping[str, Any], *, revision: int = 1) -> None:
    """Give it rules and wait until it says that they hold. Raises PlatformError."""
    path, _ = _files(platform, lease)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(json.dumps({**rules, "revision": revision}), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise PlatformError(f"{path}: the rules cannot be written ({error.strerror}): make room") from error
    if not until(lambda: proxy_facts(platform, lease).get("revision") == revision, within_s=OBEYS_S, poll_s=0.02):
        raise PlatformError(f"{lease.fault}: the fault proxy does not take its rules: see its log in logs/")


def proxy_facts(platform: Platform, lease: Lease) -> Mapping[str, Any]:
    """What it says of itself. Raises PlatformError when it has said nothing."""
    _, state = _files(platform, lease)
    try:
        return dict(json.loads(state.read_text("utf-8")))
    except (OSError, ValueError) as error:
        raise PlatformError(f"{state}: the fault proxy says nothing ({error}): see its log in logs/") from error


def take_out(platform: Platform, lease: Lease, where: str) -> None:
    """Lead the way past it again, then end it; what still runs through it may end in peace. Can be repeated.

    Raises PlatformError when the route cannot be taken back; the proxy is then harmless at least.
    """
    try:
        platform.unroute(where, owner=lease.fault_id)
    except PlatformError:
        _pacify(platform, lease)
        raise
    retire(lease)


def retire(lease: Lease) -> None:
    """Tell the fault's proxies to end. One that goes on listening is killed, others linger, harmless, 30 s at most.

    Raises PlatformError when one stays.
    """
    helpers = background_processes(lease.fault_id)
    for helper in helpers:
        with contextlib.suppress(psutil.Error):
            helper.terminate()
    until(lambda: not any(_listens(helper) for helper in helpers), within_s=OBEYS_S, poll_s=0.02)
    stubborn = kill_all([helper for helper in helpers if _listens(helper)], timeout_s=OBEYS_S)
    if stubborn:
        pids = ", ".join(str(process.pid) for process in stubborn)
        raise PlatformError(f"{lease.fault}: its proxy {pids} cannot be killed: see its state in `ps`")


def _pacify(platform: Platform, lease: Lease) -> None:
    """The route stays for now: let the proxy behind it do no harm, and listen on."""
    if not background_processes(lease.fault_id):
        return
    with contextlib.suppress(PlatformError):
        arm(platform, lease, {}, revision=time.monotonic_ns())


def _listens(helper: psutil.Process) -> bool:
    try:
        if helper.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD):
            return False
        return any(c.status == psutil.CONN_LISTEN for c in helper.net_connections("tcp"))
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _files(platform: Platform, lease: Lease) -> tuple[Path, Path]:
    """Its rules and what it says, beside its log."""
    stem = platform.state_dir / "logs" / f"{lease.fault}-{lease.fault_id}"
    return stem.with_name(stem.name + ".rules.json"), stem.with_name(stem.name + ".state.json")
