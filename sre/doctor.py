"""What this machine has for a game day, and how to get what is missing. Looks, never changes anything."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sre.errors import SreError

Need = Literal["required", "optional"]
MEMORY_NEEDED_MB = 1024
SHM_NEEDED_MB = 64


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked thing. `mend` is empty when it is there."""

    name: str
    need: Need
    ok: bool
    seen: str
    mend: str = ""


def examine(*, port: int) -> tuple[Finding, ...]:
    """Every check, in the order a newcomer would mend them."""
    return (
        _python(),
        _system(),
        _triton(),
        _command("chaos", "required", "pip install chaostoolkit", where=Path(sys.executable).parent),
        _memory(),
        _shared_memory(),
        _port(port),
        _command("prometheus", "optional", "apt-get install prometheus; without it our own scraper is the only source"),
        _command("promtool", "optional", "apt-get install prometheus; `sre slo rules` then tests the rules it writes"),
        _command("amtool", "optional", "apt-get install prometheus-alertmanager; only the rules' own tests need it"),
        _command("chromium", "optional", "apt-get install chromium; only the report's browser test needs it"),
        _root(),
    )


def lacks_required(findings: tuple[Finding, ...]) -> bool:
    return any(f.need == "required" and not f.ok for f in findings)


def _python() -> Finding:
    seen = platform.python_version()
    ok = (3, 11) <= sys.version_info[:2] < (3, 13)
    return Finding("Python", "required", ok, seen, "" if ok else "use Python 3.11 or 3.12")


def _system() -> Finding:
    seen = f"{platform.system()} {platform.machine()}"
    ok = platform.system() == "Linux" and platform.machine() == "x86_64"
    return Finding("system", "required", ok, seen, "" if ok else "the Triton wheel exists for Linux on x86-64 only")


def _triton() -> Finding:
    from sre.platforms.local import server_description

    try:
        return Finding("Triton server", "required", True, server_description())
    except SreError as error:
        return Finding("Triton server", "required", False, "not usable", str(error))


def _command(name: str, need: Need, mend: str, *, where: Path | None = None) -> Finding:
    found = shutil.which(name, path=None if where is None else str(where))
    return Finding(name, need, found is not None, found or "not found", "" if found else mend)


def _memory() -> Finding:
    import psutil

    free_mb = psutil.virtual_memory().available // 2**20
    ok = free_mb >= MEMORY_NEEDED_MB
    return Finding(
        "memory",
        "required",
        ok,
        f"{free_mb} MB available",
        "" if ok else f"free {MEMORY_NEEDED_MB} MB: 3 replicas use it",
    )


def _shared_memory() -> Finding:
    path = Path("/dev/shm")  # noqa: S108  (the kernel's fixed mount point)
    if not path.is_dir():
        return Finding("shared memory", "required", False, "no /dev/shm", "mount a tmpfs on /dev/shm")
    free_mb = shutil.disk_usage(path).free // 2**20
    ok = free_mb >= SHM_NEEDED_MB
    mend = f"give /dev/shm {SHM_NEEDED_MB} MB (a container: --shm-size=256m)"
    return Finding("shared memory", "required", ok, f"{free_mb} MB free in /dev/shm", "" if ok else mend)


def _port(port: int) -> Finding:
    from sre.platforms.local import require_port

    try:
        require_port(port)
    except SreError as error:
        return Finding(f"port {port}", "optional", False, "in use", str(error))
    return Finding(f"port {port}", "optional", True, "free")


def _root() -> Finding:
    ok = hasattr(os, "geteuid") and os.geteuid() == 0
    mend = "" if ok else "not needed now; faults that use iptables, namespaces or cgroups will need it"
    return Finding("root", "optional", ok, "yes" if ok else "no", mend)
