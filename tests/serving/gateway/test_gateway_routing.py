"""Routing, without a gateway: hashes of prefixes, what the index remembers, who is chosen."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.routing import Candidate, Choice, PrefixIndex, choose, prefix_hashes

NAMES = ("a", "b", "c")


def test_only_whole_blocks_are_hashed():
    assert prefix_hashes("x" * 15, 16) == ()
    assert len(prefix_hashes("x" * 16, 16)) == 1
    assert len(prefix_hashes("x" * 47, 16)) == 2


def test_no_more_blocks_than_the_limit_are_hashed():
    assert prefix_hashes("x" * 64, 16, limit=3) == prefix_hashes("x" * 48, 16)


def test_a_hash_depends_on_everything_before_the_end_of_its_block():
    first, second = prefix_hashes("a" * 16 + "c" * 16, 16), prefix_hashes("b" * 16 + "c" * 16, 16)
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_equal_blocks_at_different_places_differ():
    assert len(set(prefix_hashes("a" * 64, 16))) == 4


def test_hashes_are_the_same_in_another_process():
    code = "from serving.gateway.routing import prefix_hashes; print(prefix_hashes('word ' * 20, 16))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == str(prefix_hashes("word " * 20, 16))


def test_a_prompt_with_a_lone_surrogate_is_hashed_too():
    assert len(prefix_hashes("\ud800" * 16, 16)) == 1


@given(st.text(alphabet="ab", max_size=80), st.text(alphabet="ab", max_size=80), st.integers(1, 20))
def test_two_prompts_share_the_hashes_of_their_common_blocks_alone(one, other, block_chars):
    pairs = zip(prefix_hashes(one, block_chars), prefix_hashes(other, block_chars), strict=False)
    shared = sum(x == y for x, y in pairs)
    common = 0
    while common < min(len(one), len(other)) and one[common] == other[common]:
        common += 1
    assert shared == common // block_chars


def test_a_replica_matches_the_blocks_it_was_sent():
    index = PrefixIndex(100)
    index.note("a", (1, 2, 3))
    assert index.matched("a", (1, 2, 9)) == 2
    assert index.matched("a", (8, 9)) == 0
    assert index.matched("b", (1, 2, 3)) == 0


def test_a_replica_that_came_up_anew_matches_nothing():
    index = PrefixIndex(100)
    index.note("a", (1, 2))
    index.forget("a")
    index.forget("never seen")
    assert index.matched("a", (1, 2)) == 0


def test_the_prompt_unused_for_longest_is_forgotten_first_from_its_end():
    index = PrefixIndex(4)
    index.note("a", (1, 2))
    index.note("a", (11, 12))
    index.note("a", (1, 2))
    index.note("a", (21,))
    assert index.matched("a", (1, 2)) == 2
    assert index.matched("a", (11, 12)) == 1


def test_a_prompt_longer_than_the_index_keeps_its_beginning():
    index = PrefixIndex(2)
    index.note("a", (1, 2, 3, 4))
    assert index.matched("a", (1, 2, 3, 4)) == 2


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=12), max_size=30), st.integers(1, 12))
def test_the_index_agrees_with_a_plain_search_and_keeps_its_bound(prompts, max_blocks):
    index = PrefixIndex(max_blocks)
    for prompt in prompts:
        index.note("a", prefix_hashes(prompt, 1))
    for prompt in prompts:
        hashes = prefix_hashes(prompt, 1)
        known = [index.matched("a", (value,)) == 1 for value in hashes]
        assert index.matched("a", hashes) == (known.index(False) if False in known else len(known))
    every_block = {value for prompt in prompts for value in prefix_hashes(prompt, 1)}
    assert sum(index.matched("a", (value,)) for value in every_block) <= max_blocks


def test_nobody_is_chosen_when_nobody_takes_work():
    assert choose([], overflow_tokens=0) is None
    assert choose([Candidate("a", 0, 0, 3, "full"), Candidate("b", 0, 0, 0, "out")], overflow_tokens=0) is None


def test_a_new_prompt_goes_to_the_least_loaded():
    assert choose([Candidate("a", 10, 0), Candidate("b", 5, 9)], overflow_tokens=100) == Choice("b", "new")


def test_equal_loads_go_to_the_one_that_waited_longest():
    assert choose([Candidate("a", 5, 2), Candidate("b", 5, 1)], overflow_tokens=100) == Choice("b", "new")


def test_a_known_prefix_goes_to_its_holder_up_to_the_overflow():
    loaded, idle = Candidate("a", 100, 1, matched_blocks=3), Candidate("b", 0, 0)
    assert choose([loaded, idle], overflow_tokens=100) == Choice("a", "hit")
    assert choose([loaded, idle], overflow_tokens=99) == Choice("b", "overflow")


def test_the_longer_match_wins_and_equal_matches_go_by_load():
    candidates = [Candidate("a", 0, 0, 1), Candidate("b", 9, 0, 2), Candidate("c", 5, 0, 2)]
    assert choose(candidates, overflow_tokens=100) == Choice("c", "hit")


def test_a_holder_without_room_overflows_to_another():
    candidates = [Candidate("a", 0, 0, 2, "full"), Candidate("b", 9, 0)]
    assert choose(candidates, overflow_tokens=100) == Choice("b", "overflow")


def test_blocks_that_only_a_dead_replica_holds_are_lost():
    candidates = [Candidate("a", 0, 0, 5, "out"), Candidate("b", 9, 0, 2), Candidate("c", 0, 0)]
    assert choose(candidates, overflow_tokens=100) == Choice("b", "failover", lost_blocks=3)


def test_nothing_is_lost_with_a_dead_replica_when_another_holds_as_much():
    candidates = [Candidate("a", 0, 0, 2, "out"), Candidate("b", 9, 0, 2)]
    assert choose(candidates, overflow_tokens=100) == Choice("b", "hit")


def test_a_suspect_is_chosen_only_when_nobody_is_free():
    suspect = Candidate("a", 0, 0, 5, "spare")
    assert choose([suspect, Candidate("b", 99, 0)], overflow_tokens=0) == Choice("b", "overflow")
    assert choose([suspect, Candidate("b", 99, 0, 0, "full")], overflow_tokens=0) == Choice("a", "hit")


def candidate_lists():
    fields = st.tuples(
        st.integers(0, 50), st.integers(0, 5), st.integers(0, 4), st.sampled_from(["free", "spare", "full", "out"])
    )
    return st.lists(fields, min_size=1, max_size=3).map(
        lambda rows: [Candidate(name, *row) for name, row in zip(NAMES, rows, strict=False)]
    )


@given(candidate_lists(), st.integers(0, 60))
def test_a_choice_takes_work_and_is_never_loaded_beyond_the_overflow(candidates, overflow_tokens):
    choice = choose(candidates, overflow_tokens=overflow_tokens)
    free = [c for c in candidates if c.standing == "free"] or [c for c in candidates if c.standing == "spare"]
    if choice is None:
        assert not free
        return
    chosen = next(c for c in candidates if c.name == choice.name)
    assert chosen in free
    assert chosen.outstanding_tokens <= min(c.outstanding_tokens for c in free) + overflow_tokens
    assert (choice.route == "failover") == (choice.lost_blocks > 0)


@pytest.mark.parametrize("overflow_tokens", [0, 5])
def test_repeated_choices_of_equals_take_turns(overflow_tokens):
    turns = dict.fromkeys(NAMES, 0)
    chosen = []
    for turn in range(1, 7):
        choice = choose([Candidate(name, 0, turns[name]) for name in NAMES], overflow_tokens=overflow_tokens)
        turns[choice.name] = turn
        chosen.append(choice.name)
    assert chosen == ["a", "b", "c"] * 2
