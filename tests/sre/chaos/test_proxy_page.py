"""A falsified metrics page: what it changes, what it leaves alone, and that it can be told from the true one."""

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from sre.chaos.processes.proxy.page import FalsePage, parse_page_rules, scaled
from sre.errors import SreError

PAGE = """# HELP sre_gateway_requests_total Requests.
# TYPE sre_gateway_requests_total counter
sre_gateway_requests_total{outcome="ok"} 10.0
sre_gateway_requests_total{outcome="odd } label, 7"} 4
sre_gateway_replica_up{replica="llm-0"} 1 1700000000000
process_start_time_seconds 5.5
"""


def values(page):
    return {
        (s.name, *s.labels.values()): s.value for family in text_string_to_metric_families(page) for s in family.samples
    }


def test_only_the_samples_that_are_named_change():
    changed = values(scaled(PAGE, factor=0.5, names=["sre_gateway_requests_total"]))
    assert changed == {
        ("sre_gateway_requests_total", "ok"): 5.0,
        ("sre_gateway_requests_total", "odd } label, 7"): 2.0,
        ("sre_gateway_replica_up", "llm-0"): 1.0,
        ("process_start_time_seconds",): 5.5,
    }


def test_a_time_stamp_is_no_value():
    assert 'llm-0"} 3.0 1700000000000' in scaled(PAGE, factor=3, names=["sre_gateway_replica_up"])


def test_a_page_that_names_nothing_is_the_true_page():
    assert scaled(PAGE, factor=0.5, names=[]) == PAGE


@pytest.fixture
async def exporter():
    """Counts how often it was asked; `url` of the true page, `ask` for the false one."""

    class Exporter:
        asked = 0

        async def serve(self, _):
            self.asked += 1
            return web.Response(text=f"asked_total {self.asked}\n")

    made = Exporter()
    app = web.Application()
    app.router.add_get("/metrics", made.serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.page = FalsePage(f"http://127.0.0.1:{runner.addresses[0][1]}/metrics")
    listen = await made.page.listen()
    async with aiohttp.ClientSession() as session:

        async def ask():
            async with session.get(f"http://{listen}/metrics") as response:
                return response.status, await response.text()

        made.ask = ask
        yield made
    await made.page.close()
    made.stop = None
    await runner.cleanup()
    await asyncio.sleep(0.01)


async def test_without_rules_the_page_is_the_true_one(exporter):
    assert [await exporter.ask() for _ in range(2)] == [(200, "asked_total 1\n"), (200, "asked_total 2\n")]
    assert exporter.page.facts()["transparent"]


async def test_a_frozen_page_never_changes_and_the_truth_comes_back(exporter):
    exporter.page.tune(json.dumps({"freeze": True, "revision": 3}))
    assert [await exporter.ask() for _ in range(3)] == [(200, "asked_total 1\n")] * 3
    assert exporter.page.facts() == {"revision": 3, "transparent": False, "served": 3, "falsified": 3}
    exporter.page.clear()
    assert await exporter.ask() == (200, "asked_total 2\n")


async def test_a_scaled_page_follows_the_truth_at_a_distance(exporter):
    exporter.page.tune(json.dumps({"factor": 10, "names": ["asked"]}))
    assert [(await exporter.ask())[1] for _ in range(2)] == ["asked_total 10.0\n", "asked_total 20.0\n"]


async def test_an_exporter_that_is_gone_is_no_page():
    page = FalsePage("http://127.0.0.1:1/metrics")
    listen = await page.listen()
    async with aiohttp.ClientSession() as session, session.get(f"http://{listen}/metrics") as response:
        assert response.status == 502
    await page.close()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "not JSON"),
        ("[]", "an object"),
        ('{"speed": 1}', "factor, freeze"),
        ('{"factor": -1}', "factor is -1"),
        ('{"factor": "2x"}', "'2x'"),
        ('{"factor": 2, "names": "sre_"}', "list of strings"),
    ],
)
def test_bad_rules_are_told_in_one_line(text, named):
    with pytest.raises(SreError, match=named):
        parse_page_rules(text)
