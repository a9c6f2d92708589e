"""The HTTP side, over a real socket: who may speak, what is read, what is answered, what is counted and logged."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web

from sre.webhook.additions import Settings
from sre.webhook.intake import Intake
from sre.webhook.server import Webhook
from sre.webhook.token import Token

SECRET = "0123456789abcdef-secret"  # noqa: S105  (made up)
BEARER = {"Authorization": f"Bearer {SECRET}"}


@asynccontextmanager
async def serving(store, clock, *, token=SECRET, **options):
    webhook = Webhook(Intake(store, clock, Settings()), Token(token) if token else None, **options)
    runner = web.AppRunner(webhook.application(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as client:
            yield client
    finally:
        await runner.cleanup()


async def post(client, body, *, headers=BEARER, path="/webhook"):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with client.post(path, data=data, headers={"Content-Type": "application/json", **headers}) as answer:
        return answer.status, await answer.json(), answer.headers


async def counted(client):
    async with client.get("/metrics") as answer:
        lines = [line for line in (await answer.text()).splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_a_notification_is_answered_with_its_incident(store, clock, told):
    async with serving(store, clock) as client:
        status, answer, _ = await post(client, told.payload(told.alert()))
        assert (status, answer["incident"], answer["result"]) == (200, "INC-0001", "opened")
        status, answer, _ = await post(client, told.payload(told.alert()))
        assert (status, answer) == (200, {"incident": "INC-0001", "result": "duplicate", "added": 0})
        seen = await counted(client)
    assert seen["sre_webhook_received_total"] == 2
    assert seen['sre_webhook_notifications_total{result="opened"}'] == 1
    assert seen['sre_webhook_notifications_total{result="duplicate"}'] == 1
    assert seen['sre_webhook_alerts_total{verdict="new"}'] == 1


async def test_posts_at_the_same_time_open_one_incident(store, clock, told):
    """Two Alertmanagers, and each alert of the group in a notification of its own."""
    bodies = [told.payload(told.alert(instance=str(n % 4))) for n in range(24)]
    async with serving(store, clock) as client:
        answers = await asyncio.gather(*(post(client, body) for body in bodies))
    assert {status for status, *_ in answers} == {200}
    assert {answer["incident"] for _, answer, _ in answers} == {"INC-0001"}
    assert len(store.case("INC-0001").alerts) == 4


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong-wrong-wrong"}, {"Authorization": f"Basic {SECRET}"}]
)
async def test_without_the_token_nothing_is_read_or_shown(memory, clock, told, headers):
    async with serving(memory, clock) as client:
        status, answer, sent = await post(client, told.payload(told.alert()), headers=headers)
        assert (status, sent["WWW-Authenticate"]) == (401, "Bearer")
        assert "bearer token" in answer["error"]
        async with client.get("/incidents", headers=headers) as listed:
            assert listed.status == 401
        assert (await counted(client))['sre_webhook_refused_total{reason="auth"}'] == 1
    assert not memory.events


async def test_no_auth_takes_from_anybody(memory, clock, told):
    async with serving(memory, clock, token=None) as client:
        assert (await post(client, told.payload(told.alert()), headers={}))[0] == 200


async def test_each_refusal_says_why_and_is_counted(memory, clock, told):
    good = told.payload(told.alert())
    plain = {**BEARER, "Content-Type": "text/plain"}
    async with serving(memory, clock, most_bytes=20_000) as client:
        answers = [
            await post(client, b"{nonsense"),
            await post(client, {**good, "version": "5"}),
            await post(client, {**good, "alerts": []}),
            await post(client, b"x" * 30_000),
            await post(client, good, headers=plain),
        ]
        async with client.put("/webhook", headers=BEARER) as put:
            assert (put.status, put.headers["Allow"]) == (405, "POST")
        seen = await counted(client)
    assert [status for status, *_ in answers] == [400, 422, 422, 413, 415]
    assert "at most 20,000 bytes" in answers[3][1]["error"]
    for reason in ("json", "version", "shape", "size", "type", "method"):
        assert seen[f'sre_webhook_refused_total{{reason="{reason}"}}'] == 1, reason
    assert not memory.events


async def test_a_store_that_does_not_answer_makes_the_sender_try_again(memory, clock, told):
    async with serving(memory, clock) as client:
        memory.broken = True
        status, answer, headers = await post(client, told.payload(told.alert()))
        assert (status, headers["Retry-After"]) == (503, "10")
        assert answer == {"error": "the incident store does not answer: send again"}
        async with client.get("/health") as health:
            assert health.status == 503
        memory.broken = False
        assert (await post(client, told.payload(told.alert())))[0] == 200
        async with client.get("/health") as health:
            assert await health.json() == {"ok": True}
        assert (await counted(client))['sre_webhook_refused_total{reason="store"}'] == 1
    assert len(memory.events) == 1


async def test_a_body_that_never_comes_is_let_go(memory, clock):
    async def dripping():
        yield b"{"
        await asyncio.sleep(60)

    async with serving(memory, clock, slowest_body_s=0.05) as client:
        headers = {**BEARER, "Content-Type": "application/json"}
        async with client.post("/webhook", data=dripping(), headers=headers) as answer:
            assert answer.status == 408
        assert (await counted(client))['sre_webhook_refused_total{reason="slow"}'] == 1


async def test_incidents_are_listed_and_a_stale_one_does_not_claim_to_be_over(memory, clock, told):
    async with serving(memory, clock) as client:
        await post(client, told.payload(told.alert()))
        sweeper = Intake(memory, clock, Settings(), stale_after_s=60)
        clock.now += 60
        sweeper.sweep()
        async with client.get("/incidents", headers=BEARER) as answer:
            listed = await answer.json()
    (one,) = listed["incidents"]
    assert (one["id"], one["status"], one["severity"]) == ("INC-0001", "open", "SEV2")
    assert one["stale_since"] == pytest.approx(told.t0 + 30)
    assert "not known to have ended" in one["stale_reason"]


async def test_silent_incidents_are_looked_for_while_it_runs(memory, clock, told):
    async with serving(memory, clock, sweep_s=0.01) as client:
        await post(client, told.payload(told.alert()))
        clock.now += 26 * 3600
        async with asyncio.timeout(5):
            while (await counted(client))["sre_webhook_stale_total"] < 1:
                await asyncio.sleep(0.01)
    assert memory.case("INC-0001").head.status == "open"


async def test_the_access_log_holds_what_happened_and_no_secret(memory, clock, told, caplog):
    caplog.set_level(logging.INFO, "sre.webhook")
    async with serving(memory, clock) as client:
        await post(client, told.payload(told.alert()), path=f"/webhook?token={SECRET}")
        await post(client, told.payload(told.alert()), headers={"Authorization": "Bearer wrong-wrong-wrong"})
    text = caplog.text
    assert "POST /webhook 200" in text
    assert "INC-0001 opened" in text
    assert "refused: auth" in text
    assert SECRET not in text
    assert "wrong-wrong" not in text


async def test_a_write_under_way_is_finished_before_the_server_is_gone(memory, clock, told):
    written = asyncio.Event()
    loop = asyncio.get_running_loop()
    keep = memory.append

    release = threading.Event()

    def slowly(incident, drafts):
        loop.call_soon_threadsafe(written.set)
        release.wait(5)
        return keep(incident, drafts)

    memory.append = slowly
    async with serving(memory, clock) as client:
        posting = asyncio.create_task(post(client, told.payload(told.alert())))
        await written.wait()
        loop.call_later(0.05, release.set)  # after the clean-up has begun
    assert len(memory.case("INC-0001").alerts) == 1
    await asyncio.gather(posting, return_exceptions=True)
