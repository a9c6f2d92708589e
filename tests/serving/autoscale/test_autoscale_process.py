"""The autoscaler's process against a fake supervisor and fake targets on loopback."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from serving.autoscale.config import AutoscaleConfig, load_config
from serving.autoscale.documents import parse_policy
from serving.autoscale.exporter import AutoscalerMetrics, serve
from serving.autoscale.loop import Loop, require_answerable, within
from serving.autoscale.supervisor import SupervisorClient
from serving.autoscale.surroundings import HttpSurroundings
from serving.errors import BadInput, EnvironmentLacks

TOKEN = "secret-of-this-test"  # noqa: S105  (of the fake)
QUEUE = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: llm}
spec:
  scaleTargetRef: {kind: Deployment, name: llm}
  minReplicas: 1
  maxReplicas: 8
  metrics:
    - type: Pods
      pods:
        metric: {name: vllm_num_requests_waiting}
        target: {type: AverageValue, averageValue: "2"}
"""
KEDA = """\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: llm}
spec:
  scaleTargetRef: {name: llm}
  minReplicaCount: 1
  triggers:
    - type: prometheus
      metadata: {serverAddress: "http://x", query: "QUERY", threshold: "5"}
"""


@dataclass
class FakePlatform:
    """Supervisor, gateway, replicas and Prometheus in one server."""

    waiting: dict[str, float]
    states: dict[str, str] = field(default_factory=dict)
    phase: str = "ready"
    prometheus: bool = False
    refuses: bool = False
    spec: dict[str, int] = field(default_factory=dict)
    desired: int | None = None
    scaled: list[dict[str, object]] = field(default_factory=list)
    url: str = ""

    async def state(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401, text="who is this?")
        names = [*self.waiting, *(name for name in self.states if name not in self.waiting)]
        replicas = [
            {"name": name, "state": self.states.get(name, "ready"), "metrics_url": f"{self.url}/{name}/metrics"}
            for name in names
        ]
        prometheus = {"url": f"{self.url}/prometheus"} if self.prometheus else None
        return web.json_response(
            {
                "schema": 1,
                "phase": self.phase,
                "gateway": {"url": f"{self.url}/gateway"},
                "prometheus": prometheus,
                "replicas": replicas,
                "spec": self.spec,
                "desired_replicas": self.desired,
            }
        )

    async def scale(self, request: web.Request) -> web.Response:
        if self.refuses:
            return web.json_response({"error": {"message": "stopping"}}, status=409)
        body = await request.json()
        self.scaled.append(body)
        return web.json_response({"replicas": body["replicas"]})

    async def metrics(self, request: web.Request) -> web.Response:
        name = request.match_info["target"]
        if name == "gateway":
            return web.Response(text="sre_gateway_queue_depth 4\n")
        return web.Response(text=f'vllm:num_requests_waiting{{model_name="llm"}} {self.waiting[name]}\n')

    async def query(self, request: web.Request) -> web.Response:
        assert request.query["query"] == "sum(rate(x[1m]))"
        return web.json_response(
            {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [0, "14"]}]}}
        )


