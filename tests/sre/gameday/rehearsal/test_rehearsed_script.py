"""An experiment is played as Chaos Toolkit plays it, in virtual time, and leaves the same records."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from sre.gameday.rehearsal.stage import Page
from sre.gameday.rehearsal.timetable import Timetable
from sre.metrics.model import Selector


def begins(journal, section="run"):
    return [datetime.fromisoformat(one["start"]).timestamp() for one in journal[section]]


def test_the_steps_begin_after_their_pauses(bench, fake, words):
    journal = bench.play(
        words.experiment(
            words.action("crash_replica", lease_s=60, before=8),
            words.action("heal_faults", timeout_s=30, after=10),
        )
    )
    assert begins(journal) == pytest.approx([fake.EPOCH + 10.0, fake.EPOCH + 10.0])
    assert datetime.fromisoformat(journal["end"]).timestamp() >= fake.EPOCH + 20.0
    assert journal["status"] == "completed"


def test_healing_waits_until_the_replica_answers_again(bench, fake, words):
    journal = bench.play(
        words.experiment(words.action("crash_replica", lease_s=60), words.action("heal_faults", timeout_s=30))
    )
    (fault,) = bench.faults
    assert fault.proven
    assert fault.target == "llm-2"  # the busiest
    assert fault.end - fault.begin == pytest.approx(fake.RESTART_S, abs=0.3)
    assert journal["run"][1]["duration"] == pytest.approx(fake.RESTART_S, abs=0.3)


def test_healing_that_takes_too_long_is_a_failed_step(bench, words):
    journal = bench.play(
        words.experiment(words.action("crash_replica", lease_s=60), words.action("heal_faults", timeout_s=1))
    )
    assert journal["run"][1]["status"] == "failed"
    assert "does not serve in time" in journal["run"][1]["exception"][-1]


def test_a_fault_ends_with_its_lease_whoever_forgot_it(bench, words):
    bench.play(words.experiment(words.action("hang_replica", lease_s=5, after=20)))
    (fault,) = bench.faults
    assert fault.undone_by == "watchdog"
    assert fault.undone - fault.begin == pytest.approx(5.0)
    assert bench.platform.pulled("thaw")


def test_a_hang_is_proven_by_an_inference_that_gets_no_answer(bench, words):
    journal = bench.play(
        words.experiment(words.action("hang_replica", lease_s=30), words.action("heal_faults", timeout_s=10))
    )
    assert journal["run"][0]["duration"] == pytest.approx(2.0)
    assert "no answer" in journal["run"][0]["output"]["proof"]


def test_a_steady_state_that_does_not_hold_lets_nothing_be_broken(bench, words):
    journal = bench.play(
        words.experiment(words.action("crash_replica", lease_s=60), hypothesis=[words.all_serve(tolerance=1)])
    )
    assert journal["status"] == "failed"
    assert journal["run"] == []
    assert not bench.platform.pulled("crash")


def test_a_fault_that_is_still_felt_after_the_method_is_a_deviation(bench, words):
    journal = bench.play(
        words.experiment(
            words.action("crash_replica", lease_s=60),
            hypothesis=[words.all_serve()],
            rollbacks=[words.action("heal_faults", timeout_s=30)],
        )
    )
    assert journal["steady_states"]["before"]["steady_state_met"]
    assert journal["deviated"]
    assert journal["steady_after_rollbacks"]["met"]


def test_a_blast_radius_is_kept(bench, words):
    journal = bench.play(
        words.experiment(
            words.action("hang_replica", lease_s=60, replica="llm-0"),
            words.action("crash_replica", lease_s=60, replica="llm-1"),
        )
    )
    assert journal["run"][1]["status"] == "failed"
    assert "blast radius" in journal["run"][1]["exception"][-1]
    assert not bench.platform.pulled("crash")


def test_an_aborted_run_leaves_its_method_and_undoes_its_faults(bench, words):
    async def watch(script):
        await asyncio.sleep(6.0)
        script.abort("too many failed")

    journal = bench.play(
        words.experiment(
            words.action("hang_replica", lease_s=300, after=100), words.action("crash_replica", lease_s=60)
        ),
        watch=watch,
    )
    (fault,) = bench.faults
    assert journal["status"] == "interrupted"
    assert fault.undone_by == "guard"
    assert len(journal["run"]) == 1


def test_steps_begin_when_a_drills_did(bench, fake, words):
    times = Timetable({("before", 0): fake.EPOCH + 4.0, ("run", 0): fake.EPOCH + 7.5, ("run", 1): fake.EPOCH + 20.0})
    journal = bench.play(
        words.experiment(
            words.action("crash_replica", lease_s=60, before=8, after=3), words.action("heal_faults", timeout_s=30)
        ),
        times=times,
    )
    assert begins(journal) == pytest.approx([fake.EPOCH + 7.5, fake.EPOCH + 20.0])


def test_a_mitigation_of_a_runbook_is_carried_out(bench, words):
    journal = bench.play(
        words.experiment(
            words.action(
                "run_mitigation",
                module="sre.runbooks.actions",
                page="traffic-surge",
                mitigation="add",
                replicas=5,
                timeout_s=60,
            )
        )
    )
    output = journal["run"][0]["output"]
    assert [one[2] for one in bench.platform.pulled("scale")] == [5]
    assert output["verified_at"] is not None
    assert output["mitigation"] == "add"


@pytest.mark.parametrize(
    ("func", "arguments", "lever"),
    [
        ("crash_stub", {"replica": "llm-0"}, "crash"),
        ("slow_replica", {"factor": 3.0}, "set_faults"),
        ("exhaust_kv", {"blocks": 8}, "set_faults"),
        ("add_latency", {"latency_ms": 100}, "network"),
        ("partition_replica", {}, "network"),
        ("reset_connections", {}, "network"),
        ("limit_bandwidth", {}, "network"),
        ("lose_packets", {}, "network"),
        ("crash_gateway", {}, "kill_gateway"),
        ("surge_traffic", {"rate_rps": 5}, "offer"),
        ("start_retry_storm", {}, "offer"),
        ("start_disconnect_storm", {}, "offer"),
        ("flood_long_prompts", {}, "offer"),
        ("falsify_metrics", {}, "metrics"),
        ("preempt_replica", {"notice_s": 1.0}, "drain"),
        ("skew_clock", {}, "set_faults"),
        ("slow_cold_start", {"extra_s": 5.0}, "crash"),
        ("roll_out_bad_model", {"slow_factor": 3.0}, "drain"),
        ("stop_metrics", {}, "metrics"),
        ("freeze_metrics", {}, "metrics"),
        ("fill_disk", {}, None),
        ("press_memory", {"memory_mb": 64}, None),
    ],
)
def test_an_action_pulls_its_lever(bench, words, func, arguments, lever):
    if func == "crash_stub":
        bench.platform.infer = _silent(bench.platform)
    journal = bench.play(
        words.experiment(words.action(func, lease_s=60, **arguments), words.action("heal_faults", timeout_s=30))
    )
    assert journal["run"][0]["status"] == "succeeded", journal["run"][0].get("exception")
    assert lever is None or bench.platform.pulled(lever)


def _silent(platform):
    """A fake whose crashed stub answers nothing although its server is back."""
    answer = platform.infer

    async def infer(name, prompt, **how):
        from serving.rehearsal.model import Inference

        if platform.views[name].state != "ready":
            return Inference("", 0.0, "stub is gone")
        return await answer(name, prompt, **how)

    return infer


def test_a_recorder_that_cannot_write_leaves_a_hole_in_the_samples(bench, words):
    recorder = bench.leases.scene.recorder

    async def watch(script):
        for _ in range(40):
            await asyncio.sleep(1.0)
            recorder.scraped(Page(script.leases.scene.now(), "gateway", "sre_gateway_queue_depth 0\n"))
        await asyncio.Event().wait()

    bench.play(
        words.experiment(
            words.action("fill_disk", lease_s=60, before=5, after=8),
            words.action("heal_faults", timeout_s=10, after=5),
        ),
        watch=watch,
    )
    (fault,) = bench.faults
    (up,) = recorder.samples().series(Selector("up"), start=0.0, end=9e9)
    assert [at for at in up.times.tolist() if fault.begin < at < fault.undone] == []
    assert max(up.times) > fault.undone
