"""Faults of a replica's engine, told through its control file as on the real platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sre.chaos.faults.engine import DROPPED_WITHIN_S, LEAST_WAITED
from sre.chaos.faults.model import Lease, Plan
from sre.gameday.rehearsal.acts.model import Act, revive, why_silent
from sre.gameday.rehearsal.stage import WouldFail
from sre.platforms.local.rehearse import NO_FAULTS

CONTAINED_XID = 94
BAD_OUTPUT = "\ufffd"
SEEN_WITHIN_S = 10.0
RESTARTED_WITHIN_S = 30.0
REFUSED_WITHIN_S = 45.0
DRAIN_GRACE_S = 5.0
_BLOCK_WORDS = 32
_LOOKS, _LOOK_TOKENS, _MOST_LOOKS = 3, 16, 64


class EngineAct(Act):
    """Keys in the control file of each replica of the plan; `usual_s` is how long a small answer took before."""

    usual_s = 0.0

    def keys(self) -> Mapping[str, Any]:
        raise NotImplementedError

    def plan(self) -> Plan:
        return Plan(replicas=(self.chosen().name,), handles={"keys": dict(self.keys())})

    async def apply(self, lease: Lease) -> None:
        for name in lease.plan.replicas:
            self.put(name)

    async def undo(self, lease: Lease) -> None:
        for name in lease.plan.replicas:
            self.take(name)

    def put(self, name: str) -> None:
        self.platform.set_faults(name, replace(self.platform.faults(name), **self.keys()))

    def take(self, name: str) -> None:
        sound = {key: getattr(NO_FAULTS, key) for key in self.keys()}
        self.platform.set_faults(name, replace(self.platform.faults(name), **sound))

    async def measure(self, name: str) -> None:
        """How long a small answer takes while all is well: the best of three looks."""
        looks = [(await self.scene.infer(name, max_tokens=_LOOK_TOKENS, timeout_s=10.0)).seconds for _ in range(_LOOKS)]
        self.usual_s = min(looks)

    async def require_slower(self, name: str, factor: float) -> str:
        """Half of the difference is enough: the rest of an inference's time is not the engine's."""
        slow_s, began = self.usual_s * (1 + factor) / 2, self.scene.now()
        while self.scene.now() - began <= SEEN_WITHIN_S:
            took = (await self.scene.infer(name, max_tokens=_LOOK_TOKENS, timeout_s=1.5 * slow_s + 0.5)).seconds
            if took >= slow_s:
                return f"{name}: {_LOOK_TOKENS} tokens take {took:.2f} s or more, {self.usual_s:.2f} s before"
        raise WouldFail(f"{name}: {_LOOK_TOKENS} tokens take as long as before: it is not slow")


class Slow(EngineAct):
    """Each step takes so many times as long."""

    def keys(self) -> Mapping[str, Any]:
        return {"slow_factor": float(self.param("factor"))}

    async def apply(self, lease: Lease) -> None:
        await self.measure(lease.plan.replicas[0])
        await super().apply(lease)

    async def prove(self, lease: Lease) -> str:
        return await self.require_slower(lease.plan.replicas[0], float(self.param("factor")))


class KvExhaustion(EngineAct):
    """Few blocks of KV cache are left."""

    def keys(self) -> Mapping[str, Any]:
        return {"kv_blocks": int(self.param("blocks"))}

    async def apply(self, lease: Lease) -> None:
        answer = await self.scene.infer(lease.plan.replicas[0], self._prompt(), timeout_s=SEEN_WITHIN_S)
        self.usual_s = answer.seconds
        await super().apply(lease)

    async def prove(self, lease: Lease) -> str:
        (name,), began = lease.plan.replicas, self.scene.now()
        within_s = max(2.0, 3 * self.usual_s)
        while self.scene.now() - began < SEEN_WITHIN_S:
            answer = await self.scene.infer(
                name, self._prompt(), deadline_at=self.scene.now() + within_s, timeout_s=within_s + DROPPED_WITHIN_S
            )
            if answer.error is not None and answer.seconds >= LEAST_WAITED * within_s:
                return f"{name}: a prompt of over {self.param('blocks')} blocks gets no token in {within_s:.1f} s"
            if answer.error is not None:
                raise WouldFail(f"{name}: a prompt of over {self.param('blocks')} blocks fails: {answer.error}")
        raise WouldFail(f"{name}: a prompt of over {self.param('blocks')} blocks is still answered")

    def _prompt(self) -> str:
        return " ".join(["memory"] * ((int(self.param("blocks")) + 1) * _BLOCK_WORDS))


class GpuError(EngineAct):
    """An XID: fatal ones end the engine, a contained one costs single requests."""

    def keys(self) -> Mapping[str, Any]:
        xid = int(self.param("xid"))
        return {"xid": xid, "error_every": int(self.param("error_every"))} if xid == CONTAINED_XID else {"xid": xid}

    async def prove(self, lease: Lease) -> str:
        (name,), xid = lease.plan.replicas, int(self.param("xid"))
        if xid == CONTAINED_XID:
            return f"{name}: XID {xid}; one inference of several: {await self._an_error(name)}"
        if not await self.scene.until(lambda: self.platform.condition(name, "stub") == "gone", within_s=5.0):
            raise WouldFail(f"{name}: its engine lives on after XID {xid}")
        silence = await why_silent(self.scene, name)
        return f"{name}: its model process is gone since XID {xid}; an inference: {silence}"

    async def undo(self, lease: Lease) -> None:
        await super().undo(lease)
        if int(self.param("xid")) != CONTAINED_XID:
            for name in lease.plan.replicas:
                revive(self.scene, name)

    async def _an_error(self, name: str) -> str:
        for _ in range(2 * int(self.param("error_every")) + 1):
            error = await why_silent(self.scene, name)
            if error is not None:
                return error
        raise WouldFail(f"{name}: every inference succeeds")


class Poison(EngineAct):
    """Every engine dies of a word; one request that holds it goes through the gateway."""

    def keys(self) -> Mapping[str, Any]:
        return {"poison": "arsenic"}

    def plan(self) -> Plan:
        armed = tuple(sorted(replica.name for replica in self.scene.replicas() if replica.state == "ready"))
        most = min(int(self.param("max_crashed")), len(armed))
        return Plan(replicas=armed, at_most=most, handles={"keys": dict(self.keys())})

    async def prove(self, lease: Lease) -> str:
        await self.platform.sleep(0.5)
        answer = await self.platform.ask("arsenic rehearsal", timeout_s=float(self.param("timeout_s")))
        names = lease.plan.replicas
        dead = [name for name in names if self.platform.condition(name, "stub") == "gone" or self._left(name)]
        if not dead:
            raise WouldFail("the poison request crashed no engine")
        return f"1 request crashed {len(dead)} of {len(names)} engines; its client got {answer.error or 'an answer'}"

    async def undo(self, lease: Lease) -> None:
        await super().undo(lease)
        for name in lease.plan.replicas:
            revive(self.scene, name)

    def _left(self, name: str) -> bool:
        replica = self.scene.seen(name)
        return replica is None or replica.state != "ready"


class ClockSkew(EngineAct):
    """A replica's clock is wrong, so it judges deadlines wrongly."""

    note = "the proof, a request with a deadline, is not asked"

    def keys(self) -> Mapping[str, Any]:
        return {"clock_skew_s": float(self.param("skew_s"))}

    async def prove(self, lease: Lease) -> str:
        await self.platform.sleep(0.1)
        return f"{lease.plan.target}: its clock is {self.param('skew_s'):g} s off"


