"""A platform in memory: processes that can be killed, stopped and continued, engines that can be told to be ill.

Replicas come back `restart_s` after their server's death by the fake clock; the tests say what metrics there are.
"""

import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from sre.chaos.faults.model import Lease
from sre.chaos.leases.ledger import Ledger, fault_windows
from sre.chaos.leases.records import Run, run_begin
from sre.chaos.model import BlastRadius
from sre.errors import PlatformError
from sre.platforms.model import Inference, MetricSample, NoProcess, Replica
from sre.platforms.processes import ProcessRef
from sre.platforms.state import NotUp

TIMEOUT = Inference("", float("inf"))
PARTS = ("gateway", "recorder")  # beside each replica's server and stub; give `parts` for more


class FakeClock:
    def __init__(self, at=1000.0):
        self.at = at

    def __call__(self):
        return self.at


@dataclass
class FakeProcess:
    """A row of the process table. `died_at` by the fake clock; `stubborn` ones take no signal, and a `starved` one is
    stopped only when it gets a core (`feed`), unless it was continued by then.
    """

    part: str
    replica: str | None
    condition: str = "running"
    died_at: float = 0.0
    stubborn: bool = False
    starved: bool = False
    stop_pending: bool = False


class FakePlatform:
    """What the local driver does, on a table of processes. Knobs for tests are plain attributes:

    - `up` False: nothing is up, every question about the platform raises.
    - `restart_s`: so long after its death a server (with its stub) or another part runs again; None: never.
    - `kill_fails`: processes survive every signal, and signals claim to have been sent.
    - `desired`: how many replicas there are to be; None: those that are there.
    - `load`: requests in flight by replica. `serving`: what the gateway says, by replica (True by default).
    - `metrics[(where, name)]`: samples, as {labels: value} pairs or a number; `silent` names pages that do not answer.
    - `engine(replica, prompt, max_tokens)`: what an inference gives; its seconds pass on the fake clock.
    - `routes`: by where. `grpc_addresses`, `pages`: a replica's own, where something real listens.
    - `signals`, `told`, `orders`: what was sent to processes, engines, and the supervisor, in order.
    """

    driver = "local"

    def __init__(self, state_dir: Path, clock, *, replicas=3, restart_s=2.0, inflight=None, parts=PARTS):
        self.state_dir = state_dir
        self.gateway_url = "http://127.0.0.1:1"
        self.clock = clock
        self.up = True
        self.kill_fails = False
        self.restart_s = restart_s
        self.load = inflight or {}
        self.desired = None
        self.serving = {}
        self.metrics = {}
        self.silent = set()
        self.signals = []
        self.told = []
        self.orders = []
        self.routes = {}
        self.grpc_addresses = {}
        self.pages = {}
        self.file_limits = {}
        self.engine = lambda replica, prompt, max_tokens: Inference(" ".join(["word"] * max_tokens), 0.01 * max_tokens)
        self._pids = itertools.count(100)
        self._table = {}
        self._faults = {}
        self.serving_since = {}
        for name in (f"llm-{i}" for i in range(replicas)):
            self.serving_since[name] = clock.at - 60
            self._start("server", name)
            self._start("stub", name)
        for part in parts:
            self._start(part, None)

    # what the Protocol says

    @property
    def reference(self):
        return {"platform": self.driver, "state_dir": str(self.state_dir)}

    def replicas(self):
        self._require_up()
        return tuple(self._replica(name) for name in self.serving_since)

    def desired_replicas(self):
        self._require_up()
        return len(self.serving_since) if self.desired is None else self.desired

    def inflight(self):
        self._require_up()
        return self.load

    def process(self, part, replica=None):
        self._require_up()
        if replica is not None and replica not in self.serving_since:
            raise PlatformError(f"replica {replica!r} does not exist: use one of {', '.join(self.serving_since)}")
        self._come_back()
        for pid, row in self._table.items():
            if (row.part, row.replica) == (part, replica) and row.condition != "gone":
                return {"pid": pid, "created": 1.0}
        raise NoProcess(f"{replica or part} has no running process: see `sre status`")

    def signal(self, handle, signal):
        row = self._table.get(handle["pid"])
        if row is None or row.condition == "gone":
            return False
        self.signals.append((row.part, row.replica, signal))
        if self.kill_fails or row.stubborn:
            return True
        row.stop_pending = row.starved and signal == "stop"
        if row.stop_pending:
            return True
        row.condition = {"kill": "gone", "stop": "stopped", "continue": "running"}[signal]
        if signal == "kill":
            row.died_at = self.clock.at
            if row.part == "server":
                self._server_died(row.replica)
        return True

    def condition(self, handle):
        row = self._table.get(handle["pid"])
        return "gone" if row is None else row.condition

    def engine_faults(self, replica):
        return dict(self._faults.get(replica, {}))

    def set_engine_faults(self, replica, faults):
        self.told.append((replica, dict(faults)))
        self._faults[replica] = dict(faults)

    def file_limit(self, handle):
        return self.file_limits.get(handle["pid"])

    def set_file_limit(self, handle, limit):
        if self.condition(handle) == "gone":
            return False
        self.file_limits[handle["pid"]] = limit
        return True

    def infer(self, replica, prompt, *, max_tokens=1, deadline_at=None, timeout_s=5.0):
        """What `engine` gives, as far as its processes let it: a frozen or dead one says nothing. Its wall clock is the
        real one, and as wrong as it was told to be.
        """
        self._require_up()
        server, stub = self.condition_of("server", replica), self.condition_of("stub", replica)
        ready = self.serving_since.get(replica, float("inf")) <= self.clock.at
        answer = self.engine(replica, prompt, max_tokens)
        wall = time.time() + self.engine_faults(replica).get("clock_skew_s", 0.0)
        if deadline_at is not None and deadline_at <= wall:
            answer = Inference("", 0.0, "DEADLINE_EXCEEDED: deadline_at passed before the first token: none was made")
        if server == "stopped" or (server == "running" and ready and stub != "running"):
            answer = TIMEOUT if server == "stopped" else Inference("", 1.0, "Stub process 'llm_0_0' is not healthy.")
        if server == "gone" or not ready or answer.seconds > timeout_s:
            self.clock.at += timeout_s if server == "stopped" else 0.0
            raise PlatformError(f"{replica}: the replica does not answer: see `sre status`")
        self.clock.at += answer.seconds
        return answer

    def metric(self, where, name):
        self._require_up()
        if where in self.silent:
            raise PlatformError(f"{where} does not answer at http://127.0.0.1:1/metrics: see `sre status`")
        found = self.metrics.get((where, name), {})
        if not isinstance(found, dict):
            return (MetricSample({}, float(found)),)
        return tuple(MetricSample(dict(labels), float(value)) for labels, value in found.items())

    def route(self, where, *, owner, until, grpc_address=None, metrics_url=None):
        self._require_up()
        there = self.routes.get(where)
        if there is not None and there["owner"] != owner:
            raise PlatformError(f"{where} has a route already (of {there['owner']}): end that one first")
        self.routes[where] = {"owner": owner, "until": until, "grpc_address": grpc_address, "metrics_url": metrics_url}

    def unroute(self, where, *, owner):
        if not self.up or self.routes.get(where, {}).get("owner") != owner:
            return False
        del self.routes[where]
        return True

    def wait_ready(self, name, *, timeout_s):
        self._require_up()
        if name not in self.serving_since:
            raise PlatformError(f"replica {name!r} does not exist: use one of {', '.join(self.serving_since)}")
        since = self.serving_since[name]
        if since > self.clock.at + timeout_s:
            self.clock.at += timeout_s
            raise PlatformError(f"replica {name} does not serve after {timeout_s:g} s")
        self.clock.at = max(self.clock.at, since)
        return since

    def scale(self, replicas, *, reason=""):
        self._require_up()
        self.orders.append(("scale", replicas))

    def drain(self, name, *, grace_s=30.0, restart=False, force=False):
        self._require_up()
        self.orders.append(("drain", name, grace_s, restart, force))
        self.serving[name] = False

    def undrain(self, name):
        self._require_up()
        self.orders.append(("undrain", name))
        self.serving[name] = True

    # what tests ask it

    def condition_of(self, part, replica=None):
        """Of the newest process of this part; `gone` without one."""
        rows = [row for row in self._table.values() if (row.part, row.replica) == (part, replica)]
        return rows[-1].condition if rows else "gone"

    def make_stubborn(self, part, replica=None):
        """Its process takes every signal and stays as it is."""
        self._table[self.process(part, replica)["pid"]].stubborn = True

    def starve(self, part, replica=None):
        """No core is free for it."""
        self._table[self.process(part, replica)["pid"]].starved = True

    def feed(self):
        """Everybody gets a core."""
        for row in self._table.values():
            row.starved = False
            if row.stop_pending and row.condition == "running":
                row.condition = "stopped"

    def _start(self, part, replica):
        self._table[next(self._pids)] = FakeProcess(part, replica)

    def _server_died(self, name):
        for row in self._table.values():
            if row.replica == name and row.condition != "gone":
                row.condition, row.died_at = "gone", self.clock.at
        self.serving_since[name] = float("inf") if self.restart_s is None else self.clock.at + self.restart_s

    def _come_back(self):
        """The supervisor's work: what died long enough ago is there again. A stub alone is never replaced."""
        if self.restart_s is None:
            return
        dead = [row for row in self._table.values() if row.condition == "gone" and row.part != "stub"]
        for row in dead:
            alive = self.condition_of(row.part, row.replica) != "gone"
            if not alive and row.died_at + self.restart_s <= self.clock.at:
                self._start(row.part, row.replica)
                if row.part == "server":
                    self._start("stub", row.replica)

    def _replica(self, name):
        self._come_back()
        ready = self.serving_since[name] <= self.clock.at
        rows = self._table.items()
        pid = next((p for p, r in rows if (r.part, r.replica) == ("server", name) and r.condition != "gone"), None)
        serving = self.serving.get(name, True) if ready else False
        return Replica(
            name,
            "ready" if ready else "starting",
            pid,
            1.0,
            0,
            self.pages.get(name, ""),
            serving=serving,
            grpc_address=self.grpc_addresses.get(name, "127.0.0.1:1"),
            routed_by=self.routes.get(name, {}).get("owner"),
        )

    def _require_up(self):
        if not self.up:
            raise NotUp("no platform is up here: start one with `sre up`")


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def platform(tmp_path, clock):
    return FakePlatform(tmp_path, clock, inflight={"llm-0": 1, "llm-1": 5, "llm-2": 2})


@pytest.fixture
def run(platform, clock):
    """A registered run of this very process with a wide blast radius; replace(run, radius=...) for a narrow one."""
    me = psutil.Process()
    components = ("gateway", "autoscaler", "recorder", "prometheus", "host", "traffic")
    radius = BlastRadius(max_replicas=2, min_healthy=1, components=components)
    run = Run("r-1", ProcessRef(me.pid, me.create_time()), "a test", radius, clock.at + 600)
    Ledger(platform.state_dir).append(run_begin(run, at=clock.at))
    return run


@pytest.fixture
def lease_for(platform, clock):
    """The lease a fault would get, without the ledger: `fault.apply(platform, lease_for(fault))`."""

    def make(fault, *, lease_s=60.0, fault_id="f-1"):
        me = psutil.Process()
        plan = fault.plan(platform)
        process = ProcessRef(me.pid, me.create_time())
        return Lease(fault_id, fault.name, plan, clock.at + lease_s, process, "r-1", clock.at)

    return make


@pytest.fixture
def windows(platform):
    """The faults as the ledger tells them."""
    return lambda: fault_windows(Ledger(platform.state_dir).read())
