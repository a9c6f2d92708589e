"""A full disk: of one process, by a limit the kernel enforces on it, or of a whole small file system, by a ballast."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from sre.chaos.faults.http_status import status_of
from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.parameters import number, one_of, require
from sre.chaos.faults.targets import until
from sre.errors import PlatformError
from sre.platforms.model import Platform

HOW = ("limit", "ballast")
VICTIMS = ("recorder", "gateway")  # Prometheus would die of the limit's signal: that is another fault
RESERVE_BYTES = 16 * 1024
"""Given back once the disk was seen full: the ledger lies on it too, and must hold the proof."""
_SILENT_INTERVALS = 2.5
_SEEN_WITHIN_S = 20.0


@dataclass(frozen=True, slots=True)
class DiskFull(Fault):
    """`limit`: every further write of the `victim` to a file fails; nobody else notices. `ballast`: a file takes all
    the space of the state directory's own file system, which has at most `max_fs_mb` MiB and is not the root's.
    """

    name: ClassVar[str] = "disk-full"
    family: ClassVar[Family] = "host"
    summary: ClassVar[str] = "the disk is full: samples or logs cannot be written"
    protects: ClassVar[str] = "serving needs no disk; the recorder drops a segment and goes on when there is room"

    how: str = "limit"
    victim: str = "recorder"
    max_fs_mb: float = 1024.0

    def __post_init__(self) -> None:
        require(
            self.name,
            one_of("how", self.how, HOW),
            one_of("victim", self.victim, VICTIMS),
            number("max_fs_mb", self.max_fs_mb, above=0),
        )

    def plan(self, platform: Platform) -> Plan:
        if self.how == "ballast":
            require_small_and_own(platform.state_dir, max_fs_mb=self.max_fs_mb)
            return Plan(components=("host", "recorder"), handles={"how": "ballast", "victim": "recorder"})
        victim = dict(platform.process("gateway" if self.victim == "gateway" else "recorder"))
        limit = platform.file_limit(victim)
        if limit == 0:  # its undo would put back the other's limit, after the other's undo perhaps: then for ever
            raise PlatformError(f"the {self.victim} may write no byte already: end that fault first, `sre chaos heal`")
        handles = {"how": "limit", "victim": self.victim, "process": victim, "limit": limit}
        return Plan(components=(self.victim,), handles=handles)

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        if lease.plan.handles["how"] == "ballast":
            _fill(_reserve(platform, lease), RESERVE_BYTES)
            _fill(_ballast(platform, lease), None)
        elif not platform.set_file_limit(lease.plan.handles["process"], 0):
            raise PlatformError(f"{lease.plan.target}: its process is gone: see `sre status`")

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        victim = lease.plan.handles["victim"]
        evidence = _Silence(platform, victim)
        if not until(evidence.lasts, within_s=_SEEN_WITHIN_S, poll_s=0.1):
            raise NotProven(f"disk-full: the {victim} still writes to {evidence.place} after {_SEEN_WITHIN_S:g} s")
        if lease.plan.handles["how"] == "limit":
            if platform.file_limit(lease.plan.handles["process"]) != 0:
                raise NotProven(f"disk-full: the {victim} has no limit: another process set one at the same time")
            return (
                f"the {victim} may write no byte to a file; {evidence.place} has not grown for {evidence.span_s:.1f} s"
            )
        free = _free(platform.state_dir)
        _reserve(platform, lease).unlink(missing_ok=True)
        return (
            f"{platform.state_dir}: {free} bytes were free; {evidence.place} did not grow for {evidence.span_s:.1f} s"
        )

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        if lease.plan.handles["how"] == "limit":
            platform.set_file_limit(lease.plan.handles["process"], lease.plan.handles["limit"])
            return
        for path in (_ballast(platform, lease), _reserve(platform, lease)):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise PlatformError(f"{path}: cannot be removed ({error.strerror}): remove it by hand") from error

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        """What the victim writes grows again."""
        victim = lease.plan.handles["victim"]
        watched = _Silence(platform, victim)
        if not until(lambda: not watched.lasts() and watched.grew, within_s=timeout_s, poll_s=0.1):
            raise PlatformError(
                f"the {victim} does not write to {watched.place} within {timeout_s:g} s: see `sre status`"
            )
        return time.time()


class _Silence:
    """Watches whether what the victim writes has stopped growing, for longer than it usually pauses."""

    def __init__(self, platform: Platform, victim: str) -> None:
        self._platform = platform
        self._victim = victim
        self.place = platform.state_dir / ("samples" if victim == "recorder" else "logs/gateway.log")
        self._size = _bytes_in(self.place)
        self._since = time.monotonic()
        self._needed_s = _SILENT_INTERVALS * _interval_s(platform.state_dir)
        self.grew = False

    @property
    def span_s(self) -> float:
        return time.monotonic() - self._since

    def lasts(self) -> bool:
        if self._victim == "gateway":
            _provoke_a_log_line(self._platform.gateway_url)
        size = _bytes_in(self.place)
        if size != self._size:
            self.grew = self.grew or size > self._size
            self._size, self._since = size, time.monotonic()
        return self.span_s > self._needed_s


def require_small_and_own(directory: Path, *, max_fs_mb: float) -> None:
    """Raises PlatformError unless `directory` lies on a file system of its own of at most so many MiB."""
    mend = "mount a small one there (mount -t tmpfs -o size=64m), or use how: limit"
    if _is_root(directory):
        raise PlatformError(f"{directory}: lies on the root file system, which is never filled: {mend}")
    total_mb = os.statvfs(directory).f_blocks * os.statvfs(directory).f_frsize / 2**20
    if total_mb > max_fs_mb:
        raise PlatformError(f"{directory}: its file system has {total_mb:.0f} MiB, max_fs_mb is {max_fs_mb:g}: {mend}")


def _is_root(directory: Path) -> bool:
    return directory.stat().st_dev == Path("/").stat().st_dev


def _ballast(platform: Platform, lease: Lease) -> Path:
    return platform.state_dir / f".ballast-{lease.fault_id}"


def _reserve(platform: Platform, lease: Lease) -> Path:
    return platform.state_dir / f".reserve-{lease.fault_id}"


def _fill(path: Path, size: int | None) -> None:
    """Allocate `size` bytes; None: whatever is left, block by block in the end. Raises PlatformError."""
    chunk, end = (2**26, None) if size is None else (size, size)
    with path.open("wb") as file:
        at = 0
        while chunk and (end is None or at < end):
            try:
                os.posix_fallocate(file.fileno(), at, chunk)
                at += chunk
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise PlatformError(f"{path}: cannot be filled ({error.strerror}): use how: limit") from error
                chunk = chunk // 2 if chunk > 1 else 0


def _free(directory: Path) -> int:
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def _bytes_in(place: Path) -> int:
    """Of a file, or of all files in a folder."""
    total = 0
    for path in [place] if place.is_file() else place.glob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _interval_s(state_dir: Path) -> float:
    """The recorder's, 1 s where its configuration does not tell."""
    try:
        return float(json.loads((state_dir / "recorder.json").read_text("utf-8"))["interval_s"])
    except (OSError, ValueError, KeyError, TypeError):
        return 1.0


def _provoke_a_log_line(url: str) -> None:
    """The gateway logs each request, also one that is none; it counts as the client's fault, for no SLO."""
    status_of(f"{url}/v1/completions", body=b"{}")
