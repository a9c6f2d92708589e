"""Faults of a running engine, which it is told through its control file: slow, short of KV cache, on a broken GPU."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, ClassVar

from sre.chaos.faults.engine_keys import put_keys, require_free, take_keys
from sre.chaos.faults.model import Family, Fault, Lease, NotProven, Plan
from sre.chaos.faults.pace import require_slower, usual_s
from sre.chaos.faults.parameters import number, require, whole
from sre.chaos.faults.serving import revive, serving_again, why_silent
from sre.chaos.faults.targets import chosen, until
from sre.errors import PlatformError
from sre.platforms.model import Inference, Platform

XID_METRIC = "DCGM_FI_DEV_XID_ERRORS"
CONTAINED_XID = 94
XIDS = (48, 79, 94, 95)
SEEN_WITHIN_S = 10.0
DEAD_WITHIN_S = 5.0
DROPPED_WITHIN_S = 1.0  # after its deadline: an engine looks at it between two steps
TOO_LATE = "DEADLINE_EXCEEDED"
MOST_BLOCKS = 128
LEAST_WAITED = 0.9  # of the time until its deadline; one that is dropped sooner is judged by a clock that is wrong
_BLOCK_WORDS = 32  # two blocks of vLLM's usual size: more than was left to it in any case


class EngineFault(Fault):
    """A fault whose handles have `keys`, what the engine of each replica of the plan is told."""

    family: ClassVar[Family] = "engine"

    @staticmethod
    def apply(platform: Platform, lease: Lease) -> None:
        for name in lease.plan.replicas:
            put_keys(platform, name, lease.plan.handles["keys"])

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        for name in lease.plan.replicas:
            take_keys(platform, name, lease.plan.handles["keys"])

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        return serving_again(platform, lease.plan.replicas, timeout_s=timeout_s)


@dataclass(frozen=True, slots=True)
class ReplicaSlow(EngineFault):
    """Each step of the engine takes `factor` times as long, as on a GPU that throttles for its heat."""

    name: ClassVar[str] = "replica-slow"
    summary: ClassVar[str] = "every step of one engine takes so many times longer (thermal throttle)"
    protects: ClassVar[str] = "routing by outstanding tokens, ejection of the slow, hedged first tokens"

    replica: str = "busiest"
    factor: float = 3.0
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.name, number("factor", self.factor, above=1.25, most=1000))

    def plan(self, platform: Platform) -> Plan:
        name, keys = chosen(platform, self.replica, seed=self.seed).name, {"slow_factor": self.factor}
        require_free(platform, name, keys)
        return Plan(replicas=(name,), handles={"keys": keys, "usual_s": usual_s(platform, name)})

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        (name,), handles = lease.plan.replicas, lease.plan.handles
        factor = float(handles["keys"]["slow_factor"])
        return require_slower(platform, name, usual_s=float(handles["usual_s"]), factor=factor)


@dataclass(frozen=True, slots=True)
class KvExhaustion(EngineFault):
    """No more than `blocks` blocks of the engine's KV cache may be used: what needs more waits, and all behind it."""

    name: ClassVar[str] = "kv-exhaustion"
    summary: ClassVar[str] = "almost all of one engine's KV cache is taken away"
    protects: ClassVar[str] = "preemption without loss, admission by KV tokens, ejection of the silent"

    replica: str = "busiest"
    blocks: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        require(self.name, whole("blocks", self.blocks, least=0, most=MOST_BLOCKS))

    def plan(self, platform: Platform) -> Plan:
        name, keys = chosen(platform, self.replica, seed=self.seed).name, {"kv_blocks": self.blocks}
        require_free(platform, name, keys)
        answer = platform.infer(name, _prompt_beyond(self.blocks), timeout_s=SEEN_WITHIN_S)
        if answer.error is not None:
            raise PlatformError(f"{name}: a prompt of more than {self.blocks} blocks already fails: {answer.error}")
        return Plan(replicas=(name,), handles={"keys": keys, "usual_s": answer.seconds})

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        """A prompt that needs more blocks than are left waits in vain.

        It has a deadline, at which the engine drops it: Triton does not hear an HTTP client that gives up, and what
        cannot be admitted would hold up all behind it until the fault is undone.
        """
        (name,), handles = lease.plan.replicas, lease.plan.handles
        blocks = int(handles["keys"]["kv_blocks"])
        within_s, begun = max(2.0, 3 * float(handles["usual_s"])), time.monotonic()
        while time.monotonic() - begun < SEEN_WITHIN_S:
            answer = _asked_until(platform, name, _prompt_beyond(blocks), within_s)
            if answer is None:
                return f"{name}: a prompt of over {blocks} blocks gets no token in {within_s:.1f} s"
            if answer.error is not None:
                raise NotProven(f"{name}: a prompt of over {blocks} blocks fails instead of waiting: {answer.error}")
        raise NotProven(f"{name}: a prompt of over {blocks} blocks is still answered in less than {within_s:.1f} s")


