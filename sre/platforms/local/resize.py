"""Drain, undrain and scale to the end: ask, then watch the state file until it is so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from serving.fleet.model import DRAIN_MARGIN_S, SCALE_IN_GRACE_S, PlatformSpec
from sre.errors import PlatformError
from sre.platforms.local.describe import start_limit_s
from sre.platforms.local.errors import serving_errors_as_ours
from sre.platforms.local.platform import LocalPlatform
from sre.platforms.model import Replica
from sre.platforms.state import EventTail

Progress = Callable[[str], None]
STOP_S = 20.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Drained:
    """`inflight_left` requests had to be moved to other replicas when the grace ended."""

    replica: str
    seconds: float
    inflight_left: int


def drain(
    platform: LocalPlatform,
    name: str,
    *,
    grace_s: float = 30.0,
    restart: bool = False,
    force: bool = False,
    on_progress: Progress = lambda _: None,
) -> Drained:
    """Take a replica out of service and wait until its process has ended; with `restart`, until it serves again.

    Raises SreError for an unknown replica, PlatformError when it is refused or does not come about.
    """
    events = EventTail(platform.state_dir)
    events.new()
    was_drained = any(r.name == name and r.state == "drained" for r in platform.replicas())
    platform.drain(name, grace_s=grace_s, restart=restart, force=force)
    detail: dict[str, Any] = {}  # of one that was drained already there is no event, and it may be starting by now
    if not was_drained:
        limit_s = grace_s + DRAIN_MARGIN_S + STOP_S
        detail = _await_drained(platform, events, name, limit_s=limit_s, on_progress=on_progress)
    if restart:
        _await_serving(platform, [name], limit_s=_start_limit_s(platform), on_progress=on_progress)
    return Drained(name, float(detail.get("seconds", 0.0)), int(detail.get("inflight_left", 0)))


def undrain(platform: LocalPlatform, name: str, *, on_progress: Progress = lambda _: None) -> None:
    """Bring a replica back and wait until the gateway gives it work."""
    platform.undrain(name)
    _await_serving(platform, [name], limit_s=_start_limit_s(platform), on_progress=on_progress)


def scale(
    platform: LocalPlatform, replicas: int, *, reason: str = "sre scale", on_progress: Progress = lambda _: None
) -> tuple[Replica, ...]:
    """Have that many replicas and wait until they are there and serve, and the others are gone. Drained ones count.

    Raises PlatformError when it does not come about, also because somebody else asked for another number meanwhile.
    """
    platform.scale(replicas, reason=reason)
    tell = _Changes(on_progress)
    deadline = time.monotonic() + _start_limit_s(platform) + SCALE_IN_GRACE_S + STOP_S
    while True:
        state, now = platform.state(), platform.replicas()
        tell(now)
        if state.desired_replicas not in (None, replicas):
            raise PlatformError(f"somebody asked for {state.desired_replicas} replicas meanwhile: see `sre status`")
        if len(now) == replicas and all(_settled(replica) for replica in now):
            return now
        if time.monotonic() > deadline:
            raise PlatformError(f"not {replicas} serving replicas in time ({_states(now)}): see `sre status`")
        time.sleep(_POLL_S)


def _await_drained(
    platform: LocalPlatform, events: EventTail, name: str, *, limit_s: float, on_progress: Progress
) -> dict[str, Any]:
    """The detail of the event that says so; empty when the replica was drained already."""
    tell, deadline = _Changes(on_progress), time.monotonic() + limit_s
    while True:
        ended = [e for e in events.new() if e.get("event") == "replica_drained" and e.get("replica") == name]
        if ended:
            return dict(ended[-1].get("detail") or {})
        replica = _of(platform, name)
        tell((replica,))
        if replica.state == "drained":
            return {}
        if time.monotonic() > deadline:
            raise PlatformError(
                f"replica {name} is {replica.state}, not drained, after {limit_s:g} s: see `sre status`"
            )
        time.sleep(_POLL_S)


def _await_serving(platform: LocalPlatform, names: list[str], *, limit_s: float, on_progress: Progress) -> None:
    tell, deadline = _Changes(on_progress), time.monotonic() + limit_s
    while True:
        replicas = [_of(platform, name) for name in names]
        tell(tuple(replicas))
        if all(replica.state == "ready" and replica.serving for replica in replicas):
            return
        if time.monotonic() > deadline:
            logs = platform.state_dir / "logs"
            raise PlatformError(f"not serving after {limit_s:g} s ({_states(replicas)}): see {logs}")
        time.sleep(_POLL_S)


class _Changes:
    """Tells each replica's condition when it is another than before."""

    def __init__(self, on_progress: Progress) -> None:
        self._tell = on_progress
        self._before: dict[str, str] = {}

    def __call__(self, replicas: tuple[Replica, ...]) -> None:
        now = {replica.name: _condition(replica) for replica in replicas}
        for name, condition in now.items():
            if self._before.get(name) != condition:
                self._tell(f"{name} {condition}")
        for name in self._before.keys() - now.keys():
            self._tell(f"{name} gone")
        self._before = now


def _condition(replica: Replica) -> str:
    return "serving" if replica.state == "ready" and replica.serving else replica.state


def _settled(replica: Replica) -> bool:
    return replica.state == "drained" or (replica.state == "ready" and bool(replica.serving))


def _states(replicas: tuple[Replica, ...] | list[Replica]) -> str:
    return ", ".join(f"{replica.name} {_condition(replica)}" for replica in replicas)


def _of(platform: LocalPlatform, name: str) -> Replica:
    found = next((replica for replica in platform.replicas() if replica.name == name), None)
    if found is None:
        raise PlatformError(f"replica {name} left the platform meanwhile: see `sre status`")
    return found


def _start_limit_s(platform: LocalPlatform) -> float:
    path = platform.state_dir / "spec.json"
    with serving_errors_as_ours():
        return start_limit_s(PlatformSpec.from_json(path.read_text("utf-8"), path=str(path)))
