"""Traces, classes and the generated day as columns: what the fleet simulator is offered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from serving.errors import BadInput
from serving.loadgen.model import TraceRow
from serving.simulator.trace_workload import read_rows, trace_traffic
from serving.simulator.workloads import ClassLoad, class_workload, columns, day_workload, known_class, kv_blocks, mixed

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
MINUTE = "2023-11-16 18:00:{:02d}.0000000,{},{}\n"


def azure(path: Path, lines: list[str]) -> Path:
    path.write_text(HEADER + "".join(lines))
    return path


def test_bad_rows_are_refused_with_their_lines_and_how_many_there_are(tmp_path: Path) -> None:
    trace = azure(
        tmp_path / "t.csv", [MINUTE.format(1, 10, 5), *[MINUTE.format(2, "x", 5)] * 7, MINUTE.format(3, 10, 5)]
    )

    with pytest.raises(BadInput) as refused:
        read_rows(trace)

    said = str(refused.value)
    assert said.startswith("7 bad rows: ")
    assert f"{trace}:3:" in said
    assert "and 2 more" in said
    assert "--skip-bad-rows" in said
    assert "\n" not in said


def test_bad_rows_are_left_out_and_counted_when_asked(tmp_path: Path) -> None:
    trace = azure(
        tmp_path / "t.csv", [MINUTE.format(9, 10, 5), MINUTE.format(2, 10, 5), "gibberish\n", MINUTE.format(11, 20, 6)]
    )

    found = read_rows(trace, skip_bad_rows=True)

    assert found.skipped == 2
    assert [(row.at_s, row.prompt_tokens) for row in found.rows] == [(0.0, 10), (2.0, 20)]


def test_a_trace_of_bad_rows_only_is_no_trace(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no rows"):
        read_rows(azure(tmp_path / "t.csv", ["gibberish\n"]), skip_bad_rows=True)


def test_a_thickened_trace_has_the_rate_that_was_asked_for_and_is_the_same_again(tmp_path: Path) -> None:
    trace = azure(tmp_path / "t.csv", [MINUTE.format(second, 100 + second, 9) for second in range(60)])

    thick = trace_traffic(trace, rate_rps=5.0, seed=3)

    assert 4.5 < len(thick.rows) / thick.duration_s < 5.5
    assert [row.at_s for row in thick.rows] == sorted(row.at_s for row in thick.rows)
    assert thick == trace_traffic(trace, rate_rps=5.0, seed=3)
    assert thick != trace_traffic(trace, rate_rps=5.0, seed=4)


def test_blocks_of_a_trace_become_kv_blocks_that_are_shared_as_before() -> None:
    first, second = TraceRow(0.0, 1024, 1, (7, 9)), TraceRow(1.0, 700, 1, (7, 12))

    one, other = kv_blocks([first, second], 16)

    assert len(one) == 64
    assert len(other) == 700 // 16
    assert one[:32] == other[:32]
    assert not set(one[32:]) & set(other[32:])


def test_kv_blocks_that_do_not_divide_the_traces_are_refused() -> None:
    with pytest.raises(BadInput, match="do not divide"):
        kv_blocks([TraceRow(0.0, 512, 1, (1,))], 48)


def test_copies_in_a_thickened_trace_share_blocks_among_themselves_only(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    row = '{{"timestamp": {}, "input_length": 512, "output_length": 4, "hash_ids": [1]}}\n'
    trace.write_text("".join(row.format(second * 1000) for second in range(20)))

    rows = trace_traffic(trace, rate_rps=2.0, seed=1).rows

    assert {row.hash_ids for row in rows if len(row.hash_ids) == 1} == {(1,), ((1 << 48) + 1,)}


def test_a_mixture_is_in_order_of_arrival_and_knows_its_classes() -> None:
    workload = class_workload(mixed(rate_rps=20.0), duration_s=60.0, seed=1)

    assert (np.diff(workload.at_ns) >= 0).all()
    assert workload.classes == ("chat", "rag", "agent")
    assert set(workload.klass.tolist()) == {0, 1, 2}
    assert 15 < len(workload) / 60 < 25


def test_classes_share_text_within_themselves_only() -> None:
    agent = known_class("agent", rate_rps=5.0)
    twin = ClassLoad("twin", agent.prompt_tokens, agent.output_tokens, 5.0, prefixes=agent.prefixes)
    workload = class_workload((agent, twin), duration_s=60.0, seed=1)
    assert workload.prefix is not None

    names = [
        {name for blocks, k in zip(workload.prefix, workload.klass, strict=True) if k == which for name in blocks}
        for which in (0, 1)
    ]

    assert not names[0] & names[1]


def test_a_priority_belongs_to_the_class() -> None:
    chat, rag = known_class("chat", rate_rps=5.0, priority=1), known_class("rag", rate_rps=5.0, priority=-2)
    workload = class_workload((chat, rag), duration_s=20.0, seed=1)

    assert {(int(k), int(p)) for k, p in zip(workload.klass, workload.priority, strict=True)} == {(0, 1), (1, -2)}


def test_another_rate_leaves_the_lengths_as_they_were() -> None:
    slow = class_workload((known_class("chat", rate_rps=2.0),), duration_s=60.0, seed=1)
    fast = class_workload((known_class("chat", rate_rps=4.0),), duration_s=60.0, seed=1)

    assert fast.prompt_tokens[: len(slow)].tolist() == slow.prompt_tokens.tolist()


def test_the_day_shares_nothing() -> None:
    assert day_workload(rate_rps=1.0, duration_s=120.0, seed=1).prefix is None


def test_rows_without_shared_text_have_no_prefixes() -> None:
    assert columns("t", [TraceRow(0.0, 10, 5)], 16).prefix is None