@dataclass(frozen=True, slots=True)
class GpuError(EngineFault):
    """A GPU error of one replica, by its XID code (NVIDIA's), as the emulated engine has it.

    79, GPU lost: the engine dies, and no start on this replica succeeds until it is undone. 48, a double-bit ECC error,
    and 95, uncontained: the engine dies once. 94, contained: the request in the bad memory fails, then each
    `error_every`-th one, and the engine goes on.
    """

    name: ClassVar[str] = "gpu-xid"
    summary: ClassVar[str] = "a GPU error: lost (79), fatal ECC (48, 95) or contained ECC (94)"
    protects: ClassVar[str] = "ejection, restart with back-off, retries of single failed requests"

    replica: str = "busiest"
    xid: int = 79
    error_every: int = 4
    seed: int = 0

    def __post_init__(self) -> None:
        known = None if self.xid in XIDS else f"xid is {self.xid!r}: write one of {', '.join(map(str, XIDS))}"
        require(self.name, known, whole("error_every", self.error_every, least=1, most=1000))

    def plan(self, platform: Platform) -> Plan:
        name = chosen(platform, self.replica, seed=self.seed).name
        keys: dict[str, Any] = {"xid": self.xid}
        if self.xid == CONTAINED_XID:
            keys["error_every"] = self.error_every
        require_free(platform, name, keys)
        return Plan(replicas=(name,), handles={"keys": keys, "stub": dict(platform.process("stub", name))})

    @staticmethod
    def prove(platform: Platform, lease: Lease) -> str:
        return _prove_contained(platform, lease) if _xid(lease) == CONTAINED_XID else _prove_fatal(platform, lease)

    @staticmethod
    def undo(platform: Platform, lease: Lease) -> None:
        EngineFault.undo(platform, lease)
        if _xid(lease) != CONTAINED_XID:
            for name in lease.plan.replicas:
                revive(platform, name)


def _prompt_beyond(blocks: int) -> str:
    return " ".join(["memory"] * ((blocks + 1) * _BLOCK_WORDS))


def _asked_until(platform: Platform, name: str, prompt: str, within_s: float) -> Inference | None:
    """The answer, given so long for its first token; None when none came. Raises PlatformError when it is the replica
    that is gone.
    """
    try:
        answer = platform.infer(name, prompt, deadline_at=time.time() + within_s, timeout_s=within_s + DROPPED_WITHIN_S)
    except PlatformError:
        platform.metric(name, "vllm:num_requests_waiting")
        return None
    too_late = answer.error is not None and TOO_LATE in answer.error
    return None if too_late and answer.seconds >= LEAST_WAITED * within_s else answer


def _xid(lease: Lease) -> int:
    return int(lease.plan.handles["keys"]["xid"])


def _xid_on_page(platform: Platform, name: str) -> int | None:
    """None when the page does not answer, or says nothing of it."""
    try:
        samples = platform.metric(name, XID_METRIC)
    except PlatformError:
        return None
    return int(samples[0].value) if samples else None


def _prove_fatal(platform: Platform, lease: Lease) -> str:
    (name,), xid, stub = lease.plan.replicas, _xid(lease), lease.plan.handles["stub"]
    if not until(lambda: platform.condition(stub) == "gone", within_s=DEAD_WITHIN_S):
        raise NotProven(f"{name}: its engine lives on {DEAD_WITHIN_S:g} s after XID {xid}")
    shown = _xid_on_page(platform, name)
    silence = why_silent(platform, name)
    if silence is None:
        raise NotProven(f"{name}: its engine died of XID {xid}, and an inference succeeds")
    page = "its page is gone" if shown is None else f"its page says XID {shown}"
    return f"{name}: its model process is gone since XID {xid}, {page}; an inference: {silence}"


def _prove_contained(platform: Platform, lease: Lease) -> str:
    (name,), keys = lease.plan.replicas, lease.plan.handles["keys"]
    if not until(lambda: _xid_on_page(platform, name) == CONTAINED_XID, within_s=DEAD_WITHIN_S):
        raise NotProven(f"{name}: its page does not say XID {CONTAINED_XID}")
    for _ in range(2 * int(keys["error_every"]) + 1):
        error = why_silent(platform, name)
        if error is not None:
            return f"{name}: its page says XID {CONTAINED_XID}; one inference of several: {error}"
    raise NotProven(f"{name}: its page says XID {CONTAINED_XID}, and every inference succeeds")
