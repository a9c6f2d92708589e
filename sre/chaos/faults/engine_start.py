"""Faults that show when a replica is started: a model that does not load, a bad new version, a slow cold start."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

from sre.chaos.faults.engine import EngineFault
from sre.chaos.faults.engine_keys import put_keys, require_free
from sre.chaos.faults.model import Lease, NotProven, Plan
from sre.chaos.faults.pace import require_slower, usual_s
from sre.chaos.faults.parameters import number, one_of, require, whole
from sre.chaos.faults.serving import seen, why_silent
from sre.chaos.faults.targets import chosen, until
from sre.errors import PlatformError
from sre.platforms.model import Platform, Replica

COLD_START_METRIC = "sre_engine_cold_start_seconds"
INJECTED_PHASE = "injected"
BAD_OUTPUT = "\ufffd"
RESTARTS = ("drain", "kill")
DRAIN_GRACE_S = 5.0
REFUSED_WITHIN_S = 45.0
RESTARTED_WITHIN_S = 30.0
_BAD_LOOKS = 64  # as rare as it may be


class StartFault(EngineFault):
    """The engine is told first, then its replica is started again: by an orderly `drain`, or by a `kill`."""

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        (name,), handles = lease.plan.replicas, lease.plan.handles
        put_keys(platform, name, handles["keys"])
        if handles["restart"] == "kill":
            platform.signal(handles["server"], "kill")
        else:
            platform.drain(name, grace_s=DRAIN_GRACE_S, restart=True)


@dataclass(frozen=True, slots=True)
class ModelLoadFailure(StartFault):
    """The replica is started again and its model cannot be loaded: the server exits, again and again."""

    name: ClassVar[str] = "model-load-failure"
    summary: ClassVar[str] = "a restarted replica cannot load its model"
    protects: ClassVar[str] = "restart with back-off, the other replicas' spare room, alerts on missing replicas"

    replica: str = "busiest"
    restart: str = "kill"
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.name, one_of("restart", self.restart, RESTARTS))

    def plan(self, platform: Platform) -> Plan:
        return _plan(platform, self.replica, self.seed, self.restart, {"fail_load": True})

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        (name,), handles = lease.plan.replicas, lease.plan.handles
        after = int(handles["restarts"]) + (handles["restart"] == "kill")  # a drain's own start is not counted

        def is_refused() -> bool:
            replica = seen(platform, name)
            gone = platform.condition(handles["server"]) == "gone"
            return gone and replica is not None and replica.state == "backoff" and replica.restarts >= after

        if not until(is_refused, within_s=REFUSED_WITHIN_S):
            raise NotProven(f"{name}: no back-off within {REFUSED_WITHIN_S:g} s, {_state_of(platform, name)}")
        return f"{name}: its server exited while it loaded the model, its supervisor backs off"


@dataclass(frozen=True, slots=True)
class BadRollout(StartFault):
    """A canary: one replica is started again with a version whose answers are bad.

    Each `error_every`-th request fails, each `bad_output_every`-th token is rubbish, each step takes `slow_factor`
    times as long; without any of them each third request fails. The undo makes the running engine the good version.
    """

    name: ClassVar[str] = "bad-rollout"
    summary: ClassVar[str] = "one replica is restarted with a version that errs, babbles or is slow"
    protects: ClassVar[str] = "ejection of outliers, per-replica error rates, roll back"

    replica: str = "any"
    error_every: int | None = None
    bad_output_every: int | None = None
    slow_factor: float | None = None
    restart: str = "drain"
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.name,
            *(whole(key, value, least=1, most=64) for key, value in self._keys().items() if key != "slow_factor"),
            None if self.slow_factor is None else number("slow_factor", self.slow_factor, above=1.25, most=1000),
            one_of("restart", self.restart, RESTARTS),
        )

    def plan(self, platform: Platform) -> Plan:
        return _plan(platform, self.replica, self.seed, self.restart, self._keys())

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        (name,), keys = lease.plan.replicas, lease.plan.handles["keys"]
        if not until(lambda: _is_started_anew(platform, lease), within_s=RESTARTED_WITHIN_S):
            raise NotProven(f"{name}: no restart within {RESTARTED_WITHIN_S:g} s, {_state_of(platform, name)}")
        if set(keys) == {"slow_factor"}:
            return _slow_version(platform, lease)
        return f"{name}: restarted; {_first_bad(platform, name, errs='error_every' in keys)}"

    def _keys(self) -> dict[str, Any]:
        told = {
            "error_every": self.error_every,
            "bad_output_every": self.bad_output_every,
            "slow_factor": self.slow_factor,
        }
        return {key: value for key, value in told.items() if value is not None} or {"error_every": 3}


@dataclass(frozen=True, slots=True)
class ColdStart(StartFault):
    """The replica is killed, and its next start takes `extra_s` seconds more. The undo ends the wait of a start.

    Beyond the supervisor's patience with a start (a minute, and the profile's cold start) it is started again.
    """

    name: ClassVar[str] = "cold-start"
    summary: ClassVar[str] = "a killed replica takes much longer to come back"
    protects: ClassVar[str] = "spare replicas, admission by predicted wait, warm-up before work is given"

    replica: str = "busiest"
    extra_s: float = 20.0
    restart: str = "kill"
    seed: int = 0

    def __post_init__(self) -> None:
        require(
            self.name, number("extra_s", self.extra_s, above=0, most=3600), one_of("restart", self.restart, RESTARTS)
        )

    def plan(self, platform: Platform) -> Plan:
        return _plan(platform, self.replica, self.seed, self.restart, {"cold_start_extra_s": self.extra_s})

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        (name,), handles = lease.plan.replicas, lease.plan.handles
        if not until(lambda: _is_started_anew(platform, lease), within_s=RESTARTED_WITHIN_S):
            raise NotProven(f"{name}: no new start within {RESTARTED_WITHIN_S:g} s, {_state_of(platform, name)}")
        start_s, begun = float(handles["start_s"]), time.monotonic()
        late_s = 2 * start_s + 1.0
        while (took_s := time.monotonic() - begun) < late_s:
            injected_s = _injected_s(platform, name)
            if injected_s:
                return f"{name}: its page says that its start took {injected_s:.1f} s more"
            time.sleep(0.1)
        if not _is_starting(platform, name):
            raise NotProven(f"{name}: {_state_of(platform, name)} {took_s:.1f} s after its start began: not slow")
        return f"{name}: starting for {took_s:.1f} s, its last start took {start_s:.1f} s"


def _plan(platform: Platform, selector: str, seed: int, restart: str, keys: dict[str, Any]) -> Plan:
    target = chosen(platform, selector, seed=seed)
    require_free(platform, target.name, keys)
    handles: dict[str, Any] = {
        "keys": keys,
        "restart": restart,
        "server": dict(platform.process("server", target.name)),
        "restarts": target.restarts,
        "start_s": _start_s(target),
    }
    if "slow_factor" in keys:
        handles["usual_s"] = usual_s(platform, target.name)
    return Plan(replicas=(target.name,), handles=handles)


def _start_s(replica: Replica) -> float:
    """What its last start took, where that is known."""
    if replica.created is None or replica.ready_at is None:
        return 0.0
    return max(0.0, replica.ready_at - replica.created)


def _state_of(platform: Platform, name: str) -> str:
    replica = seen(platform, name)
    return "gone" if replica is None else f"it is {replica.state}"


def _is_starting(platform: Platform, name: str) -> bool:
    replica = seen(platform, name)
    return replica is not None and replica.state == "starting"


def _is_started_anew(platform: Platform, lease: Lease) -> bool:
    if platform.condition(lease.plan.handles["server"]) != "gone":
        return False
    try:
        platform.process("server", lease.plan.replicas[0])
    except PlatformError:
        return False
    return True


def _injected_s(platform: Platform, name: str) -> float:
    try:
        samples = platform.metric(name, COLD_START_METRIC)
    except PlatformError:
        return 0.0
    return sum(sample.value for sample in samples if sample.labels.get("phase") == INJECTED_PHASE)


def _first_bad(platform: Platform, name: str, *, errs: bool) -> str:
    """What a direct inference shows of a bad version. Raises NotProven when all are good."""
    deadline, good = time.monotonic() + RESTARTED_WITHIN_S, 0
    while good < _BAD_LOOKS and time.monotonic() < deadline:
        try:
            answer = platform.infer(name, "is this version any good", max_tokens=64, timeout_s=10.0)
        except PlatformError:
            time.sleep(0.2)  # it is still starting
            continue
        if answer.error is not None and errs:
            return f"an inference straight at it: {' '.join(answer.error.split())}"
        if BAD_OUTPUT in answer.text:
            return f"{answer.text.count(BAD_OUTPUT)} of 64 tokens are rubbish"
        good += 1
    raise NotProven(f"{name}: {good} inferences straight at it after its restart, all good")


def _slow_version(platform: Platform, lease: Lease) -> str:
    (name,), handles = lease.plan.replicas, lease.plan.handles
    if not until(lambda: why_silent(platform, name) is None, within_s=RESTARTED_WITHIN_S):
        raise NotProven(f"{name}: its new version does not answer {RESTARTED_WITHIN_S:g} s after its restart")
    factor = float(handles["keys"]["slow_factor"])
    return require_slower(platform, name, usual_s=float(handles["usual_s"]), factor=factor)
