"""The simulated twin of a measurement: stretched as the platform is, and the cuts of GPUs that it compares."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sre.errors import SreError
from sre.platforms.local.closed_loop import simulated_level
from sre.platforms.local.parallelism import Cut, cuts, parallel_run
from sre.platforms.local.simulated_service import simulated_failover, simulated_run
from sre.platforms.local.work import error_bar, open_offer
from sre.platforms.performance import Fleet, Offer

H100 = "h100-llama3-8b-tp1"


def level(fleet: Fleet, clients: int) -> float:
    offer = Offer("chat", 1, duration_s=600.0, concurrency=clients, requests=200)
    scale = fleet.time_scale
    return simulated_level(fleet, offer, settle_s=0.5 * scale, window_s=1.0 * scale).tokens_per_s


def test_a_stretched_fleet_serves_the_same_requests_as_much_slower() -> None:
    fast, slow = Fleet(H100, 2), Fleet(H100, 2, time_scale=4.0)
    one = simulated_run(fast, open_offer("chat", rate_rps=8.0, requests=120, seed=3)).service
    two = simulated_run(slow, open_offer("chat", rate_rps=2.0, requests=120, seed=3)).service
    assert (one.measured, one.good) == (two.measured, two.good)
    assert two.ttft.p95 == pytest.approx(4 * (one.ttft.p95 or 0), rel=1e-3)
    assert two.inter_token.p50 == pytest.approx(4 * (one.inter_token.p50 or 0), rel=1e-3)


def test_affinity_finds_more_of_the_prompts_in_a_cache_than_round_robin() -> None:
    fleet = Fleet(H100, 3)
    offer = open_offer("agent", rate_rps=30.0, requests=300, seed=1)
    affine, turns = (simulated_run(replace(fleet, routing=name), offer) for name in ("affinity", "round_robin"))
    assert (affine.hit_share or 0) > (turns.hit_share or 0) > 0


def test_more_clients_get_more_tokens_and_a_bound_on_sequences_bounds_them() -> None:
    fleet = Fleet(H100, 1)
    assert level(fleet, 1) < level(fleet, 4) < level(fleet, 16)
    assert level(replace(fleet, max_num_seqs=4), 16) < level(fleet, 16)


def test_a_closed_loop_is_stretched_too() -> None:
    assert level(Fleet(H100, 1, time_scale=4.0), 4) == pytest.approx(level(Fleet(H100, 1), 4) / 4, rel=1e-6)


def test_a_crash_loses_nothing_and_is_over_after_the_restart_it_was_told() -> None:
    fleet = Fleet(H100, 3, time_scale=4.0)
    offer = open_offer("chat", rate_rps=4.0, requests=100, seed=1)
    found = simulated_failover(fleet, offer, kill_after_s=10.0, restart_s=4.0)
    assert (found.failed, found.lost_tokens) == (0, 0)
    assert (found.moved or 0) > 0
    assert (found.recomputed_tokens or 0) > 0
    assert found.recovery_s == pytest.approx(4.0, abs=0.2)


def test_gpus_are_cut_by_every_profile_of_which_a_whole_number_fits() -> None:
    found = cuts("Llama-3-70B", "H100-80GB", 8)
    assert all(cut.replicas * cut.gpus_per_replica == 8 for cut in found)
    assert {cut.tensor for cut in found} >= {2, 4, 8}
    assert any(cut.pipeline > 1 for cut in found)


def test_a_model_without_a_profile_is_refused_with_those_there_are() -> None:
    with pytest.raises(SreError, match="no profile of GPT-9 on H100-80GB fits 8 GPUs: there are"):
        cuts("GPT-9", "H100-80GB", 8)


def test_a_cut_that_cannot_be_is_kept_with_its_reason() -> None:
    found = parallel_run(Cut("h100-gpt-9", 2, 1, "bf16", 4), "chat", seed=1, requests=10, on_progress=lambda _: None)
    assert found.sustained_rps is None
    assert "unknown" in found.reason


def test_the_highest_rate_is_one_at_which_the_requests_are_good() -> None:
    cut = Cut("h100-llama3-70b-tp8", 8, 1, "bf16", 1)
    found = parallel_run(cut, "chat", seed=1, requests=60, on_progress=lambda _: None)
    assert found.sustained_rps is not None
    assert found.service is not None
    assert (found.service.attainment or 0) >= 0.99


def test_a_profile_says_how_far_it_may_be_off() -> None:
    assert "30 %" in error_bar(H100)
