"""Routes: another way to a replica for a while, taken back by its owner or by its deadline, never by anybody else."""

import asyncio
import json

import aiohttp
import pytest

from serving.fleet import plan
from serving.fleet.control import control_api
from serving.fleet.gateway import GatewaySilent
from serving.fleet.membership import Refused, UnknownReplica
from serving.fleet.model import Route
from serving.fleet.rotation import RotationWatch

GRPC = "127.0.0.1:9001"
PAGE = "http://127.0.0.1:9002/metrics"
LATER = 9e9


def where(world):
    return {entry["name"]: entry["grpc_address"] for entry in world.gateway.entries}


async def test_the_gateway_is_told_the_other_address_and_the_replica_keeps_its_own(world):
    own = {replica.name: replica.grpc_address for replica in world.state.replicas}
    await world.routes.put("llm-1", Route("f-1", LATER, grpc_address=GRPC))
    assert where(world) == {"llm-0": own["llm-0"], "llm-1": GRPC}
    assert world.replica("llm-1").grpc_address == own["llm-1"]
    assert await world.routes.drop("llm-1", owner="f-1")
    assert where(world) == own
    told = [(e["replica"], (e["detail"]["route"] or {}).get("grpc_address")) for e in world.events("replica_rerouted")]
    assert told == [("llm-1", GRPC), ("llm-1", None)]


async def test_the_state_file_shows_the_route(world):
    await world.routes.put("llm-1", Route("f-1", LATER, grpc_address=GRPC))
    shown = json.loads(world.files.state.read_text())["replicas"]
    assert [r["route"] for r in shown] == [
        None,
        {"owner": "f-1", "until": LATER, "grpc_address": GRPC, "metrics_url": None},
    ]


async def test_a_page_alone_is_no_business_of_the_gateway(world):
    await world.routes.put("gateway", Route("f-1", LATER, metrics_url=PAGE))
    await world.routes.put("llm-0", Route("f-2", LATER, metrics_url=PAGE))
    assert world.gateway.calls == []
    assert len(world.scraped) == 2


async def test_only_its_owner_takes_a_route_back(world):
    await world.routes.put("llm-1", Route("f-1", LATER, grpc_address=GRPC))
    assert not await world.routes.drop("llm-1", owner="f-0")
    with pytest.raises(Refused, match="of f-1"):
        await world.routes.put("llm-1", Route("f-2", LATER, grpc_address=GRPC))
    assert await world.routes.drop("llm-1", owner="f-1")
    assert not await world.routes.drop("llm-1", owner="f-1")


async def test_a_route_ends_at_its_deadline_though_nobody_asks(world):
    own, world.clock = world.replica("llm-1").grpc_address, 100.0
    await world.routes.put("llm-1", Route("f-1", 130.0, grpc_address=GRPC))
    world.clock = 129.9
    await world.routes.expire()
    assert where(world)["llm-1"] == GRPC
    world.clock = 130.0
    await world.routes.expire()
    assert where(world)["llm-1"] == own


async def test_on_a_full_disk_a_route_stays_until_it_can_be_taken_back(world, monkeypatch):
    own, world.clock = world.replica("llm-1").grpc_address, 100.0
    await world.routes.put("llm-1", Route("f-1", 130.0, grpc_address=GRPC))
    await world.routes.put("gateway", Route("f-2", 130.0, metrics_url=PAGE))
    scraped = len(world.scraped)

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(world.journal, "event", full)
        with pytest.raises(OSError, match="No space left"):
            await world.routes.drop("llm-1", owner="f-1")
        world.clock = 130.0
        await world.routes.expire()
    assert await world.routes.drop("llm-1", owner="f-1")
    await world.routes.expire()
    assert (where(world)["llm-1"], world.state.gateway.route) == (own, None)
    assert len(world.scraped) > scraped


async def test_a_gateway_that_missed_the_change_is_told_again(world):
    await world.client.put(world.members.entries())
    world.gateway.fail = True
    await world.routes.put("llm-1", Route("f-1", LATER, grpc_address=GRPC))
    with pytest.raises(GatewaySilent):
        await world.client.replicas()
    world.gateway.fail = False
    world.gateway.view("llm-1", grpc_address=world.replica("llm-1").grpc_address)
    await RotationWatch(world.journal, world.client, world.members, 20.0, world.journal._now).look()
    assert where(world)["llm-1"] == GRPC
    assert world.gateway.replicas["llm-1"]["grpc_address"] == GRPC


async def test_no_replica_that_joins_gets_the_port_of_a_route(world):
    await world.routes.put("llm-1", Route("f-1", LATER, grpc_address="127.0.0.1:50003"))
    joined = plan.new_replica(world.state, pick=lambda count: list(range(50_001, 50_001 + count)))
    assert "127.0.0.1:50003" not in (joined.grpc_address, *(u.removeprefix("http://") for u in [joined.http_url]))


