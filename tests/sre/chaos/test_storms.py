"""Storms of clients against a small gateway of our own, and what counts as seen."""

import asyncio
import json
import time

import pytest
from aiohttp import web

from sre.chaos.faults.model import NotProven
from sre.chaos.faults.storms import Storm, counts_file
from sre.chaos.faults.traffic import DisconnectStorm, LongPromptFlood, RetryStorm, TrafficSurge
from sre.chaos.processes.storm.__main__ import storm
from sre.chaos.processes.storm.client import prompt
from sre.chaos.processes.storm.model import Counts, StormPlan, read_counts
from sre.errors import PlatformError


class Gateway:
    """Answers streams of `tokens` tokens, one each `token_s`; `status` other than 200 refuses. Counts what it sees."""

    def __init__(self):
        self.tokens, self.token_s, self.status, self.requests_total = 3, 0.0, 200, 0
        self.prompts, self.keys, self.arrivals, self.abandoned = [], [], [], 0

    async def completions(self, request):
        self.arrivals.append(time.monotonic())
        body = await request.json()
        self.prompts.append(body["prompt"])
        self.keys.append(request.headers.get("Authorization"))
        if self.status != 200:
            self.requests_total += 1
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        answer = web.StreamResponse()
        try:
            for i in range(self.tokens):
                await asyncio.sleep(self.token_s)
                if not answer.prepared:
                    await answer.prepare(request)
                await answer.write(b'data: {"choices": [{"text": "t%d"}]}\n\n' % i)
            await answer.write(b"data: [DONE]\n\n")
        except (ConnectionError, asyncio.CancelledError):
            self.abandoned += 1
            raise
        finally:
            self.requests_total += 1
        return answer

    async def metrics(self, _):
        return web.Response(text=f'# HELP x\nsre_gateway_requests_total{{outcome="ok"}} {self.requests_total}.0\n')


@pytest.fixture
async def gateway():
    gateway, app = Gateway(), web.Application()
    app.router.add_post("/v1/completions", gateway.completions)
    app.router.add_get("/metrics", gateway.metrics)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    gateway.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield gateway
    await runner.cleanup()


def plan_of(gateway, kind, **changes):
    fields = {"model": "llm", "prompt_tokens": 8, "output_tokens": 3, "timeout_s": 5.0, "seed": 1, **changes}
    return StormPlan(kind=kind, url=gateway.url, **fields)


async def blow(plan, tmp_path, *, for_s):
    began = time.monotonic()
    counts = await storm(plan, tmp_path / "counts.json", deadline_at=time.time() + for_s)
    assert time.monotonic() - began < for_s + 0.5
    return counts


async def test_a_surge_sends_at_its_rate_and_ends_at_its_deadline(gateway, tmp_path):
    counts = await blow(plan_of(gateway, "surge", rate_rps=60.0), tmp_path, for_s=1.5)
    assert 45 < counts.sent < 140
    assert counts.ok > 40
    assert (counts.failed, counts.timeout, counts.retries) == (0, 0, 0)
    assert read_counts(tmp_path / "counts.json") == counts
    assert gateway.keys[0] is None


async def test_no_two_prompts_of_a_storm_begin_alike(gateway, tmp_path):
    await blow(plan_of(gateway, "surge", rate_rps=40.0, prompt_tokens=50), tmp_path, for_s=0.5)
    assert {len(text.split()) for text in gateway.prompts} == {50}
    assert len({text.split()[0] for text in gateway.prompts}) == len(gateway.prompts) > 5


def test_a_prompt_is_a_pure_function_of_seed_and_number():
    assert prompt(3, tokens=9, seed=1) == prompt(3, tokens=9, seed=1)
    assert prompt(3, tokens=9, seed=1) != prompt(3, tokens=9, seed=2)


async def test_a_factor_multiplies_the_traffic_that_is_there(gateway, tmp_path, monkeypatch):
    monkeypatch.setattr("sre.chaos.processes.storm.__main__.MEASURE_S", 0.5)
    seen = iter([0, 10])  # 10 requests in half a second: 20 a second

    async def requests(session, url):
        return next(seen)

    monkeypatch.setattr("sre.chaos.processes.storm.__main__._requests", requests)
    counts = await blow(plan_of(gateway, "surge", factor=3.0), tmp_path, for_s=1.5)
    assert counts.rate_rps == pytest.approx(40, rel=0.1)
    assert counts.sent > 15


