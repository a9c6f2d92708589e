"""Which replica `busiest`, `any`, `random` and a name mean."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import PlatformError
from sre.platforms.model import Replica
from sre.platforms.selection import choose


def replica(name, state="ready"):
    return Replica(name, state, 1, 1.0, 0, "")


THREE = [replica("llm-0"), replica("llm-1"), replica("llm-2")]


def test_busiest_has_the_most_requests_in_flight():
    assert choose("busiest", THREE, inflight={"llm-0": 1, "llm-1": 4, "llm-2": 2}).name == "llm-1"


def test_busiest_of_equals_is_the_first_by_name():
    assert choose("busiest", list(reversed(THREE)), inflight={}).name == "llm-0"


def test_busiest_is_looked_for_among_the_ready():
    replicas = [replica("llm-0"), replica("llm-1", "starting")]
    assert choose("busiest", replicas, inflight={"llm-1": 9}).name == "llm-0"


def test_any_is_the_first_ready_one():
    assert choose("any", [replica("llm-0", "backoff"), *THREE[1:]], inflight={}).name == "llm-1"


@given(seed=st.integers(), order=st.permutations(THREE))
def test_random_depends_on_the_seed_alone(seed, order):
    assert choose("random", order, inflight={}, seed=seed) == choose("random", THREE, inflight={}, seed=seed)


def test_a_name_means_that_replica():
    assert choose("llm-2", THREE, inflight={}).name == "llm-2"


def test_an_unknown_name_lists_what_exists():
    with pytest.raises(PlatformError, match="busiest, any, random, llm-0, llm-1, llm-2"):
        choose("llm-9", THREE, inflight={})


def test_a_named_replica_that_is_not_ready_is_refused():
    with pytest.raises(PlatformError, match="llm-0 is backoff"):
        choose("llm-0", [replica("llm-0", "backoff")], inflight={})


def test_no_ready_replica_says_what_state_they_are_in():
    with pytest.raises(PlatformError, match="llm-0 starting"):
        choose("any", [replica("llm-0", "starting")], inflight={})