async def test_a_replica_that_does_not_serve_gets_no_route_but_loses_the_one_it_has(world, eventually):
    await world.routes.put("llm-1", Route("f-1", LATER, grpc_address=GRPC))
    await world.members.drain("llm-1", grace_s=0)
    await eventually(lambda: world.replica("llm-1").state == "drained")
    with pytest.raises(Refused, match="is drained"):
        await world.routes.put("llm-1", Route("f-1", LATER, metrics_url=PAGE))
    assert await world.routes.drop("llm-1", owner="f-1")


async def test_what_does_not_exist_is_named(world):
    with pytest.raises(UnknownReplica, match="llm-0, llm-1"):
        await world.routes.put("llm-9", Route("f-1", LATER, grpc_address=GRPC))
    with pytest.raises(UnknownReplica):
        await world.routes.drop("llm-9", owner="f-1")


@pytest.fixture
async def call(world):
    world.state.phase = "ready"
    async with control_api(world.files, world.state, world.members, world.routes):
        file = json.loads(world.files.control.read_text())
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {file['token']}"}) as session:

            async def ask(method, path, body):
                async with session.request(method, file["url"] + path, json=body) as response:
                    return response.status, await response.json()

            yield ask


async def test_routes_are_set_and_taken_back_over_the_control_api(call, world):
    body = {"owner": "f-1", "until": LATER, "grpc_address": GRPC, "metrics_url": PAGE}
    assert await call("PUT", "/replicas/llm-0/route", body) == (200, {"routed": "llm-0"})
    assert where(world)["llm-0"] == GRPC
    world.state.phase = "stopping"
    assert await call("DELETE", "/replicas/llm-0/route", {"owner": "f-1"}) == (200, {"unrouted": True})
    assert await call("DELETE", "/replicas/llm-0/route", {"owner": "f-1"}) == (200, {"unrouted": False})


async def test_the_gateway_s_page_is_routed_over_the_control_api(call, world):
    body = {"owner": "f-1", "until": LATER, "metrics_url": PAGE}
    assert await call("PUT", "/gateway/route", body) == (200, {"routed": "gateway"})
    assert world.state.gateway.route.metrics_url == PAGE
    assert await call("DELETE", "/gateway/route", {"owner": "f-1"}) == (200, {"unrouted": True})


BAD = {
    "no owner": ("llm-0", {"until": LATER, "grpc_address": GRPC}, 400, "owner"),
    "no deadline": ("llm-0", {"owner": "f-1", "grpc_address": GRPC}, 400, "until"),
    "a deadline that is past": ("llm-0", {"owner": "f-1", "until": 1.0, "grpc_address": GRPC}, 400, "is past"),
    "another machine": ("llm-0", {"owner": "f-1", "until": LATER, "grpc_address": "10.0.0.1:80"}, 400, "grpc_address"),
    "another machine's page": (
        "llm-0",
        {"owner": "f-1", "until": LATER, "metrics_url": "http://example.org/metrics"},
        400,
        "metrics_url",
    ),
    "nowhere": ("llm-0", {"owner": "f-1", "until": LATER}, 400, "needs grpc_address"),
    "unknown key": ("llm-0", {"owner": "f-1", "until": LATER, "port": 1}, 400, "port"),
    "unknown replica": ("llm-9", {"owner": "f-1", "until": LATER, "grpc_address": GRPC}, 404, "llm-0, llm-1"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_route_is_told_in_one_line_and_changes_nothing(call, world, name):
    replica, body, code, named = BAD[name]
    status, said = await call("PUT", f"/replicas/{replica}/route", body)
    assert status == code
    assert named in said["error"]
    assert "\n" not in said["error"]
    assert [r.route for r in world.state.replicas] == [None, None]


async def test_somebody_else_s_route_is_a_conflict(call, world):
    await call("PUT", "/replicas/llm-0/route", {"owner": "f-1", "until": LATER, "grpc_address": GRPC})
    status, said = await call("PUT", "/replicas/llm-0/route", {"owner": "f-2", "until": LATER, "metrics_url": PAGE})
    assert (status, "f-1" in said["error"]) == (409, True)


async def test_the_deadline_is_kept_while_the_loop_runs(world):
    world.clock = 100.0
    await world.routes.put("llm-1", Route("f-1", 130.0, grpc_address=GRPC))
    world.clock = 131.0
    loop = asyncio.create_task(world.routes.run())
    async with asyncio.timeout(5):
        while world.replica("llm-1").route is not None:
            await asyncio.sleep(0.01)
    loop.cancel()
    await asyncio.wait({loop})
