"""The steady state once more, after the rollbacks: what was broken must be whole again, not merely undone.

Chaos Toolkit looks before and after the method only, and its own look crashes on a NaN. Here every probe is read each
time, with the toolkit's own activities and tolerances, until all are met or the time is over.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chaoslib.activity import run_activity
from chaoslib.caching import lookup_activity
from chaoslib.exceptions import ActivityFailed, InterruptExecution
from chaoslib.hypothesis import within_tolerance

POLL_S = 1.0
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProbeSeen:
    """One probe's last reading. `value` is None when it could not be read; `said` is why."""

    name: str
    value: Any
    tolerance_met: bool
    said: str = ""


@dataclass(frozen=True, slots=True)
class SteadyLook:
    """`met` by every probe, `waited_s` after the first look. `interrupted`: somebody cut the waiting short."""

    met: bool
    probes: tuple[ProbeSeen, ...]
    waited_s: float
    interrupted: bool = False

    def record(self) -> dict[str, Any]:
        """For ledger and journal."""
        return {**asdict(self), "probes": [asdict(probe) for probe in self.probes]}


def steady_again(
    experiment: Json,
    configuration: Json,
    secrets: Json,
    *,
    settle_s: float,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> SteadyLook:
    """Look until the steady state is met, for at most `settle_s` seconds."""
    began = now()
    seen: tuple[ProbeSeen, ...] = ()
    hypothesis = experiment.get("steady-state-hypothesis") or {}
    try:
        while True:
            seen = tuple(_read(probe, configuration, secrets) for probe in hypothesis.get("probes") or ())
            met, waited_s = all(probe.tolerance_met for probe in seen), round(now() - began, 3)
            if met or waited_s >= settle_s:
                return SteadyLook(met, seen, waited_s)
            sleep(min(POLL_S, max(0.0, settle_s - waited_s)))
    except (KeyboardInterrupt, SystemExit, InterruptExecution):
        return SteadyLook(False, seen, round(now() - began, 3), interrupted=True)


def _read(declared: Json, configuration: Json, secrets: Json) -> ProbeSeen:
    probe: dict[str, Any] = (lookup_activity(declared["ref"]) if "ref" in declared else dict(declared)) or {}
    name = str(probe.get("name") or declared.get("ref"))
    try:
        value = _plain(run_activity(probe, configuration, secrets))
        tolerance = copy.deepcopy(probe.get("tolerance"))  # a probe as tolerance gets the value written into it
        met = within_tolerance(tolerance, value, configuration=configuration, secrets=secrets)
    except InterruptExecution:
        raise
    except ActivityFailed as error:
        return ProbeSeen(name, None, False, str(error))
    except Exception as error:  # noqa: BLE001  (a tolerance may raise anything: then the reading is not tolerated)
        return ProbeSeen(name, None, False, f"{type(error).__name__}: {error}")
    return ProbeSeen(name, value, met is True)


def _plain(value: Any) -> Any:
    """The value as JSON can carry it. Raises ValueError for NaN and infinity: they are no readings."""
    try:
        json.dumps(value, allow_nan=False)
    except TypeError:
        return repr(value)
    return value
