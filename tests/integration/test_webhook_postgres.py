"""`sre serve` before a real PostgreSQL that goes away and comes back: 503 meanwhile, and nothing is lost."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from sre.incidents.store import open_store
from sre.webhook.intake import Intake
from sre.webhook.server import Webhook


def by_path(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = sys.modules[path.stem] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


postgres = by_path(Path(__file__).with_name("postgres_cluster.py"))
BINARIES = postgres.find_binaries()
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(BINARIES is None, reason="PostgreSQL is missing: apt-get install postgresql"),
    pytest.mark.skipif(
        importlib.util.find_spec("psycopg") is None, reason="psycopg is missing: pip install 'llm-gameday[postgres]'"
    ),
]


def body(name):
    alert = {
        "status": "firing",
        "labels": {"alertname": name, "severity": "page"},
        "annotations": {},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": name,
    }
    return json.dumps({"version": "4", "groupKey": name, "alerts": [alert]}).encode()


async def post(client, name):
    async with client.post("/webhook", data=body(name), headers={"Content-Type": "application/json"}) as answer:
        return answer.status, await answer.json()


async def test_what_came_while_the_database_was_away_is_taken_when_it_is_sent_again():
    with postgres.cluster(BINARIES) as server:
        database = server.new_database()
        with closing(open_store(server.url(database))) as store:
            runner = web.AppRunner(Webhook(Intake(store, time.time), None).application(), access_log=None)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            try:
                async with ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
                    assert (await post(client, "First"))[0] == 200
                    server.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
                    server.execute(
                        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'"  # noqa: S608
                    )
                    assert (await post(client, "Second"))[0] == 503
                    assert (await post(client, "First"))[0] == 503
                    server.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
                    assert await post(client, "Second") == (
                        200,
                        {"incident": "INC-0002", "result": "opened", "added": 4},
                    )
                    assert (await post(client, "First"))[1]["result"] == "duplicate"
            finally:
                await runner.cleanup()
            assert not store.verify().problems
            assert [head.id for head in store.heads()] == ["INC-0002", "INC-0001"]
