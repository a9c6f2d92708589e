"""One look of the guard, over files as the recorder writes them: read on as they grow, closed in doubt."""

import time
from pathlib import Path

import pytest

from sre.chaos.gate.budget import slos_named
from sre.chaos.guard.looking import Looker
from sre.chaos.guard.model import BurnLimit, Count, GuardSettings
from sre.metrics.exposition import SampleId
from sre.metrics.files import RecordedSamples
from sre.metrics.segments import SegmentWriter
from sre.metrics.targets import Target

SLO_DIR = Path(__file__).parents[3] / "slo"
BEGAN = 1_700_000_000.0
OUTCOMES = ("ok", "error", "truncated", "rejected", "cancelled", "invalid")
BOUNDS = ("0.1", "1.0", "10.0", "+Inf")


class Gateway:
    """Counters of a gateway, scraped each second by the recorder's own writer."""

    def __init__(self, directory):
        self.directory = directory
        self.target = Target("gateway", "http://127.0.0.1:8400/metrics")
        self.writer = SegmentWriter(directory, [self.target], interval_s=1.0, segment_s=30.0, retention_s=7200.0)
        self.outcomes = dict.fromkeys(OUTCOMES, 0.0)
        self.ttft = dict.fromkeys(BOUNDS, 0.0)
        self.at = BEGAN - 5

    def second(self, *, ttft_s=0.05, up=True, **requests):
        self.at += 1
        for outcome, count in requests.items():
            self.outcomes[outcome] += count
            for bound in BOUNDS:
                self.ttft[bound] += count if outcome == "ok" and ttft_s <= float(bound) else 0
        self.writer.advance(self.at)
        if up:
            self.writer.scraped(self.at, 0, self.page())
        else:
            self.writer.failed(self.at, 0, "timeout")

    def seconds(self, count, **requests):
        for _ in range(count):
            self.second(**requests)

    def page(self):
        page = {SampleId("sre_gateway_requests_total", (("outcome", o),)): n for o, n in self.outcomes.items()}
        name = "sre_gateway_ttft_seconds"
        page |= {SampleId(f"{name}_bucket", (("le", bound),)): n for bound, n in self.ttft.items()}
        page[SampleId(f"{name}_count", ())] = self.ttft["+Inf"]
        return page


@pytest.fixture
def gateway(tmp_path):
    gateway = Gateway(tmp_path / "samples")
    gateway.seconds(5, ok=6)
    assert gateway.at == BEGAN
    yield gateway
    gateway.writer.close()


@pytest.fixture
def looker(gateway, platform):
    def make(**settings):
        settings = GuardSettings(**settings)
        slos = slos_named([limit.slo for limit in settings.burns], SLO_DIR)
        return Looker(platform, RecordedSamples(gateway.directory), settings, slos, since=BEGAN)

    return make


def test_requests_of_the_window_are_counted_and_cancelled_ones_are_nobodys_fault(gateway, looker):
    gateway.seconds(10, ok=5, error=1, rejected=1, cancelled=2, invalid=1)
    look = looker().look(gateway.at + 0.3)
    assert look.requests == Count(bad=20, total=70)
    assert look.age_s == pytest.approx(0.3)
    assert look.blind == ""


def test_what_happened_before_the_method_is_not_the_experiments_doing(gateway, looker):
    gateway.second(ok=1)
    assert looker().look(gateway.at).requests == Count(bad=0, total=1)


def test_before_the_first_scrape_of_the_method_nothing_has_happened(gateway, looker):
    look = looker(max_failed_requests=1).look(gateway.at + 0.5)
    assert look.requests == Count(0, 0)
    assert look.failed_since_begin == 0


def test_failures_are_counted_since_the_method_began_not_only_in_the_window(gateway, looker):
    gateway.second(error=3)
    gateway.seconds(40, ok=6)
    look = looker(max_failed_requests=1).look(gateway.at)
    assert (look.failed_since_begin, look.requests.bad) == (3, 0)


