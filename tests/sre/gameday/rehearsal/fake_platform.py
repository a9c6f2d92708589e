"""A platform that does what it is told and takes its time, for acts and scripts: no gateway, no engine."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

from serving.engine.faults import NO_FAULTS
from serving.rehearsal.model import Inference, OfferCounts, ReplicaView

RESTART_S = 3.0
ANSWER_S = 0.03
EPOCH = 1_000_000.0


@dataclass
class FakeOffered:
    counts: OfferCounts
    stopped: bool = False

    def stop(self):
        self.stopped = True


@dataclass
class FakePlatform:
    """`told` is every lever that was pulled, with the second it was. Replicas that crash are back after RESTART_S."""

    names: tuple[str, ...] = ("llm-0", "llm-1", "llm-2")
    told: list = field(default_factory=list)
    views: dict = field(default_factory=dict)
    frozen: set = field(default_factory=set)
    told_faults: dict = field(default_factory=dict)
    offers: list = field(default_factory=list)
    tasks: list = field(default_factory=list)
    noted: list = field(default_factory=list)

    def __post_init__(self):
        for number, name in enumerate(self.names):
            self.views[name] = ReplicaView(name, "ready", "up", True, number, "", 0, EPOCH)

    def now(self):
        return EPOCH + asyncio.get_running_loop().time()

    async def sleep(self, seconds):
        await asyncio.sleep(seconds)

    def replicas(self):
        return tuple(self.views.values())

    def desired_replicas(self):
        return len(self.views)

    def events(self):
        return tuple(self.noted)

    def records(self):
        return ()

    def condition(self, name, part="server"):
        if self.views[name].state != "ready":
            return "gone"
        return "stopped" if (name, part) in self.frozen else "running"

    def gateway_ready(self):
        return True

    def page(self, target):
        return f"sre_gateway_queue_depth 0\n# of {target}\n"

    async def infer(self, name, prompt, *, max_tokens=8, deadline_at=None, timeout_s=2.0):
        faults = self.told_faults.get(name, NO_FAULTS)
        starved = faults.kv_blocks is not None and len(prompt.split()) > 16 * faults.kv_blocks
        if self.frozen & {(name, "server"), (name, "stub")} or self.views[name].state != "ready" or starved:
            await asyncio.sleep(timeout_s)
            return Inference("", timeout_s, "no answer in time")
        took = ANSWER_S * max_tokens * faults.slow_factor
        await asyncio.sleep(took)
        return Inference("a " * max_tokens, took)

    async def ask(self, prompt, *, max_tokens=8, timeout_s=20.0):
        return Inference("", 0.1, "poisoned")

    def crash(self, name, part="server"):
        self._say("crash", name, part)
        self.frozen -= {(name, "server"), (name, "stub")}
        self.views[name] = replace(self.views[name], state="backoff", serving=False, rotation="down")
        self.tasks.append(asyncio.ensure_future(self._back(name)))

    async def _back(self, name):
        await asyncio.sleep(RESTART_S)
        if self.views[name].state == "backoff":
            self._serve(name)

    def _serve(self, name):
        self.noted.append({"at": self.now(), "event": "replica_started", "replica": name})
        old = self.views[name]
        self.views[name] = replace(
            old, state="ready", serving=True, rotation="up", ready_at=self.now(), restarts=old.restarts + 1
        )

    def freeze(self, name, part="server"):
        self._say("freeze", name, part)
        self.frozen.add((name, part))

    def thaw(self, name, part="server"):
        self._say("thaw", name, part)
        self.frozen.discard((name, part))

    def kill_gateway(self):
        self._say("kill_gateway")

    def faults(self, name):
        return self.told_faults.get(name, NO_FAULTS)

    def set_faults(self, name, faults):
        self._say("set_faults", name)
        self.told_faults[name] = faults

    def network(self, name, rules):
        self._say("network", name, rules)

    def metrics(self, target, mode, *, factor=1.0, prefix=""):
        self._say("metrics", target, mode)

    def offer(self, offer):
        self._say("offer", offer.kind)
        made = FakeOffered(OfferCounts(sent=9, ok=9, retries=9, hung_up=9))
        self.offers.append(made)
        return made

    async def scale(self, replicas, *, reason=""):
        self._say("scale", replicas)
        for number in range(len(self.views), replicas):
            self.views[f"llm-{number}"] = ReplicaView(f"llm-{number}", "ready", "up", True, 0, "", 0, self.now())
        return replicas

    async def drain(self, name, *, grace_s=30.0, restart=False, force=False):
        self._say("drain", name)
        self.views[name] = replace(self.views[name], state="drained", serving=False, rotation="draining")
        if restart:
            self._serve(name)

    async def undrain(self, name):
        self._say("undrain", name)
        self._serve(name)

    def _say(self, *what):
        self.told.append((round(self.now() - EPOCH, 2), *what))

    def pulled(self, lever):
        return [one for one in self.told if one[1] == lever]
