"""The child process as its parent sees it: files, progress lines, signals, exit codes."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from serving.loadgen.model import RequestRecord
from serving.loadgen.workload import percentiles, run_facts

ROOT = Path(__file__).parents[3]


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        response = web.StreamResponse(headers={"x-sre-replicas": "llm-0"})
        await response.prepare(request)
        for i in range(body["max_tokens"]):
            data = {"choices": [{"index": 0, "text": f" w{i}", "finish_reason": None}]}
            await response.write(f"data: {json.dumps(data)}\n\n".encode())
        if body["model"] == "stuck":
            await asyncio.sleep(60)
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_post("/v1/completions", answer)
    fake = TestServer(app)
    await fake.start_server()
    yield fake
    await fake.close()


async def start(folder: Path, url: str, **fields: Any) -> asyncio.subprocess.Process:
    plan = folder / "plan.json"
    short = {"median": 5, "sigma": 0.3, "min": 2, "max": 9}
    if "trace" not in fields:
        fields = {"prompt_tokens": short, "output_tokens": short, **fields}
    plan.write_text(json.dumps({"url": url, "out": str(folder / "out"), **fields}))
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "serving.loadgen", "--plan", str(plan)),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def records(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "out" / "requests.jsonl").read_text().splitlines()]


def workload(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "out" / "workload.json").read_text())
    return document


async def test_a_run_leaves_its_two_files_and_a_last_line_of_progress(server: TestServer, tmp_path: Path) -> None:
    process = await start(tmp_path, str(server.make_url("/v1")), duration_s=1.2, rate_rps=20.0, seed=2)
    out, err = await process.communicate()
    assert (process.returncode, err) == (0, b"")
    lines = [json.loads(line) for line in out.splitlines()]
    found, document = records(tmp_path), workload(tmp_path)
    assert len(lines) >= 2
    n = document["n"]
    assert n > 5
    assert lines[-1] | {"at": 0} == {"at": 0, "sent": n, "finished": n, "ok": n, "failed": 0, "inflight": 0}
    assert len(found) == n
    assert {r["outcome"] for r in found} == {"ok"}
    assert all(r["output_tokens"] == r["max_tokens"] for r in found)
    assert document["run"]["outcomes"] == {"ok": n}
    assert document["run"]["received_tokens"] == sum(r["output_tokens"] for r in found)
    assert document["lag_ms"]["p99"] >= 0
    labels = [label for label, _ in document["lines"]]
    assert labels[:3] == ["source", "seed", "offered rate"]
    assert "generator lag" in labels


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
async def test_a_signal_ends_it_in_order(server: TestServer, tmp_path: Path, number: signal.Signals, code: int) -> None:
    url = str(server.make_url(""))
    process = await start(tmp_path, url, model="stuck", duration_s=120.0, rate_rps=20.0)
    assert process.stdout is not None
    while json.loads(await process.stdout.readline())["inflight"] == 0:
        pass
    before = workload(tmp_path)
    process.send_signal(number)
    out, err = await process.communicate()
    assert (process.returncode, err) == (code, b"")
    last = json.loads(out.splitlines()[-1])
    assert last["inflight"] == 0
    assert last["sent"] == last["finished"] == len(records(tmp_path))
    assert {r["outcome"] for r in records(tmp_path)} == {"cancelled"}
    assert before["run"] is None  # what is offered is on disk from the start
    assert workload(tmp_path)["run"]["interrupted"] is True


async def test_a_reader_that_goes_away_ends_the_run(server: TestServer, tmp_path: Path) -> None:
    process = await start(tmp_path, str(server.make_url("")), duration_s=120.0, rate_rps=5.0)
    assert process.stdout is not None
    await process.stdout.readline()
    process._transport.get_pipe_transport(1).close()  # type: ignore[attr-defined]
    assert await process.wait() == 128 + signal.SIGPIPE
    assert workload(tmp_path)["run"]["interrupted"] is True


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"rate_rps": -1.0}, "rate_rps"),
        ({"trace": "nowhere.csv"}, "nowhere.csv: cannot read the trace: No such file"),
        ({"api_key_env": "SRE_TEST_NO_SUCH_KEY"}, "SRE_TEST_NO_SUCH_KEY is not set"),
        ({"out": "/dev/null/x"}, "/dev/null/x: cannot write records there"),
    ],
)
async def test_wrong_use_is_one_line_and_exit_2(tmp_path: Path, fields: dict[str, Any], expected: str) -> None:
    process = await start(tmp_path, "http://127.0.0.1:1", **fields)
    out, err = await process.communicate()
    assert process.returncode == 2
    assert out == b""
    assert err.count(b"\n") == 1
    assert expected in err.decode()


def record(lag_s: float, sent_at: float = 100.0) -> RequestRecord:
    return RequestRecord(
        id="r000000",
        scheduled_at=sent_at - lag_s,
        sent_at=sent_at,
        first_token_at=None,
        last_token_at=None,
        finished_at=sent_at + 1,
        prompt_tokens=1,
        max_tokens=1,
        output_tokens=0,
        max_gap_s=None,
        outcome="error",
        status=None,
        error="x",
        finish_reason=None,
        replicas=(),
    )


def test_a_generator_that_is_late_says_so() -> None:
    on_time = run_facts([record(0.001)] * 99 + [record(0.5)], wall_s=1, cpu_s=0, interrupted=False)
    late = run_facts([record(0.001)] * 90 + [record(0.06)] * 10, wall_s=1, cpu_s=0, interrupted=False)
    assert not on_time.lag_high
    assert late.lag_high
    assert late.lag_ms is not None
    assert late.lag_ms.p99 == pytest.approx(60.0)


def test_the_observed_rate_counts_gaps_over_time() -> None:
    facts = run_facts([record(0.0, at) for at in (10.0, 10.5, 12.0)], wall_s=1, cpu_s=0, interrupted=False)
    assert facts.observed_rps == pytest.approx(1.0)
    assert run_facts([], wall_s=1, cpu_s=0, interrupted=True).observed_rps is None


def test_percentiles_are_values_that_occurred() -> None:
    found = percentiles(range(1, 101))
    assert (found.p50, found.p95, found.p99, found.max) == (50, 95, 99, 100)
    assert percentiles([7.0]).p99 == 7.0
