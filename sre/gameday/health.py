"""Whether a platform is fit for the next drill: everything serves, nothing is broken, nobody is still being served.

Looked at between drills. What a drill left behind would be measured as the next one's; a platform that does not come
back to calm in time is better started anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from sre.chaos.leases.healing import heal_leftovers
from sre.chaos.leases.ledger import Ledger
from sre.errors import SreError
from sre.gameday.running import RunningPlatform
from sre.platforms.local import LocalPlatform
from sre.platforms.processes import find
from sre.platforms.state import LocalState, NotUp

CALM_TIMEOUT_S = 30.0
_POLL_S = 0.25


def await_calm(
    running: RunningPlatform,
    *,
    timeout_s: float = CALM_TIMEOUT_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str | None:
    """Wait until the platform is fit; None then, else what is wrong with it. One that is gone is told at once."""
    deadline = clock() + timeout_s
    while True:
        try:
            wrong = next(ailments(running), None)
        except NotUp as error:
            return str(error)
        except SreError as error:
            wrong = str(error)
        if wrong is None or clock() > deadline:
            return wrong
        sleep(_POLL_S)


def ailments(running: RunningPlatform) -> Iterator[str]:
    """What is wrong now, the plainest first. Raises PlatformError when it cannot be asked."""
    platform = running.platform
    heal_leftovers(platform, by="sre")
    for fault in Ledger(platform.state_dir).open_faults():
        yield f"{fault.fault} on {fault.target} is still open"
    state = platform.state()
    yield from _replicas(platform, running.spec.replicas)
    yield from _observers(state, running)
    for replica in platform.replicas():
        if platform.engine_faults(replica.name):
            yield f"{replica.name} still has engine faults"
    busy = sum(platform.inflight().values())
    if busy:
        yield f"{busy:g} requests are still in flight"


def _replicas(platform: LocalPlatform, wanted: int) -> Iterator[str]:
    replicas = platform.replicas()
    if len(replicas) != wanted:
        yield f"{len(replicas)} replicas run, {wanted} were asked for"
    for replica in replicas:
        if replica.state != "ready":
            yield f"{replica.name} is {replica.state}"
        elif replica.serving is False or replica.rotation not in (None, "up"):
            yield f"{replica.name} gets no work ({replica.rotation})"


def _observers(state: LocalState, running: RunningPlatform) -> Iterator[str]:
    if find(state.gateway) is None:
        yield "the gateway does not run"
    if find(state.recorder) is None:
        yield "the recorder does not run"
    if running.prometheus_url is not None and find(state.prometheus) is None:
        yield "Prometheus does not run"
    if running.spec.autoscale is not None and (state.autoscaler is None or find(state.autoscaler.process) is None):
        yield "the autoscaler does not run"
