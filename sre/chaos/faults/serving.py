"""What the faults of replicas and engines share: does it serve, is its engine dead for good, is it well again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable

from sre.errors import PlatformError
from sre.platforms.model import NoProcess, Platform, Replica, Unsupported
from sre.platforms.state import NotUp

ASK_TIMEOUT_S = 2.0
PROMPT = "are you still there"
_POLL_S = 0.1


def seen(platform: Platform, name: str) -> Replica | None:
    """The replica as it is now; None when it was scaled away, or no platform is up."""
    with contextlib.suppress(NotUp):
        return next((replica for replica in platform.replicas() if replica.name == name), None)
    return None


def why_silent(platform: Platform, name: str, *, timeout_s: float = ASK_TIMEOUT_S) -> str | None:
    """Why a small inference straight at the replica fails, on one line; None when it does not."""
    try:
        error = platform.infer(name, PROMPT, timeout_s=timeout_s).error
    except (NotUp, Unsupported):
        raise
    except PlatformError as silence:
        error = str(silence)
    return None if error is None else " ".join(error.split())


def engine_is_dead(platform: Platform, name: str) -> bool:
    """Whether the replica's server has no live model process. Only of use where the server is there.

    Raises PlatformError when nobody could look: that is no reason to kill it.
    """
    try:
        return platform.condition(platform.process("stub", name)) == "gone"
    except Unsupported:
        return False  # nobody can tell
    except NoProcess:
        return True


def revive(platform: Platform, name: str) -> None:
    """Kill a server that stands green over a dead engine: it would never mend itself. The supervisor starts both.

    One that is starting, leaving or has a live engine is left alone, so a successor is never hit.
    """
    replica = seen(platform, name)
    if replica is None or replica.state != "ready":
        return
    try:
        server = platform.process("server", name)
    except NoProcess:
        return  # it died meanwhile
    if engine_is_dead(platform, name):
        platform.signal(server, "kill")


def serving_again(platform: Platform, names: Iterable[str], *, timeout_s: float) -> float:
    """Wait until each replica answers an inference and the gateway routes to it; since when, Unix time.

    One that was scaled away or drained meanwhile has nothing to recover. Raises PlatformError on timeout.
    """
    deadline = time.monotonic() + timeout_s
    return max((_serving_again(platform, name, deadline) for name in names), default=0.0)


def _serving_again(platform: Platform, name: str, deadline: float) -> float:
    replica = seen(platform, name)
    if replica is not None and replica.state == "drained":
        return 0.0
    try:
        since = platform.wait_ready(name, timeout_s=max(0.0, deadline - time.monotonic()))
    except PlatformError:
        if seen(platform, name) is None:
            return 0.0
        raise
    while (why := _why_not_serving(platform, name)) is not None:
        if time.monotonic() > deadline:
            raise PlatformError(f"replica {name} is up but does not serve in time ({why}): see `sre status`")
        time.sleep(_POLL_S)
        since = time.time()
    return since


def _why_not_serving(platform: Platform, name: str) -> str | None:
    replica = seen(platform, name)
    if replica is None:  # its pod has a successor by another name, or it was scaled away
        return None
    if replica.state != "ready":
        return f"it is {replica.state}"
    if replica.serving is False:
        return f"the gateway holds it out: {replica.rotation}"
    try:
        return why_silent(platform, name)
    except Unsupported:
        return None
