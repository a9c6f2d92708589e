"""The gateway is started again on its port, and given up only when that cannot help. Real processes, no server."""

import asyncio
import os
import signal
import sys
import time

import pytest

from serving.backoff import Backoff
from serving.errors import EnvironmentLacks
from serving.fleet.gateway_keeper import MOST_QUICK_DEATHS, GatewayKeeper, answers
from serving.fleet.process import Child


def keeper_of(world, code, *, asked=True, now=time.time):
    async def spawn():
        argv = (sys.executable, "-S", "-E", "-c", code)
        return await Child.spawn("gateway", argv, env=os.environ, log=world.files.logs / "gateway.log")

    async def ask(_url):
        return asked

    return GatewayKeeper(
        info=world.state.gateway,
        journal=world.journal,
        spawn=spawn,
        last_words=lambda: "its last words",
        now=now,
        ask=ask,
        backoff=Backoff(first_s=0.01, cap_s=0.01),
    )


@pytest.fixture
async def ready_world(world):
    world.state.phase = "ready"
    return world


async def test_a_killed_gateway_is_started_again(ready_world, eventually):
    world = ready_world
    keeper = keeper_of(world, "import time; time.sleep(600)")
    task = asyncio.create_task(keeper.run())
    await eventually(lambda: world.state.gateway.pid is not None)
    first = world.state.gateway.pid
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: world.state.gateway.state == "ready")
    assert world.state.gateway.pid != first
    assert world.state.gateway.restarts == 1
    told = world.events("gateway_exited", "gateway_restarted")
    assert [(e["event"], e["pid"]) for e in told] == [
        ("gateway_exited", first),
        ("gateway_restarted", world.state.gateway.pid),
    ]
    assert told[0]["detail"] == {"returncode": -9}
    task.cancel()
    await asyncio.wait({task})
    await keeper.stop()
    assert world.state.gateway.state == "stopped"


async def test_one_that_dies_at_once_again_and_again_is_given_up_with_its_last_words(ready_world):
    with pytest.raises(EnvironmentLacks, match=rf"exited with 7, {MOST_QUICK_DEATHS} times in a row: its last words"):
        await keeper_of(ready_world, "import os; os._exit(7)").run()
    assert len(ready_world.events("gateway_exited")) == MOST_QUICK_DEATHS


async def test_deaths_after_a_long_life_are_not_counted(ready_world, eventually):
    hours = iter(range(10_000))
    keeper = keeper_of(ready_world, "pass", now=lambda: next(hours) * 3600.0)
    task = asyncio.create_task(keeper.run())
    await eventually(lambda: ready_world.state.gateway.restarts > MOST_QUICK_DEATHS)
    assert not task.done()
    task.cancel()
    await asyncio.wait({task})
    await keeper.stop()


async def test_while_the_platform_starts_its_death_is_the_platforms(world):
    with pytest.raises(EnvironmentLacks, match="exited with 2: its last words"):
        await keeper_of(world, "import os; os._exit(2)").run()


async def test_nobody_listening_is_no_answer():
    assert await answers("http://127.0.0.1:9") is False
