"""The byte-level stream reader counts the same whatever the network cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.loadgen.sse import CompletionStream, error_message


def event(data: dict[str, Any] | str, compact: bool = True) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":") if compact else None)
    return f"data: {text}\n\n".encode()


def token(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}]}


USAGE = {"id": "c", "choices": [], "usage": {"prompt_tokens": 4, "completion_tokens": 7, "total_tokens": 11}}
ANSWER = event(token("one")) + event(token(' "text":""')) + event(token("", "length")) + event("[DONE]")


def read(*chunks: bytes) -> CompletionStream:
    stream = CompletionStream()
    for at, chunk in enumerate(chunks):
        stream.feed(chunk, float(at))
    stream.end(float(len(chunks)))
    return stream


def seen(stream: CompletionStream) -> tuple[Any, ...]:
    return (stream.output_tokens, stream.done, stream.finish_reason, stream.error)


@pytest.mark.parametrize("compact", [True, False])
def test_texts_are_tokens_and_an_empty_last_one_is_not(compact: bool) -> None:
    stream = read(event(token("a"), compact), event(token(" b"), compact), event(token("", "length"), compact))
    assert seen(stream) == (2, False, "length", None)


def test_a_last_event_may_carry_text_and_the_reason() -> None:
    assert seen(read(event(token("a")), event(token(" b", "stop")), event("[DONE]"))) == (2, True, "stop", None)


def test_generated_quotes_do_not_look_like_the_protocol() -> None:
    tricky = ['"text":""', '"finish_reason":"stop"', "[DONE]", '{"error"', "data: [DONE]"]
    assert seen(read(*[event(token(text)) for text in tricky])) == (len(tricky), False, None, None)


@given(cuts=st.sets(st.integers(1, len(ANSWER) - 1), max_size=12))
def test_where_chunks_are_cut_changes_nothing(cuts: set[int]) -> None:
    edges = [0, *sorted(cuts), len(ANSWER)]
    pieces = [ANSWER[a:b] for a, b in pairwise(edges)]
    assert seen(read(*pieces)) == (2, True, "length", None)


@given(cuts=st.sets(st.integers(1, len(ANSWER) + 7), max_size=6))
def test_carriage_returns_are_read_too(cuts: set[int]) -> None:
    body = ANSWER.replace(b"\n", b"\r\n")
    edges = [0, *sorted(cuts), len(body)]
    pieces = [body[a:b] for a, b in pairwise(edges)]
    assert seen(read(*pieces)) == (2, True, "length", None)


def test_times_and_the_widest_gap_are_those_of_tokens() -> None:
    stream = CompletionStream()
    for at, chunk in ((1.0, token("a")), (1.5, token("b")), (1.6, token("c")), (9.0, token("", "length"))):
        stream.feed(event(chunk), at)
    assert (stream.first_at, stream.last_at, stream.max_gap_s) == (1.0, 1.6, 0.5)


def test_one_token_has_no_gap() -> None:
    assert read(event(token("a"))).max_gap_s is None


def test_the_servers_own_count_wins_when_it_reports_usage() -> None:
    with_null = {**token("several words at once"), "usage": None}
    assert read(event(with_null), event(USAGE), event("[DONE]")).output_tokens == 7


def test_an_error_event_is_kept() -> None:
    stream = read(event(token("a")), event({"error": {"message": "replica llm-0\nis gone", "type": "server_error"}}))
    assert seen(stream) == (1, False, None, "replica llm-0 is gone")


def test_named_events_and_keep_alives_are_understood() -> None:
    error = b'event: error\ndata: {"error": {"message": "x"}}\n\n'
    assert seen(read(b": ping\n\n", event(token("a")), error)) == (1, False, None, "x")


def test_a_done_without_its_blank_line_counts() -> None:
    assert read(event(token("a")), b"data: [DONE]").done
    assert read(event(token("a")), b"data: [DONE]\n").done


@pytest.mark.parametrize(
    "payload", ['{"finish_reason": "stop"', '{"choices": 3, "finish_reason": "stop"}', '["usage"]']
)
def test_rubbish_at_the_end_is_an_error_not_a_crash(payload: str) -> None:
    assert (read(event(payload)).error or "").startswith("unreadable event")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error": {"message": "slow down", "code": 429}}', "slow down"),
        (b'{"error": "plain"}', "plain"),
        (b"<html>\n bad   gateway</html>", "<html> bad gateway</html>"),
        (b"", ""),
        (b"x" * 900, "x" * 300),
    ],
)
def test_error_bodies_become_one_short_line(body: bytes, expected: str) -> None:
    assert error_message(body) == expected