async def test_nothing_cannot_be_multiplied(gateway, tmp_path, monkeypatch):
    monkeypatch.setattr("sre.chaos.processes.storm.__main__.MEASURE_S", 0.1)
    counts = await blow(plan_of(gateway, "surge", factor=3.0), tmp_path, for_s=1.0)
    assert counts.sent == 0
    assert "give rate_rps" in counts.note


async def test_clients_hang_up_after_the_first_token(gateway, tmp_path):
    gateway.tokens, gateway.token_s = 200, 0.02
    counts = await blow(plan_of(gateway, "hang-up", rate_rps=20.0), tmp_path, for_s=1.5)
    assert counts.hung_up > 10
    assert counts.ok == 0
    assert gateway.abandoned >= counts.hung_up - 2


async def test_a_client_repeats_a_failure_at_once_and_gives_up_after_its_attempts(gateway, tmp_path):
    gateway.status = 503
    counts = await blow(plan_of(gateway, "retry", clients=1, attempts=4, pause_s=0.6), tmp_path, for_s=0.55)
    assert (counts.sent, counts.retries, counts.failed) in {(0, 0, 0), (4, 3, 4)}  # its first pause is drawn
    counts = await blow(plan_of(gateway, "retry", clients=4, attempts=4, pause_s=0.2), tmp_path, for_s=1.0)
    assert counts.retries > counts.sent / 2
    gaps = [b - a for a, b in zip(gateway.arrivals, gateway.arrivals[1:], strict=False)]
    assert min(gaps) < 0.1


async def test_a_timeout_shorter_than_the_answer_makes_retries(gateway, tmp_path):
    gateway.token_s = 0.5
    plan = plan_of(gateway, "retry", clients=5, attempts=3, pause_s=0.1, timeout_s=0.1)
    counts = await blow(plan, tmp_path, for_s=1.0)
    assert counts.timeout > 5
    assert counts.retries > 3


@pytest.mark.parametrize(("status", "ending"), [(429, "rejected"), (401, "denied"), (400, "invalid"), (502, "failed")])
async def test_what_the_gateway_says_is_counted_as_that(gateway, tmp_path, status, ending):
    gateway.status = status
    counts = await blow(plan_of(gateway, "surge", rate_rps=30.0), tmp_path, for_s=0.6)
    assert counts.sent > 5
    assert getattr(counts, ending) >= counts.sent - 3  # the deadline may cut the last ones


async def test_a_gateway_that_is_gone_makes_failures_not_an_end(gateway, tmp_path):
    plan = StormPlan("retry", "http://127.0.0.1:1", "llm", 5, 5, 1.0, 1, clients=3, attempts=10, pause_s=0.1)
    counts = await blow(plan, tmp_path, for_s=0.8)
    assert counts.failed > 5
    assert counts.failed < 3 * 0.8 / 0.01  # not faster than the floor between two tries


async def test_the_key_comes_from_the_environment_and_is_written_nowhere(gateway, tmp_path, monkeypatch):
    monkeypatch.setenv("TENANT_KEY", "sk-secret")
    plan = plan_of(gateway, "surge", rate_rps=30.0, api_key_env="TENANT_KEY")
    await blow(plan, tmp_path, for_s=0.5)
    assert gateway.keys[0] == "Bearer sk-secret"
    assert "sk-secret" not in (tmp_path / "counts.json").read_text() + json.dumps(plan.to_dict())


# the fault around the storm


def requests_total(**values):
    return {(("outcome", name),): value for name, value in values.items()}


@pytest.fixture
def seen_by_gateway(platform):
    platform.metrics[("gateway", "sre_gateway_requests_total")] = requests_total(ok=10, cancelled=1, rejected=0)
    (platform.state_dir / "logs").mkdir()
    return platform


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("sre.chaos.faults.storms.SEEN_WITHIN_S", 0.3)


def tell(platform, lease, **counts):
    now = time.time()
    Counts(**{"started_at": now - 5, "at": now, **counts}).write(counts_file(platform, lease))


@pytest.mark.parametrize("fault", [TrafficSurge(rate_rps=5), LongPromptFlood(), RetryStorm(), DisconnectStorm()])
def test_a_storm_is_planned_as_traffic_with_what_the_gateway_had_counted(seen_by_gateway, fault):
    plan = fault.plan(seen_by_gateway)
    assert (plan.replicas, plan.components) == ((), ("traffic",))
    assert plan.handles["before"] == {"ok": 10, "cancelled": 1, "rejected": 0}
    json.dumps(plan.handles)