@asynccontextmanager
async def running(platform: FakePlatform, tmp_path):
    """The platform on loopback; yields the path of its control file."""
    app = web.Application()
    app.router.add_get("/state", platform.state)
    app.router.add_post("/scale", platform.scale)
    app.router.add_get("/prometheus/api/v1/query", platform.query)
    app.router.add_get("/{target}/metrics", platform.metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    platform.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    control = tmp_path / "control.json"
    control.write_text(json.dumps({"url": platform.url, "token": TOKEN}))
    try:
        yield control
    finally:
        await runner.cleanup()


async def one_round(platform: FakePlatform, tmp_path, text: str) -> list[dict]:
    """One decision; what was logged."""
    lines: list[dict] = []
    stop = asyncio.Event()

    def log(line: str) -> None:
        lines.append(json.loads(line))
        stop.set()

    async with running(platform, tmp_path) as control, aiohttp.ClientSession() as session:
        config = AutoscaleConfig(policy=tmp_path / "p.yaml", control=control)
        around = HttpSurroundings(session, control)
        loop = Loop(config, parse_policy(text, where="p.yaml"), around, clock=lambda: 100.0, now=lambda: 5.0, log=log)
        await asyncio.wait_for(loop.run(stop), 5)
    return lines


async def test_a_decision_reads_the_replicas_and_asks_the_supervisor(tmp_path) -> None:
    platform = FakePlatform({"llm-0": 5, "llm-1": 4})
    (line,) = await one_round(platform, tmp_path, QUEUE)
    # (5 + 4) / 2 = 4.5, ratio 2.25, 2 x 2.25 = 4.5
    assert [asked["replicas"] for asked in platform.scaled] == [5]
    assert "vllm_num_requests_waiting" in str(platform.scaled[0]["reason"])
    assert (line["event"], line["current"], line["desired"]) == ("decision", 2, 5)
    assert line["metrics"][0] | {"ratio": 2.25, "value": 4.5} == line["metrics"][0]


async def test_nothing_is_asked_when_nothing_changes(tmp_path) -> None:
    platform = FakePlatform({"llm-0": 2, "llm-1": 2})
    (line,) = await one_round(platform, tmp_path, QUEUE)
    assert platform.scaled == []
    assert line["desired"] == 2


async def test_a_starting_replica_counts_as_current_and_a_draining_one_does_not(tmp_path) -> None:
    platform = FakePlatform({"llm-0": 3}, states={"llm-1": "starting", "llm-2": "draining", "llm-3": "backoff"})
    (line,) = await one_round(platform, tmp_path, QUEUE)
    assert line["current"] == 3
    # 3 / 2 = 1.5 without those that start, (3 + 0 + 0) / 3 = 1 with them: the direction would turn
    assert line["desired"] == 3


async def test_a_replica_somebody_drained_is_not_taken_away_by_scaling(tmp_path) -> None:
    platform = FakePlatform({"llm-0": 6}, states={"llm-1": "drained"})
    (line,) = await one_round(platform, tmp_path, QUEUE)
    assert line["desired"] == 3
    assert platform.scaled[0]["replicas"] == 4


@pytest.mark.parametrize(("desired", "asked"), [(2, 4), (1, 3)])
async def test_a_replica_drained_by_hand_is_set_aside_already_while_it_drains(tmp_path, desired, asked) -> None:
    """The supervisor still counts the first: else scaling out would add one less than was decided."""
    platform = FakePlatform({"llm-0": 6}, states={"llm-1": "draining"}, desired=desired)
    (line,) = await one_round(platform, tmp_path, QUEUE)
    assert line["desired"] == 3
    assert platform.scaled[0]["replicas"] == asked


async def test_a_target_that_does_not_answer_is_missing_not_idle(tmp_path) -> None:
    platform = FakePlatform({"llm-0": 0.2, "llm-1": 0.2, "llm-2": 0.2})
    platform.waiting = {"llm-0": 0.2}
    platform.states = {"llm-1": "ready", "llm-2": "ready"}  # in the state, but their page raises: HTTP 500
    (line,) = await one_round(platform, tmp_path, QUEUE)
    # (0.2 + 2 + 2) / 3 = 1.4, ratio 0.7, 3 x 0.7 = 2.1; taken as idle it would be 1; the window holds 3
    assert line["recommended"] == 3


async def test_a_refusal_is_logged_and_tried_again(tmp_path) -> None:
    platform = FakePlatform({"llm-0": 9}, refuses=True)
    (line,) = await one_round(platform, tmp_path, QUEUE)
    assert line["event"] == "round_failed"
    assert "409" in line["error"]


async def test_while_the_platform_starts_nothing_is_decided(tmp_path) -> None:
    platform = FakePlatform({"llm-0": 9}, phase="starting")
    (line,) = await one_round(platform, tmp_path, QUEUE)
    assert line["event"] == "waiting"
    assert platform.scaled == []


async def test_a_trigger_is_answered_by_prometheus_when_there_is_one(tmp_path) -> None:
    platform = FakePlatform({"llm-0": 0}, prometheus=True)
    (line,) = await one_round(platform, tmp_path, KEDA.replace("QUERY", "sum(rate(x[1m]))"))
    assert line["desired"] == 3  # 14 / 5 = 2.8


async def test_without_prometheus_a_simple_trigger_is_answered_from_the_scrape(tmp_path) -> None:
    platform = FakePlatform({"llm-0": 6, "llm-1": 6})
    (line,) = await one_round(platform, tmp_path, KEDA.replace("QUERY", "sum(vllm:num_requests_waiting)"))
    assert line["desired"] == 3  # 12 / 5 = 2.4


async def test_a_wrong_token_and_an_absent_supervisor_are_told(tmp_path) -> None:
    async with aiohttp.ClientSession() as session:
        async with running(FakePlatform({}), tmp_path) as control:
            control.write_text(control.read_text().replace(TOKEN, "another"))
            with pytest.raises(EnvironmentLacks, match="401"):
                await SupervisorClient(session, control).state()
        with pytest.raises(EnvironmentLacks, match="is it up"):
            await SupervisorClient(session, control).state()
        with pytest.raises(EnvironmentLacks, match="cannot be read"):
            await SupervisorClient(session, tmp_path / "none.json").state()


def test_what_nobody_can_answer_is_refused_at_the_start() -> None:
    complex_trigger = parse_policy(KEDA.replace("QUERY", "sum(rate(x[1m]))"), where="p.yaml")
    require_answerable(complex_trigger, "http://127.0.0.1:9090")
    with pytest.raises(BadInput, match="install Prometheus"):
        require_answerable(complex_trigger, None)


def test_the_platforms_own_bound_holds() -> None:
    policy = parse_policy(QUEUE.replace("minReplicas: 1", "minReplicas: 3"), where="p.yaml")
    assert within(policy, 4).max_replicas == 4
    assert within(policy, None).max_replicas == within(policy, 16).max_replicas == 8
    with pytest.raises(BadInput, match="max-replicas"):
        within(policy, 2)


async def test_its_own_metrics_tell_the_decision(tmp_path) -> None:
    metrics = AutoscalerMetrics()
    platform = FakePlatform({"llm-0": 90})
    async with running(platform, tmp_path) as control, aiohttp.ClientSession() as session:
        stop = asyncio.Event()
        config = AutoscaleConfig(policy=tmp_path / "p.yaml", control=control)
        loop = Loop(
            config,
            parse_policy(QUEUE, where="p.yaml"),
            HttpSurroundings(session, control),
            clock=lambda: 0.0,
            now=lambda: 0.0,
            log=lambda _: stop.set(),
            metrics=metrics,
        )
        await asyncio.wait_for(loop.run(stop), 5)
        runner, port = await serve(metrics, 0)
        try:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                page = await answer.text()
        finally:
            await runner.cleanup()
    assert "sre_autoscaler_desired_replicas 5.0" in page
    assert 'sre_autoscaler_limited{reason="ScaleUpLimit"} 1.0' in page
    assert 'sre_autoscaler_signal_value{metric="Pods vllm_num_requests_waiting"} 90.0' in page


async def test_the_process_decides_until_it_is_told_to_stop(tmp_path) -> None:
    platform = FakePlatform({"llm-0": 9}, spec={"max_replicas": 3})
    (tmp_path / "p.yaml").write_text(QUEUE)
    async with running(platform, tmp_path) as control:
        config = tmp_path / "autoscale.json"
        config.write_text(json.dumps({"policy": str(tmp_path / "p.yaml"), "control": str(control), "interval_s": 1}))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "serving.autoscale", "--config", str(config), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            lines = [json.loads(await asyncio.wait_for(process.stdout.readline(), 20)) for _ in range(2)]
        finally:
            process.send_signal(signal.SIGTERM)
            returncode = await asyncio.wait_for(process.wait(), 10)
    assert [line["event"] for line in lines] == ["started", "decision"]
    assert (lines[1]["desired"], lines[1]["limited_by"]) == (3, "TooManyReplicas")
    assert platform.scaled[0]["replicas"] == 3
    assert returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "policy: Field required; control: Field required"),
        ('{"policy": "p", "control": "c", "interval_s": 0}', "interval_s"),
        ('{"policy": "p", "control": "c", "speed": 2}', "speed"),
        ("[", "Invalid JSON"),
    ],
)
def test_a_bad_configuration_is_told_in_one_line(tmp_path, text, said) -> None:
    path = tmp_path / "autoscale.json"
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        load_config(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
