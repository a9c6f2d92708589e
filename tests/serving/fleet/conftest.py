"""A platform without servers: replicas are sleeping processes, the gateway is its control API alone."""

import asyncio
import json
import os
import sys
import time
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from serving.backoff import Backoff
from serving.engine.triton import TritonLaunch
from serving.fleet.cold_start import StartChecks
from serving.fleet.critical import Critical
from serving.fleet.gateway import Capacity, ControlAddress, GatewayClient
from serving.fleet.journal import Journal
from serving.fleet.membership import Membership
from serving.fleet.model import EndpointInfo, PlatformSpec, PlatformState, ProcessInfo, StateFiles
from serving.fleet.plan import new_replica
from serving.fleet.replica import ReplicaKeeper, TritonProgram
from serving.fleet.routes import Routes

SLEEPER = (sys.executable, "-S", "-E", "-c", "import time; time.sleep(600)")
TOKEN = "t" * 32


async def until(condition, timeout_s=10.0):
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


async def nothing(*_):
    return {}


def checks(answers=nothing, *, live=nothing, engine_phases=nothing):
    return StartChecks(live, answers, engine_phases, lambda _pid: None)


class FakeGateway:
    """The gateway's control API as docs/contracts.md has it. `state` and `inflight` are set by the test."""

    def __init__(self):
        self.replicas = {}
        self.calls = []
        self.fail = False

    def view(self, name, **fields):
        self.replicas.setdefault(name, {"state": "up", "inflight": 0, "down_s": 0.0}).update(fields)

    @asynccontextmanager
    async def listening(self):
        app = web.Application()
        app.router.add_get("/control/replicas", self._list)
        app.router.add_put("/control/replicas", self._put)
        app.router.add_post("/control/replicas/{name}/{verb}", self._post)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            yield ControlAddress(runner.addresses[0][1], TOKEN)
        finally:
            await runner.cleanup()

    def _answer(self, request):
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        if self.fail:
            return web.json_response({"error": "no"}, status=500)
        return web.json_response({"replicas": [{"name": n, "silent_s": 0.0, **v} for n, v in self.replicas.items()]})

    async def _list(self, request):
        return self._answer(request)

    async def _put(self, request):
        entries = (await request.json())["replicas"]
        self.calls.append(("put", [entry["name"] for entry in entries]))
        self.entries = entries
        if not self.fail:
            names = [entry["name"] for entry in entries]
            self.replicas = {name: view for name, view in self.replicas.items() if name in names}
            for entry in entries:
                self.view(entry["name"], grpc_address=entry["grpc_address"])
        return self._answer(request)

    async def _post(self, request):
        name, verb = request.match_info["name"], request.match_info["verb"]
        self.calls.append((verb, name))
        if not self.fail and name in self.replicas:
            self.view(name, state="draining" if verb == "drain" else "up")
        return self._answer(request)


class World:
    """A membership with its journal and the gateway it tells."""

    def __init__(self, root, gateway, client, *, replicas=2, **spec):
        self.files = StateFiles(root)
        self.gateway = gateway
        self.client = client
        state = PlatformState(
            "test", 0.0, ProcessInfo("supervisor"), EndpointInfo("gateway"), PlatformSpec(prometheus="off", **spec)
        )
        for _ in range(replicas):
            state.replicas.append(new_replica(state))
        self.journal = Journal(self.files, state, now=time.time)
        self.critical = Critical()
        self.scraped = []
        self.clock = None
        self.keepers = {}
        self.members = Membership(
            self.journal,
            keeper_of=self.keeper_of,
            gateway=client,
            capacity=Capacity(4, 1000),
            critical=self.critical,
            on_targets=self._targets_changed,
        )
        self.routes = Routes(
            self.journal,
            tell_gateway=self.members.tell_gateway,
            on_targets=self._targets_changed,
            now=lambda: self.clock or time.time(),
        )

    def _targets_changed(self):
        self.scraped.append([r.name for r in self.members.scraped()])

    @property
    def state(self):
        return self.journal.state

    @property
    def names(self):
        return [replica.name for replica in self.state.replicas]

    def replica(self, name):
        return next(r for r in self.state.replicas if r.name == name)

    def events(self, *names):
        lines = map(json.loads, self.files.events.read_text().splitlines())
        return [e for e in lines if not names or e["event"] in names]

    def keeper_of(self, info):
        self.keepers[info.name] = ReplicaKeeper(
            info=info,
            program=TritonProgram(
                info.name,
                TritonLaunch(SLEEPER, dict(os.environ)),
                {"SRE_PLATFORM_ID": "test"},
                f"sre-unit-test-{info.name}-",
                self.files.logs / f"{info.name}.log",
            ),
            journal=self.journal,
            checks=checks(),
            now=time.time,
            backoff=Backoff(first_s=0.01),
        )
        return self.keepers[info.name]

    def all_serve(self):
        for replica in self.state.replicas:
            self.gateway.view(replica.name, state="up", down_s=0.0)
            replica.routed("up")

    async def up(self):
        self.members.start()
        await until(lambda: all(r.state == "ready" for r in self.state.replicas))
        self.all_serve()


@pytest.fixture
async def world(tmp_path):
    """A running platform of two."""
    async with running(tmp_path) as made:
        yield made


@asynccontextmanager
async def running(root, **options):
    gateway = FakeGateway()
    async with gateway.listening() as address:
        made = World(root, gateway, GatewayClient(address), **options)
        await made.up()
        try:
            yield made
        finally:
            await made.members.stop()


@pytest.fixture
def run_world(tmp_path):
    """`async with run_world(replicas=3) as world`: a running platform of another kind."""
    return lambda **options: running(tmp_path, **options)


@pytest.fixture
def eventually():
    return until


@pytest.fixture
def start_checks():
    """`start_checks(answers)`: checks of a replica's start that a test scripts."""
    return checks
