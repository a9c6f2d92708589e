"""Shared prefixes and priorities: a workload that has them gets the replica that knows them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from serving.batching import SchedulerConfig, StepTimeModel
from serving.simulator.engine import Engine, Token
from serving.simulator.reference_replica import ReferenceReplica
from serving.simulator.replica import Replica
from serving.simulator.replicas import replica_for

STEP_TIME = StepTimeModel.from_tables(decode_ms={1: 5, 8: 6}, prefill_ms={1: 5, 64: 30})
CONFIG = SchedulerConfig(
    kv_blocks=64, block_size_tokens=4, max_num_seqs=4, max_num_batched_tokens=64, max_model_len=128
)


def finished(replica: Engine) -> list[tuple[int, Token]]:
    """All first and last tokens until it is idle, with their times."""
    tokens = []
    replica.start(0)
    while (now_ns := replica.next_ns) is not None:
        tokens += [(now_ns, token) for token in replica.complete()]
        replica.start(now_ns)
    return tokens


@pytest.mark.parametrize(
    ("shares_prefixes", "has_priorities", "kind"),
    [(False, False, Replica), (True, False, ReferenceReplica), (False, True, ReferenceReplica)],
)
def test_only_who_needs_it_gets_the_slower_replica(shares_prefixes: bool, has_priorities: bool, kind: type) -> None:
    chosen = replica_for(CONFIG, STEP_TIME, shares_prefixes=shares_prefixes, has_priorities=has_priorities)
    assert isinstance(chosen, kind)


def test_where_nothing_is_cached_shared_prefixes_do_not_matter() -> None:
    config = SchedulerConfig(kv_blocks=64, enable_prefix_caching=False)
    assert isinstance(replica_for(config, STEP_TIME, shares_prefixes=True, has_priorities=False), Replica)


def test_a_shared_prefix_is_computed_once() -> None:
    replica = replica_for(CONFIG, STEP_TIME, shares_prefixes=True, has_priorities=False)
    replica.add(1, prompt_tokens=18, output_tokens=2, now_ns=0, prefix=(11, 12, 13))
    finished(replica)
    replica.add(2, prompt_tokens=30, output_tokens=2, now_ns=10**9, prefix=(11, 12, 13, 99))
    finished(replica)
    assert replica.prefix_hits_tokens == 3 * CONFIG.block_size_tokens
    assert replica.prefix_queries_tokens == 18 + 30


def test_a_restarted_replica_has_an_empty_cache_and_its_counters() -> None:
    replica = replica_for(CONFIG, STEP_TIME, shares_prefixes=True, has_priorities=False)
    replica.add(1, prompt_tokens=18, output_tokens=2, now_ns=0, prefix=(11, 12))
    finished(replica)
    assert replica.evict(10**9) == []
    replica.add(2, prompt_tokens=18, output_tokens=2, now_ns=10**9, prefix=(11, 12))
    finished(replica)
    assert (replica.prefix_hits_tokens, replica.prefix_queries_tokens) == (0, 36)


def test_the_urgent_request_goes_first() -> None:
    config = SchedulerConfig(kv_blocks=64, block_size_tokens=4, max_num_seqs=1, max_num_batched_tokens=64)
    replica = replica_for(config, STEP_TIME, shares_prefixes=False, has_priorities=True)
    for id_, priority in ((1, 5), (2, 5), (3, 0)):
        replica.add(id_, prompt_tokens=8, output_tokens=1, now_ns=0, priority=priority)
    assert [token.id for _, token in finished(replica)] == [3, 1, 2]


def test_the_fast_replica_refuses_what_it_would_get_wrong() -> None:
    replica = Replica(CONFIG, STEP_TIME)
    replica.add(1, prompt_tokens=8, output_tokens=1, now_ns=0, priority=3)
    with pytest.raises(ValueError, match="priority"):
        replica.add(2, prompt_tokens=8, output_tokens=1, now_ns=0, priority=0)
    with pytest.raises(ValueError, match="already"):
        replica.add(1, prompt_tokens=8, output_tokens=1, now_ns=0, priority=3)


@pytest.mark.parametrize("kind", [Replica, ReferenceReplica])
def test_a_request_that_moved_away_and_came_back_within_a_step_is_another_one(kind: type) -> None:
    replica = kind(CONFIG, STEP_TIME)
    replica.add(1, prompt_tokens=8, output_tokens=5, now_ns=0)
    replica.start(0)
    assert replica.cancel(1, 1) == 0
    assert replica.cancel(1, 1) is None
    replica.add(1, prompt_tokens=8, output_tokens=5, now_ns=2, resumed_tokens=3)
    last = finished(replica)[-1][1]
    assert (last.id, last.is_last) == (1, True)
    assert replica.kv_usage(0) == 0.0


def test_a_fleet_is_described_without_loading_the_compiler() -> None:
    code = "import sys, serving.simulator, serving.simulator.fleet; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