def test_a_storm_is_for_this_machine_only(seen_by_gateway):
    seen_by_gateway.gateway_url = "http://llm.example.com"
    with pytest.raises(PlatformError, match="this machine only"):
        TrafficSurge(rate_rps=5).plan(seen_by_gateway)


def test_on_kubernetes_the_gateway_may_be_elsewhere(seen_by_gateway):
    seen_by_gateway.driver, seen_by_gateway.gateway_url = "kubernetes", "http://10.0.0.7:8400"
    assert TrafficSurge(rate_rps=5).plan(seen_by_gateway).handles["storm"]["url"] == "http://10.0.0.7:8400"


def test_a_key_that_is_not_there_is_told_before_anything_is_sent(seen_by_gateway, monkeypatch):
    monkeypatch.delenv("TENANT_KEY", raising=False)
    with pytest.raises(PlatformError, match="TENANT_KEY is not set"):
        TrafficSurge(rate_rps=5, api_key_env="TENANT_KEY").plan(seen_by_gateway)


def test_a_surge_is_proven_when_both_sides_counted_it(seen_by_gateway, lease_for):
    lease = lease_for(TrafficSurge(rate_rps=5))
    tell(seen_by_gateway, lease, rate_rps=5, sent=25, ok=20, rejected=4)
    seen_by_gateway.metrics[("gateway", "sre_gateway_requests_total")] = requests_total(ok=35, cancelled=1, rejected=4)
    proof = Storm.prove(seen_by_gateway, lease)
    assert proof == "the storm sent 25 (5.0 requests/s): 20 ok, 4 rejected; the gateway counted ok +25, rejected +4"


@pytest.mark.parametrize(
    ("fault", "counts", "gateway", "why"),
    [
        (TrafficSurge(rate_rps=5), {"rate_rps": 5, "sent": 25, "ok": 20}, {"ok": 12}, "too few had an ending"),
        (TrafficSurge(rate_rps=50), {"rate_rps": 50, "sent": 25, "ok": 20}, {"ok": 99}, "too few had an ending"),
        (TrafficSurge(factor=2), {"note": "there is no traffic to multiply"}, {"ok": 99}, "no traffic to multiply"),
        (TrafficSurge(rate_rps=5), {"sent": 25, "denied": 25}, {"ok": 99}, "api_key_env"),
        (TrafficSurge(rate_rps=5), {"sent": 25, "invalid": 25}, {"ok": 99}, "context length"),
        (RetryStorm(), {"sent": 25, "ok": 25}, {"ok": 99}, "no client had a reason to repeat"),
        (DisconnectStorm(), {"sent": 25, "hung_up": 25}, {"ok": 99, "cancelled": 2}, "too few had an ending"),
    ],
)
def test_a_storm_that_did_not_arrive_is_not_proven(
    seen_by_gateway, lease_for, impatient, monkeypatch, fault, counts, gateway, why
):
    monkeypatch.setattr("sre.chaos.faults.storms.background_processes", lambda _: ["one"])
    lease = lease_for(fault)
    tell(seen_by_gateway, lease, **counts)
    seen_by_gateway.metrics[("gateway", "sre_gateway_requests_total")] = requests_total(**gateway)
    with pytest.raises(NotProven, match=why):
        Storm.prove(seen_by_gateway, lease)


def test_a_helper_that_ended_early_says_why(seen_by_gateway, lease_for, impatient):
    lease = lease_for(TrafficSurge(rate_rps=5))
    counts_file(seen_by_gateway, lease).with_suffix(".log").write_text("KeyError: 'TENANT_KEY'\n")
    with pytest.raises(NotProven, match="ended early: KeyError: 'TENANT_KEY'"):
        Storm.prove(seen_by_gateway, lease)


def test_a_storm_is_over_when_its_queue_is(seen_by_gateway, lease_for):
    lease = lease_for(TrafficSurge(rate_rps=5))
    seen_by_gateway.metrics[("gateway", "sre_gateway_queue_depth")] = 7
    with pytest.raises(PlatformError, match="still queue"):
        Storm.recovered(seen_by_gateway, lease, timeout_s=0.1)
    seen_by_gateway.metrics[("gateway", "sre_gateway_queue_depth")] = 0
    assert Storm.recovered(seen_by_gateway, lease, timeout_s=0.1) == pytest.approx(time.time(), abs=5)
