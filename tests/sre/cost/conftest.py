"""A drill's report folder, small enough to be checked by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

START, END = 1_795_626_000.0, 1_795_626_100.0  # 17:00:00 UTC on 2026-11-25, and 100 s later
COST = {
    "price": {
        "name": "lab-h100",
        "gpu": "H100-80GB",
        "per_gpu_hour": "3.60",
        "currency": "USD",
        "valid_from": "2026-01-01",
        "source": "our contract 17",
        "provider": "Lab",
        "region": "lab-1",
        "purchase": "on-demand",
    },
    "gpus_per_replica": 2,
    "billed_s": 190.0,
    "serving_s": 180.0,
    "not_serving_s": 10.0,
    "total": "0.38",
    "tokens": 1000,
    "good_tokens": 900,
    "wasted_tokens": 100,
    "per_million_tokens": "380",
    "per_million_good_tokens": "422",
    "incident_capacity": "0.02",
    "incident_wasted_tokens": "0.038",
    "incident_total": "0.058",
    "notes": [],
}


def events() -> list[dict[str, Any]]:
    """llm-0 lives throughout; llm-1 from 10 s on, serving from 20 s."""
    told = [
        (START - 20, "platform_starting", None),
        (START - 18, "replica_started", "llm-0"),
        (START - 5, "replica_ready", "llm-0"),
        (START + 10, "replica_started", "llm-1"),
        (START + 20, "replica_ready", "llm-1"),
    ]
    return [{"at": at, "event": event, "replica": name, "pid": 1, "detail": {}} for at, event, name in told]


def samples() -> Iterator[dict[str, Any]]:
    """The recorder's lines: llm-0 works until 50 s and then has nothing; llm-1 always works; the gateway counts."""
    targets = [
        [["instance", "127.0.0.1:1"], ["job", "gateway"]],
        [["instance", "127.0.0.1:2"], ["job", "triton"], ["replica", "llm-0"]],
        [["instance", "127.0.0.1:3"], ["job", "triton"], ["replica", "llm-1"]],
    ]
    yield {"schema": 1, "at": START - 2, "interval_s": 1.0, "retention_s": 7200.0, "targets": targets}
    gateway = [
        ("sre_gateway_tokens_total", [["kind", "prompt"]], 2000.0),
        ("sre_gateway_tokens_total", [["kind", "generation"]], 1000.0),
        ("sre_gateway_good_tokens_total", [], 900.0),
        ("sre_gateway_wasted_tokens_total", [], 100.0),
        ("sre_gateway_replayed_tokens_total", [["kind", "prompt"]], 0.0),
        ("sre_gateway_goodput_eligible_total", [], 10.0),
        ("sre_gateway_goodput_good_total", [], 9.0),
    ]
    seen: set[int] = set()
    for second in range(-2, 103):
        at, done = START + second, max(0.0, min(1.0, second / 100))
        pages = [(0, [(name, labels, total * done) for name, labels, total in gateway])]
        pages.append((1, _engine(running=1.0 if second <= 50 else 0.0, tokens=float(min(second, 50) + 2))))
        if second >= 20:
            pages.append((2, _engine(running=1.0, tokens=float(second))))
        for target, page in pages:
            line: dict[str, Any] = {"at": at, "target": target, "up": 1}
            if target not in seen:
                line["new"] = [[name, sorted([*labels, *targets[target]])] for name, labels, _ in page]
                seen.add(target)
            yield {**line, "ids": list(range(len(page))), "values": [value for *_, value in page]}


def _engine(*, running: float, tokens: float) -> list[tuple[str, list[list[str]], float]]:
    return [
        ("vllm:num_requests_running", [["model_name", "llm"]], running),
        ("vllm:generation_tokens_total", [["model_name", "llm"]], tokens),
    ]


@pytest.fixture
def drill(tmp_path: Path) -> Callable[..., Path]:
    """`drill(name, **changes of report.json)`: a folder with report.json, events.jsonl and samples.jsonl."""

    def made(name: str = "20261125T170000Z-crash", **changes: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        report = {
            "schema": 1,
            "id": name,
            "title": "A crash",
            "experiment": "crash.yaml",
            "started_at": START,
            "ended_at": END,
            "incident": {"id": name},
            "cost": COST,
            **changes,
        }
        (folder / "report.json").write_text(json.dumps(report))
        (folder / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events()))
        (folder / "samples.jsonl").write_text("".join(json.dumps(line) + "\n" for line in samples()))
        return folder

    return made
