"""Prompts that begin alike share the work of their beginning, and say the same as without the cache."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.engine.emulated import EmulatedEngine
from serving.engine.events import Event, Token
from serving.engine.prefix import BlockChain
from serving.engine.sampling import Resume, Sampling
from serving.engine.tokens import Voice, answer
from serving.profiles import load

PROFILE = load("h100-llama3-8b-tp1")


@dataclass
class Bench:
    prefix_caching: bool = True
    now_s: float = 0.0

    def __post_init__(self) -> None:
        scheduler = replace(PROFILE.scheduler, enable_prefix_caching=self.prefix_caching)
        profile = replace(PROFILE, scheduler=scheduler)
        self.engine = EmulatedEngine(profile, clock=lambda: self.now_s, pause=self.pause)

    def pause(self, duration_s: float) -> None:
        self.now_s += duration_s

    def ask(self, prompt: str, sampling: Sampling) -> tuple[str, float]:
        """The answer, and how long its first token took."""
        begun, first, pieces = self.now_s, [], []

        def receive(event: Event) -> None:
            assert isinstance(event, Token)
            first.append(self.now_s - begun)
            pieces.append(event.text)

        self.engine.submit(prompt, sampling, receive)
        while self.engine.step():
            pass
        return "".join(pieces), first[0]

    @property
    def hits(self) -> int:
        return self.engine.read_metrics().prefix_hits_tokens


def words(count: int, kind: str = "w") -> str:
    return " ".join(f"{kind}{number}" for number in range(count))


def few(tokens: int = 3, resume: Resume | None = None) -> Sampling:
    return Sampling(max_tokens=tokens, ignore_eos=True, resume=resume)


def test_the_second_time_only_the_rest_of_the_prompt_is_computed() -> None:
    bench = Bench()
    (text, slow), (same, fast) = bench.ask(words(2000), few()), bench.ask(words(2000), few())
    assert text == same
    assert bench.hits == 1984  # the last of 125 full blocks has the last token
    assert fast == pytest.approx(PROFILE.step_time.duration_of_s(decode_seqs=0, prefill_tokens=16))
    assert fast < slow / 5


def test_queries_are_counted_in_tokens() -> None:
    bench = Bench()
    bench.ask(words(100), few())
    bench.ask(words(100), few())
    metrics = bench.engine.read_metrics()
    assert (metrics.prefix_queries_tokens, metrics.prefix_hits_tokens) == (200, 96)


def test_another_beginning_shares_nothing() -> None:
    bench = Bench()
    bench.ask(words(100), few())
    bench.ask(f"other {words(99)}", few())
    assert bench.hits == 0


def test_a_follow_up_that_quotes_the_answer_finds_the_answer_s_blocks() -> None:
    bench = Bench()
    prompt = words(20)
    text, _ = bench.ask(prompt, few(60))
    bench.ask(f"{prompt} {text} and then", few())
    assert bench.hits == 64  # of 80 tokens the last one's KV was never computed


def test_switched_off_it_finds_nothing() -> None:
    bench = Bench(prefix_caching=False)
    bench.ask(words(100), few())
    bench.ask(words(100), few())
    metrics = bench.engine.read_metrics()
    assert (metrics.prefix_queries_tokens, metrics.prefix_hits_tokens) == (0, 0)


def test_a_stream_taken_over_elsewhere_pays_its_prefill_and_here_hardly_anything() -> None:
    here, elsewhere = Bench(), Bench()
    prompt = words(1600)
    whole, _ = here.ask(prompt, few(200))
    had = Resume(100)
    rest, cheap = here.ask(prompt, few(200, had))
    same, dear = elsewhere.ask(prompt, few(200, had))
    assert rest == same
    assert whole.endswith(rest)
    assert dear == pytest.approx(PROFILE.step_time.duration_of_s(decode_seqs=0, prefill_tokens=1700))
    assert cheap < dear / 4


@given(st.integers(0, 80), st.integers(0, 80), st.integers(1, 8))
def test_a_chain_made_bit_by_bit_is_the_one_made_at_once(prompt_tokens: int, output_tokens: int, block: int) -> None:
    prompt = words(prompt_tokens).split()
    voice = Voice("x")
    known = prompt_tokens + output_tokens
    piecemeal = BlockChain(prompt, voice, block)
    pieces = [made for tokens in range(known + 1) for made in piecemeal.advance(tokens)]
    assert tuple(pieces) == BlockChain(prompt, voice, block).advance(known)
    assert len(set(pieces)) == len(pieces) == known // block


def test_words_of_the_prompt_and_of_the_answer_count_alike() -> None:
    voice = Voice("x")
    said = [voice.token(position).strip() for position in range(32)]
    assert BlockChain([], voice, 16).advance(32) == BlockChain(said, Voice("y"), 16).advance(32)


def test_the_cache_never_changes_what_is_said() -> None:
    with_cache, without = Bench(), Bench(prefix_caching=False)
    for number in (3, 90, 3, 200, 90):
        sampling = few(25)
        said = {bench.ask(words(number), sampling)[0] for bench in (with_cache, without)}
        assert said == {answer(words(number), sampling).text()}
