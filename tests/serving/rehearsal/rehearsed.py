"""A small platform, rehearsed: three replicas, a few requests a second, eight virtual seconds of load."""

import json
from collections import Counter

from serving.fleet.spec import PlatformSpec
from serving.loadgen.plan import parse_plan
from serving.loadgen.schedule import build_schedule
from serving.rehearsal.model import Pace, VirtualSpec
from serving.rehearsal.play import play

EPOCH = 1_800_000_000.0
SEED = 3


def schedule(*, rate_rps=3.0, duration_s=8.0, seed=SEED):
    lengths = {"median": 60, "sigma": 0.2, "min": 16, "max": 128}
    plan = {
        "url": "http://127.0.0.1:1",
        "out": "unused",
        "rate_rps": rate_rps,
        "duration_s": duration_s,
        "seed": seed,
        "prompt_tokens": lengths,
        "output_tokens": lengths,
    }
    return build_schedule(parse_plan(json.dumps(plan), where="plan"))


class Rehearsed:
    """What a rehearsal told, and the pages that were scraped."""

    def __init__(self, played, pages):
        self.played = played
        self.pages = pages

    @property
    def outcomes(self):
        return Counter(record.outcome for record in self.played.records)

    @property
    def longest_gap_s(self):
        return max(record.max_gap_s or 0.0 for record in self.played.records)

    def since_fault(self, at):
        return round(at - self.played.script_began_at, 3)

    def events(self, name, replica=None):
        """When it happened, seconds after the script began."""
        began, ended = self.played.script_began_at, self.played.ended_at
        return [
            self.since_fault(event["at"])
            for event in self.played.events
            if event["event"] == name and began <= event["at"] <= ended
            if replica is None or event["replica"] == replica
        ]

    def log(self, event, replica=None):
        """The gateway's log lines of this event since the script began."""
        return [
            line
            for line in self.played.gateway_log
            if line["event"] == event and line["at"] >= self.played.script_began_at
            if replica is None or line["replica"] == replica
        ]

    def scrapes(self, target):
        return [(self.since_fault(at), page) for at, name, page in self.pages if name == target]


PACE = Pace(warmup_s=2.0)


def rehearsed(script=None, *, load=None, pace=PACE, seed=SEED, gateway=None, zones=None, **platform):
    """Play `script`. `load` is a schedule; further options are the platform's."""
    pages = []
    spec = VirtualSpec(
        PlatformSpec(**{"replicas": 3, "scrape_interval_s": 5.0, **platform}),
        gateway=gateway or {},
        zones=zones or {},
    )
    played = play(
        spec,
        load or schedule(),
        script,
        seed=seed,
        epoch=EPOCH,
        on_scrape=lambda *scrape: pages.append(scrape),
        pace=pace,
    )
    return Rehearsed(played, pages)


def busiest(platform):
    """As `replica: busiest` chooses."""
    return max(platform.replicas(), key=lambda replica: replica.inflight).name


def sample(page, name):
    """The value of the first sample that begins with `name`."""
    return next(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith(name))
