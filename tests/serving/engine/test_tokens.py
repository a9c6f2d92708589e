"""The emulated model's answers: pure functions of the prompt and the sampling parameters."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.engine.sampling import Sampling
from serving.engine.tokens import Voice, answer, count_tokens

prompts = st.text(min_size=1, max_size=60)
FOREVER = Sampling(max_tokens=40, ignore_eos=True)


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("  \n", 0), ("one", 1), (" a  b\tc\n", 3)])
def test_a_token_is_a_whitespace_separated_word(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


def test_the_answer_is_written_down_here_so_that_no_version_changes_it_unseen() -> None:
    assert answer("hello big world", Sampling(max_tokens=5, ignore_eos=True)).text() == "both through after found mrs"


def test_another_process_gives_the_same_answer() -> None:
    code = (
        "from serving.engine.tokens import answer; from serving.engine.sampling import Sampling; "
        "print(answer('größe ✓', Sampling(max_tokens=40, ignore_eos=True)).text(), end='')"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout == answer("größe ✓", FOREVER).text()


@given(prompts, st.integers(0, 5000))
def test_each_token_depends_on_prompt_and_position_alone(prompt: str, position: int) -> None:
    text = Voice(prompt).token(position)
    assert text == Voice(prompt).token(position)
    assert text.startswith(" ") is (position > 0)
    assert count_tokens(text) == 1


@given(prompts)
def test_the_answer_counts_as_many_tokens_as_it_has(prompt: str) -> None:
    reply = answer(prompt, FOREVER)
    assert (reply.tokens, reply.finish_reason) == (40, "length")
    assert count_tokens(reply.text()) == 40
    assert "".join(reply.deltas()) == reply.text()


@given(prompts)
def test_without_ignore_eos_it_stops_at_its_natural_end(prompt: str) -> None:
    natural = Voice(prompt).natural_tokens
    assert 1 <= natural <= 2048
    whole = answer(prompt, Sampling(max_tokens=natural))
    cut = answer(prompt, Sampling(max_tokens=natural - 1)) if natural > 1 else None
    assert (whole.tokens, whole.finish_reason) == (natural, "stop")
    assert cut is None or (cut.tokens, cut.finish_reason) == (natural - 1, "length")


def test_natural_lengths_differ_from_prompt_to_prompt() -> None:
    lengths = [Voice(f"question {number}").natural_tokens for number in range(2000)]
    assert 160 < sum(lengths) / len(lengths) < 200
    assert len(set(lengths)) > 300


@given(prompts, st.integers(0, 200), st.integers(1, 12))
def test_the_text_ends_just_before_the_first_stop_string(prompt: str, start: int, length: int) -> None:
    plain = answer(prompt, FOREVER).text()
    stop = plain[start : start + length] or "never said"
    reply = answer(prompt, Sampling(max_tokens=40, ignore_eos=True, stop=(stop,)))
    before, found, _ = plain.partition(stop)
    assert reply.text() == before
    assert reply.finish_reason == ("stop" if found else "length")
    assert reply.tokens == 1 + (before + found).count(" ")  # a token carries the space before it


@given(prompts, st.lists(st.sampled_from([" the", "e", "a b", " of to", "zz"]), min_size=1, max_size=3))
def test_streamed_pieces_never_show_a_stop_string(prompt: str, stops: list[str]) -> None:
    reply = answer(prompt, Sampling(max_tokens=40, ignore_eos=True, stop=tuple(stops)))
    pieces = list(reply.deltas())
    assert len(pieces) == reply.tokens
    assert "".join(pieces) == reply.text()
    assert not any(stop in reply.text() for stop in stops)


def test_of_two_stop_strings_in_one_token_the_text_ends_before_the_first() -> None:
    """'both through after found mrs': 'foun' and 'ound' end in the fourth token, 'found mrs' only in the fifth."""
    reply = answer("hello big world", Sampling(max_tokens=5, ignore_eos=True, stop=("ound", "r found mrs", "foun")))
    assert (reply.text(), reply.tokens, reply.finish_reason) == ("both through after ", 4, "stop")
