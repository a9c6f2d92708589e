"""Which replica is meant by `busiest`, `any`, or a name. Pure, so that a choice can be replayed from its seed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from sre.errors import PlatformError
from sre.platforms.model import Replica

SELECTORS = ("busiest", "any", "random")


def choose(selector: str, replicas: Sequence[Replica], *, inflight: Mapping[str, float], seed: int = 0) -> Replica:
    """One ready replica. `busiest` breaks ties by name; `any` is the first by name; `random` follows `seed`.

    Raises PlatformError when none is ready, or the named one does not exist or is not ready.
    """
    ready = sorted((r for r in replicas if r.state == "ready"), key=lambda r: r.name)
    if selector not in SELECTORS:
        return _named(selector, replicas)
    if not ready:
        states = ", ".join(f"{r.name} {r.state}" for r in replicas) or "there are none"
        raise PlatformError(f"no replica is ready ({states}): wait, or look at the logs with `sre status`")
    if selector == "busiest":
        return max(ready, key=lambda r: (inflight.get(r.name, 0.0), [-ord(c) for c in r.name]))
    if selector == "random":
        return random.Random(seed).choice(ready)  # noqa: S311  (repeatable on purpose)
    return ready[0]


def _named(name: str, replicas: Sequence[Replica]) -> Replica:
    for replica in replicas:
        if replica.name == name:
            if replica.state != "ready":
                raise PlatformError(f"replica {name} is {replica.state}, not ready: wait, or choose another")
            return replica
    known = ", ".join([*SELECTORS, *(r.name for r in replicas)])
    raise PlatformError(f"replica {name!r} does not exist: use one of {known}")