class StartAct(EngineAct):
    """The engine is told first, then its replica is started again."""

    restarts = 0
    starts = 0

    async def apply(self, lease: Lease) -> None:
        (name,) = lease.plan.replicas
        replica = self.scene.seen(name)
        self.restarts = 0 if replica is None else replica.restarts
        self.starts = self._starts(name)
        if "slow_factor" in self.keys():
            await self.measure(name)
        self.put(name)
        if self.param("restart") == "kill":
            self.platform.crash(name)
        else:
            await self.platform.drain(name, grace_s=DRAIN_GRACE_S, restart=True)

    async def restarted(self, name: str) -> None:
        """Until a new server is started in the place of the old one. Raises WouldFail."""
        if not await self.scene.until(lambda: self._starts(name) > self.starts, within_s=RESTARTED_WITHIN_S):
            raise WouldFail(f"{name}: no restart within {RESTARTED_WITHIN_S:g} s")

    def _starts(self, name: str) -> int:
        """How often it was started so far, by the supervisor's events."""
        own = [event for event in self.platform.events() if event.get("replica") == name]
        return sum(event.get("event") == "replica_started" for event in own)


class ModelLoadFailure(StartAct):
    """A restarted replica cannot load its model."""

    def keys(self) -> Mapping[str, Any]:
        return {"fail_load": True}

    async def prove(self, lease: Lease) -> str:
        (name,) = lease.plan.replicas
        after = self.restarts + (self.param("restart") == "kill")

        def refused() -> bool:
            replica = self.scene.seen(name)
            backs_off = replica is not None and replica.state == "backoff" and replica.restarts >= after
            return backs_off and self._tried(name)

        if not await self.scene.until(refused, within_s=REFUSED_WITHIN_S):
            raise WouldFail(f"{name}: no back-off within {REFUSED_WITHIN_S:g} s")
        return f"{name}: its server exited while it loaded the model, its supervisor backs off"

    def _tried(self, name: str) -> bool:
        """Whether a start with the bad model has failed: the exit of the kill itself is not it."""
        exits = [e for e in self.platform.events() if e.get("event") == "replica_exited" and e.get("replica") == name]
        return len(exits) > 1


