"""The phases of a start: they add up, and what the engine says of its load is not counted twice."""

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from serving.fleet.cold_start import NotYet, Timeline, engine_phases, model_ready, phases, stub_created
from serving.fleet.model import ReplicaInfo

SECONDS = st.floats(0, 600)


@given(server=SECONDS, rest=SECONDS, weights=SECONDS, warmup=SECONDS, first=SECONDS)
def test_the_phases_add_up_to_the_whole_start(server, rest, weights, warmup, first):
    spawned = 1e9
    live = spawned + server + rest + weights + warmup
    seen = Timeline(spawned, spawned + server, live, live + first)
    told = phases(seen, {"weights": weights, "warm_up": warmup})
    assert sum(told.values()) == pytest.approx(server + rest + weights + warmup + first, abs=0.01)
    assert told["model_load"] == pytest.approx(rest, abs=0.01)


def test_without_a_model_process_the_server_and_its_load_are_one_phase():
    assert phases(Timeline(0.0, None, 2.0, 2.5), {}) == {"model_load": 2.0, "first_inference": 0.5}


def test_a_process_dated_before_its_spawn_does_not_make_a_phase_negative():
    assert phases(Timeline(10.0, 9.99, 12.0, 12.5), {})["server_start"] == 0.0


def test_an_engine_that_says_more_than_was_seen_leaves_no_negative_rest():
    assert phases(Timeline(0.0, 1.0, 2.0, 2.5), {"weights": 5.0})["model_load"] == 0.0


def test_nobody_has_no_first_child():
    assert stub_created(2**22 + 1) is None


@pytest.fixture
async def triton():
    """A page as Triton's, and what its model says of its readiness."""
    said = {"status": 200, "page": ""}

    async def ready(_):
        return web.Response(status=said["status"])

    async def metrics(_):
        return web.Response(text=said["page"])

    app = web.Application()
    app.router.add_get("/v2/models/llm/ready", ready)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield said, ReplicaInfo("llm-0", http_url=url, metrics_url=f"{url}/metrics")
    await runner.cleanup()


async def test_a_loading_model_is_not_ready(triton):
    said, replica = triton
    await model_ready(replica)
    said["status"] = 400
    with pytest.raises(NotYet, match="HTTP 400"):
        await model_ready(replica)


async def test_a_server_that_does_not_listen_is_not_ready():
    with pytest.raises(NotYet, match="wait"):
        await model_ready(ReplicaInfo("llm-0", http_url="http://127.0.0.1:9"))


async def test_the_engine_s_phases_are_read_from_its_gauge(triton):
    said, replica = triton
    said["page"] = (
        "# TYPE sre_engine_cold_start_seconds gauge\n"
        'sre_engine_cold_start_seconds{model_name="llm",phase="weights"} 4.5\n'
        'sre_engine_cold_start_seconds{model_name="llm",phase="warm_up"} 0\n'
        "other 1\n"
    )
    assert await engine_phases(replica) == {"weights": 4.5}


@pytest.mark.parametrize("page", ["", "other 1\n", "{{{"])
async def test_an_engine_that_says_nothing_has_no_phases(triton, page):
    said, replica = triton
    said["page"] = page
    assert await engine_phases(replica) == {}
