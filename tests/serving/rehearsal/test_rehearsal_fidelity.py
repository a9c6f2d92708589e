"""A rehearsal says what the drill showed: the recorded flagship drill (reports/example), played again in virtual time.

Nothing of the drill but its inputs goes in: its load, the moment and the victim of the crash, and what the platform's
own start took, which says what a start takes on that machine.
"""

import json
import math
from pathlib import Path
from statistics import mean

import pytest

from serving.fleet.spec import PlatformSpec
from serving.loadgen.model import RequestRecord
from serving.loadgen.plan import parse_plan
from serving.loadgen.schedule import build_schedule
from serving.rehearsal.model import Pace, Starts, VirtualSpec
from serving.rehearsal.play import play

EXAMPLE = Path(__file__).parents[3] / "reports" / "example"
WITHIN = 0.2
SLACK_S = 0.01  # a scheduler of an operating system is in the figures of the one, and not in those of the other


def lines(name):
    return [json.loads(line) for line in (EXAMPLE / name).read_text().splitlines()]


class Drill:
    """The recorded drill: what went in, and what came out."""

    def __init__(self):
        self.events = lines("events.jsonl")
        self.records = [
            RequestRecord(**{**line, "replicas": tuple(line["replicas"])}) for line in lines("requests.jsonl")
        ]
        load = json.loads((EXAMPLE / "workload.json").read_text())
        plan = {"url": "http://127.0.0.1:1", "out": "unused"} | {k: load[k] for k in ("rate_rps", "duration_s", "seed")}
        self.seed = load["seed"]
        self.schedule = build_schedule(parse_plan(json.dumps(plan), where="workload.json"))
        (crash,) = [e for e in self.events if e["event"] == "replica_exited" and e["detail"]["returncode"] == -9]
        self.victim, self.crashed_at = crash["replica"], crash["at"]
        (well,) = [e["at"] for e in lines("chaos.jsonl") if e["event"] == "fault_end"]
        self.recovery_s = well - self.crashed_at

    @property
    def platform(self):
        told = json.loads((EXAMPLE / "report.json").read_text())["platform"]
        return PlatformSpec(replicas=len(told["replicas"]), profile=told["profile"], time_scale=told["time_scale"])

    @property
    def starts(self):
        """As the replicas took it before anything was broken."""
        phases = [
            e["detail"]["phases"] for e in self.events if e["event"] == "replica_ready" and e["at"] < self.crashed_at
        ]
        names = ("server_start", "model_load")
        server_s, load_s = (mean(phase[name] for phase in phases) for name in names)
        return Starts(server_start_s=server_s, model_load_s=load_s)

    def load_clock(self, record):
        """The moment of the schedule's 0."""
        return record.scheduled_at - self.schedule.requests[int(record.id[1:])].offset_s


@pytest.fixture(scope="module")
def drill():
    return Drill()


@pytest.fixture(scope="module")
def rehearsed(drill):
    crash_s = drill.crashed_at - drill.load_clock(drill.records[0])

    async def script(platform):
        began = drill.load_clock(platform.records()[0])
        await platform.sleep(began + crash_s - platform.now())
        platform.crash(drill.victim)

    return play(
        VirtualSpec(drill.platform, starts=drill.starts),
        drill.schedule,
        script,
        seed=drill.seed,
        epoch=1_800_000_000.0,
        on_scrape=lambda *_: None,
        pace=Pace(warmup_s=min(12.0, crash_s)),
    )


def quantile(values, q):
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def answered(records):
    return [r for r in records if r.outcome == "ok" and r.output_tokens > 1]


FIGURES = {
    "time to first token": lambda r: r.first_token_at - r.sent_at,
    "time between tokens": lambda r: (r.last_token_at - r.first_token_at) / (r.output_tokens - 1),
    "duration": lambda r: r.finished_at - r.sent_at,
    "longest gap of a request": lambda r: r.max_gap_s,
}


@pytest.mark.parametrize("q", [0.5, 0.95])
@pytest.mark.parametrize("figure", FIGURES)
def test_the_times_that_clients_saw_are_within_a_fifth(drill, rehearsed, figure, q):
    measured, predicted = (
        quantile([FIGURES[figure](record) for record in answered(records)], q)
        for records in (drill.records, rehearsed.records)
    )
    assert predicted == pytest.approx(measured, rel=WITHIN, abs=SLACK_S if figure != "time between tokens" else None)


def test_as_many_requests_are_served_and_lost(drill, rehearsed):
    def counts(records):
        return len(records), sum(record.outcome == "ok" for record in records)

    assert len(rehearsed.records) == len(drill.records)
    measured, predicted = counts(drill.records)[1], counts(rehearsed.records)[1]
    lost = len(drill.records) - measured
    assert abs(predicted - measured) <= max(1, WITHIN * lost)
    assert sum(r.output_tokens for r in rehearsed.records) == pytest.approx(
        sum(r.output_tokens for r in drill.records), rel=0.01
    )


def test_the_longest_gap_of_all_is_within_a_fifth(drill, rehearsed):
    measured, predicted = (
        max(r.max_gap_s for r in answered(records)) for records in (drill.records, rehearsed.records)
    )
    assert predicted == pytest.approx(measured, rel=WITHIN, abs=SLACK_S)


def test_the_victim_serves_again_within_a_fifth_of_the_time_it_took(drill, rehearsed):
    (crashed_at,) = [
        e["at"] for e in rehearsed.events if e["event"] == "replica_exited" and e["detail"]["returncode"] == -9
    ]
    back = [line["at"] for line in rehearsed.gateway_log if line["event"] == "replica_up" and line["at"] > crashed_at]
    assert back[0] - crashed_at == pytest.approx(drill.recovery_s, rel=WITHIN, abs=0.5)  # looked at twice a second


def test_the_supervisor_does_the_same_in_the_same_order(drill, rehearsed):
    def told(events, since):
        return [(e["event"], e["replica"]) for e in events if e["at"] >= since and e["replica"] == drill.victim]

    crashed_at = next(e["at"] for e in rehearsed.events if e["event"] == "replica_exited")
    assert told(rehearsed.events, crashed_at) == told(drill.events, drill.crashed_at)