class BadRollout(StartAct):
    """One replica is restarted with a version that errs, babbles or is slow."""

    def keys(self) -> Mapping[str, Any]:
        told = {key: self.param(key) for key in ("error_every", "bad_output_every", "slow_factor")}
        return {key: value for key, value in told.items() if value is not None} or {"error_every": 3}

    async def prove(self, lease: Lease) -> str:
        (name,) = lease.plan.replicas
        await self.restarted(name)
        deadline = self.scene.now() + RESTARTED_WITHIN_S
        if set(self.keys()) == {"slow_factor"}:
            await self._answers(name, deadline)
            return await self.require_slower(name, float(self.keys()["slow_factor"]))
        return f"{name}: restarted; {await self._first_bad(name, deadline)}"

    async def _answers(self, name: str, deadline: float) -> None:
        while (await why_silent(self.scene, name)) is not None:
            if self.scene.now() > deadline:
                raise WouldFail(f"{name}: its new version does not answer")
            await self.platform.sleep(0.2)

    async def _first_bad(self, name: str, deadline: float) -> str:
        good = 0
        while good < _MOST_LOOKS and self.scene.now() < deadline:
            replica = self.scene.seen(name)
            if replica is None or replica.state != "ready":
                await self.platform.sleep(0.2)
                continue
            answer = await self.scene.infer(name, "is this version any good", max_tokens=64, timeout_s=10.0)
            if answer.error is not None and "error_every" in self.keys():
                return f"an inference straight at it: {' '.join(answer.error.split())}"
            if BAD_OUTPUT in answer.text:
                return f"{answer.text.count(BAD_OUTPUT)} of 64 tokens are rubbish"
            good += 1
        raise WouldFail(f"{name}: {good} inferences straight at it after its restart, all good")


class ColdStart(StartAct):
    """A killed replica takes much longer to come back."""

    def keys(self) -> Mapping[str, Any]:
        return {"cold_start_extra_s": float(self.param("extra_s"))}

    async def apply(self, lease: Lease) -> None:
        replica = self.scene.seen(lease.plan.replicas[0])
        self.usual_s = _start_s(self, lease.plan.replicas[0]) if replica is not None else 0.0
        await super().apply(lease)

    async def prove(self, lease: Lease) -> str:
        (name,) = lease.plan.replicas
        await self.restarted(name)
        late_s = 2 * self.usual_s + 1.0
        await self.platform.sleep(late_s)
        return f"{name}: starting for {late_s:.1f} s, its last start took {self.usual_s:.1f} s"


def _start_s(act: Act, name: str) -> float:
    """What its last start took, by the supervisor's events."""
    own = [e for e in act.platform.events() if e.get("replica") == name]
    ready = [float(e["at"]) for e in own if e.get("event") == "replica_ready"]
    started = [float(e["at"]) for e in own if e.get("event") == "replica_started"]
    return ready[-1] - started[-1] if ready and started and ready[-1] > started[-1] else 0.0
