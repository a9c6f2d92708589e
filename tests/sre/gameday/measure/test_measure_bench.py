"""What is read from the platform's files: phases of a start, what clients saw, what machine it was."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from serving.loadgen.model import RequestRecord
from sre.gameday.measure.bench import answers_in
from sre.gameday.measure.machine import machine_facts
from sre.gameday.measure.runs import phases_of
from sre.gameday.running import RunningPlatform

RECORD = RequestRecord("r1", 9.9, 10.0, 10.2, 11.2, 11.3, 40, 12, 11, 0.4, "ok", 200, None, "length", ("llm-0",))


def ready(replica: str, **phases: float) -> dict[str, Any]:
    return {"at": 1.0, "event": "replica_ready", "replica": replica, "detail": {"phases": phases}}


def testphases_of_are_medians_over_replicas_in_the_order_in_which_they_come(tmp_path: Path) -> None:
    events = [
        {"at": 0.0, "event": "replica_started", "replica": "llm-0", "detail": {}},
        ready(
            "llm-0", server_start=1.0, model_load=0.5, engine_warmup=0.2, engine_load_weights=0.8, first_inference=0.1
        ),
        ready(
            "llm-1", server_start=3.0, model_load=0.5, engine_warmup=0.2, engine_load_weights=0.8, first_inference=0.1
        ),
        ready(
            "llm-2", server_start=2.0, model_load=0.5, engine_warmup=0.2, engine_load_weights=0.8, first_inference=0.1
        ),
    ]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    running = cast(RunningPlatform, SimpleNamespace(platform=SimpleNamespace(state_dir=tmp_path)))
    assert list(phases_of(running).items()) == [
        ("server_start", 2.0),
        ("model_load", 0.5),
        ("engine_load_weights", 0.8),
        ("engine_warmup", 0.2),
        ("first_inference", 0.1),
    ]


def test_an_answer_is_what_the_load_generator_wrote_down(tmp_path: Path) -> None:
    (tmp_path / "requests.jsonl").write_text(json.dumps(asdict(RECORD)) + "\n")
    (one,) = answers_in(tmp_path)
    assert one.ttft_s == pytest.approx(0.2)
    assert one.inter_token_s == pytest.approx(0.1)
    assert (one.tokens, one.wanted, one.longest_gap_s, one.outcome) == (11, 12, 0.4, "ok")


@pytest.mark.parametrize(
    ("text", "processor"), [("model name\t: Some  CPU @ 2 GHz\nmodel name : x\n", "Some CPU @ 2 GHz"), (None, "x")]
)
def test_a_machine_is_named_by_its_processor(tmp_path: Path, text: str | None, processor: str) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    if text is not None:
        cpuinfo.write_text(text)
    told = machine_facts(cpuinfo)
    assert " x " in told
    assert processor in told