def test_a_burn_is_that_of_the_slo_document(gateway, looker):
    gateway.seconds(10, ok=9, error=1)
    look = looker(burns=(BurnLimit("availability", 300),)).look(gateway.at)
    assert look.counts["availability"] == Count(bad=10, total=100)
    assert look.burn["availability"] == pytest.approx(0.1 / 0.001)


def test_without_events_there_is_no_burn(gateway, looker):
    gateway.seconds(10)
    look = looker(burns=(BurnLimit("availability", 300),)).look(gateway.at)
    assert (look.burn, look.counts["availability"]) == ({}, Count(0, 0))


def test_first_tokens_are_summed_up_as_a_quantile(gateway, looker):
    gateway.seconds(10, ok=4, ttft_s=5.0)
    look = looker(max_ttft_p95_s=2.0).look(gateway.at)
    assert look.first_tokens == 40
    assert 1.0 < look.ttft_p95_s <= 10.0


def test_it_reads_on_from_where_it_stopped_over_segments(gateway, looker):
    watching = looker()
    for _ in range(70):  # three segments
        gateway.second(ok=5, error=1)
        look = watching.look(gateway.at + 0.1)
        assert look.age_s == pytest.approx(0.1)
    assert look.requests == Count(bad=10, total=60)


def test_scrapes_that_fail_make_the_newest_sample_old(gateway, looker):
    gateway.seconds(3, ok=6)
    last = gateway.at
    gateway.seconds(4, up=False)
    assert looker().look(gateway.at).age_s == pytest.approx(gateway.at - last)


def test_a_gateway_that_restarted_has_lost_no_count(gateway, looker):
    gateway.seconds(3, ok=6, error=1)
    gateway.outcomes = dict.fromkeys(OUTCOMES, 0.0)
    gateway.seconds(3, ok=6, error=1)
    assert looker().look(gateway.at).requests == Count(bad=6, total=42)


def test_a_recorder_that_never_wrote_is_blindness_with_a_reason(platform, tmp_path):
    look = Looker(platform, RecordedSamples(tmp_path / "none"), GuardSettings(), {}, since=BEGAN).look(BEGAN)
    assert look.age_s is None
    assert "no samples" in look.blind


def test_samples_of_something_else_are_blindness_too(gateway, looker):
    for path in gateway.directory.iterdir():
        path.write_text(path.read_text().replace("sre_gateway_requests_total", "requests_total"))
    assert "no sample of sre_gateway_requests_total" in looker().look(gateway.at).blind


def test_a_damaged_file_is_blindness_with_its_line(gateway, looker):
    with next(iter(gateway.directory.iterdir())).open("a") as file:
        file.write("{half a line]\n")
    assert "the file is damaged" in looker().look(gateway.at).blind


def test_files_that_vanish_are_blindness(gateway, looker):
    watching = looker()
    watching.look(gateway.at)
    for path in gateway.directory.iterdir():
        path.unlink()
    assert "no samples" in watching.look(gateway.at).blind


def test_healthy_replicas_are_those_that_get_work(gateway, looker, platform):
    platform.serving["llm-1"] = False
    assert looker(min_healthy_replicas=1).look(gateway.at).healthy == 2


def test_a_platform_that_does_not_answer_is_said(gateway, looker, platform):
    platform.up = False
    look = looker(min_healthy_replicas=1).look(gateway.at)
    assert look.healthy is None
    assert "sre up" in look.unseen


def test_a_look_costs_next_to_nothing(gateway, looker):
    watching = looker(burns=(BurnLimit("availability", 300), BurnLimit("ttft", 50)), max_failed_requests=9)
    gateway.seconds(60, ok=6)
    watching.look(gateway.at)
    began = time.thread_time()
    for _ in range(20):
        watching.look(gateway.at)
    assert (time.thread_time() - began) / 20 < 0.02  # seconds of CPU, on a machine that may be slow
