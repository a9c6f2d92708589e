"""From token ids to text, cut anywhere: the client's bytes are the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.engine.vllm.decoding import AnswerText, Delta


def utf8_bytes() -> Callable[[int], str]:
    """A tokenizer whose tokens are bytes: a character comes out with its last one."""
    held = bytearray()

    def step(token_id: int) -> str:
        held.append(token_id)
        try:
            text = held.decode()
        except UnicodeDecodeError:
            return ""
        held.clear()
        return text

    return step


def whole(ids: list[int], stop: tuple[str, ...]) -> tuple[list[str], int, bool]:
    """The undisturbed answer: text by token, how many tokens count, whether a stop string ended it."""
    answer = AnswerText(utf8_bytes(), stop)
    pieces = []
    for token_id in ids:
        delta = answer.feed([token_id])
        pieces.append(delta.text)
        if delta.is_stopped:
            return pieces, len(pieces), True
    pieces.append(answer.finish())
    return pieces, len(ids), False


TEXTS = st.text("abß✓ ", max_size=24)
STOPS = st.lists(st.text("abß ", min_size=1, max_size=4), max_size=3).map(tuple)


@given(TEXTS, STOPS)
def test_the_text_ends_before_the_stop_string_that_is_complete_first(text: str, stop: tuple[str, ...]) -> None:
    pieces, _, is_stopped = whole(list(text.encode()), stop)
    found = [(text.find(s) + len(s), text.find(s)) for s in stop if s in text]
    assert "".join(pieces) == (text[: min(found)[1]] if found else text)
    assert is_stopped == bool(found)


@given(TEXTS, STOPS, st.integers(0, 100))
def test_a_cut_anywhere_changes_no_byte_and_no_count(text: str, stop: tuple[str, ...], cut: int) -> None:
    ids = list(text.encode())
    pieces, counted, is_stopped = whole(ids, stop)
    cut = min(cut, max(0, counted - 1))
    answer = AnswerText(utf8_bytes(), stop)
    had = "".join(pieces[:cut])
    seam = answer.resume(ids[:cut], had)
    assert seam == Delta("", cut, False)
    rest = answer.feed(ids[cut:])
    assert had + rest.text + ("" if rest.is_stopped else answer.finish()) == "".join(pieces)
    assert cut + rest.tokens == counted
    assert rest.is_stopped == is_stopped


def test_a_client_that_lost_the_end_of_a_piece_gets_it() -> None:
    answer = AnswerText(utf8_bytes())
    assert answer.resume(b"hello", "hel").text == "lo"
    assert answer.feed(b"!").text == "!"


def test_ids_that_do_not_spell_the_client_s_text_are_taken_as_they_are() -> None:
    answer = AnswerText(utf8_bytes())
    assert answer.resume(b"hello", "HELLO").text == ""
    assert answer.feed(b" you").text == " you"


def test_nothing_is_held_back_that_cannot_become_a_stop_string() -> None:
    answer = AnswerText(utf8_bytes(), ("END",))
    assert answer.feed(b"abc").text == "abc"
    assert answer.feed(b"E").text == ""
    assert answer.feed(b"x").text == "Ex"


def test_a_resumed_answer_that_was_over_already_says_so() -> None:
    answer = AnswerText(utf8_bytes(), ("b",))
    assert answer.resume(b"ab", "a") == Delta("", 2, True)
    assert answer.finish() == ""


@pytest.mark.parametrize("stop", [("bc", "abcd"), ("abcd", "bc")])
def test_tokens_after_the_stop_string_do_not_count(stop: tuple[str, ...]) -> None:
    assert AnswerText(utf8_bytes(), stop).feed(b"xabcdef") == Delta("xa", 4, True)
