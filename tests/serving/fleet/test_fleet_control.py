"""The supervisor's control API: who may call it, what it does, how it says no."""

import json

import aiohttp
import pytest

from serving.fleet.control import control_api


class Caller:
    """Calls with the token of `control.json`, as `sre` and the autoscaler do."""

    def __init__(self, files):
        self.file = json.loads(files.control.read_text())

    async def __call__(self, method, path, body=None, *, token=None, raw=None):
        headers = {"Authorization": f"Bearer {self.file['token'] if token is None else token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, self.file["url"] + path, json=body, data=raw) as response,
        ):
            return response.status, await response.json()


@pytest.fixture
async def call(world):
    world.state.phase = "ready"
    async with control_api(world.files, world.state, world.members, world.routes):
        yield Caller(world.files)


async def test_its_secret_is_readable_by_the_owner_alone_and_goes_with_it(world):
    async with control_api(world.files, world.state, world.members, world.routes) as url:
        assert world.files.control.stat().st_mode & 0o777 == 0o600
        assert json.loads(world.files.control.read_text())["url"] == url
    assert not world.files.control.exists()


async def test_the_state_is_that_of_the_file(call, world):
    status, said = await call("GET", "/state")
    assert status == 200
    assert said == json.loads(world.state.to_json())


@pytest.mark.parametrize("token", ["", "wrong", "ö"])
async def test_a_wrong_token_is_refused_before_anything_is_read(call, world, token):
    status, said = await call("POST", "/scale", {"replicas": 1}, token=token)
    assert status == 401
    assert "control.json" in said["error"]
    assert len(world.names) == 2


async def test_it_scales(call, world, eventually):
    assert await call("POST", "/scale", {"replicas": 3, "reason": "by hand"}) == (200, {"replicas": 3})
    await eventually(lambda: world.names == ["llm-0", "llm-1", "llm-2"])
    assert world.events("scaled")[0]["detail"]["reason"] == "by hand"


async def test_it_drains_and_undrains(call, world, eventually):
    assert (await call("POST", "/replicas/llm-1/drain", {"grace_s": 0}))[0] == 202
    await eventually(lambda: world.replica("llm-1").state == "drained")
    assert (await call("POST", "/replicas/llm-1/undrain"))[0] == 202
    await eventually(lambda: world.replica("llm-1").state == "ready")


BAD = {
    "no number": ("/scale", {"replicas": "3"}, 400, "replicas"),
    "a fraction": ("/scale", {"replicas": 2.5}, 400, "replicas"),
    "none": ("/scale", {"replicas": 0}, 400, "use 1 to 16"),
    "unknown key": ("/scale", {"replicas": 2, "force": True}, 400, "force"),
    "negative grace": ("/replicas/llm-0/drain", {"grace_s": -1}, 400, "grace_s"),
    "unknown replica": ("/replicas/llm-9/drain", {}, 404, "llm-0, llm-1"),
    "unknown call": ("/replicas/llm-0/kill", {}, 404, "Not Found"),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_call_is_told_in_one_line(call, world, name):
    path, body, code, named = BAD[name]
    status, said = await call("POST", path, body)
    assert status == code
    assert named in said["error"]
    assert "\n" not in said["error"]
    assert [r.state for r in world.state.replicas] == ["ready", "ready"]


async def test_a_body_that_is_no_json_is_told(call):
    assert (await call("POST", "/scale", raw=b"{"))[0] == 400


async def test_a_body_without_end_is_refused(call):
    assert (await call("POST", "/scale", raw=b"x" * 100_000))[0] == 413


@pytest.mark.parametrize("phase", ["starting", "stopping"])
async def test_a_platform_that_is_not_ready_does_not_change(call, world, phase):
    world.state.phase = phase
    status, said = await call("POST", "/scale", {"replicas": 3})
    assert (status, phase in said["error"]) == (409, True)
    assert (await call("GET", "/state"))[0] == 200


async def test_the_last_one_that_serves_is_kept_unless_forced(call, world, eventually):
    world.replica("llm-1").routed("down")
    assert (await call("POST", "/replicas/llm-0/drain", {}))[0] == 409
    assert (await call("POST", "/replicas/llm-0/drain", {"force": True, "grace_s": 0}))[0] == 202
    await eventually(lambda: world.replica("llm-0").state == "drained")
