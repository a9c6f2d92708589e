"""Between drills a platform is looked at: whatever is not as it was asked for is told, and waited for only so long."""

from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.errors import PlatformError
from sre.gameday.health import ailments, await_calm
from sre.gameday.running import RunningPlatform
from sre.platforms.model import Replica
from sre.platforms.processes import ProcessRef
from sre.platforms.state import NotUp

ALIVE = ProcessRef(psutil.Process().pid, psutil.Process().create_time())
GONE = ProcessRef(ALIVE.pid, 1.0)


class FakePlatform:
    driver = "local"

    def __init__(self, state_dir):
        self.state_dir = state_dir
        self.fleet = [Replica(f"llm-{n}", "ready", 1, 1.0, 0, "", 1.0, True, "up") for n in range(2)]
        self.seen = SimpleNamespace(gateway=ALIVE, recorder=ALIVE, prometheus=ALIVE, autoscaler=None)
        self.faults, self.busy = {}, {"llm-0": 0.0}
        self.gone = None

    def state(self):
        if self.gone is not None:
            raise self.gone
        return self.seen

    def replicas(self):
        return tuple(self.fleet)

    def inflight(self):
        return self.busy

    def engine_faults(self, name):
        return self.faults.get(name, {})


@pytest.fixture
def platform(tmp_path):
    return FakePlatform(tmp_path)


def running(platform, *, replicas=2, prometheus="http://127.0.0.1:1", autoscale=None):
    spec = SimpleNamespace(replicas=replicas, autoscale=autoscale)
    return RunningPlatform(platform, spec, 0.0, 1.0, prometheus)


class Time:
    """Seconds pass only while somebody sleeps; `then` happens at each sleep."""

    def __init__(self, then=lambda: None):
        self.at, self.then = 0.0, then

    def clock(self):
        return self.at

    def sleep(self, seconds):
        self.at += seconds
        self.then()


def calm(platform, time=None, **asked):
    time = time or Time()
    return await_calm(running(platform, **asked), timeout_s=5.0, clock=time.clock, sleep=time.sleep)


def test_a_platform_as_it_was_asked_for_is_fit(platform):
    assert list(ailments(running(platform))) == []
    assert calm(platform) is None


def changed(platform, **changes):
    platform.fleet[1] = replace(platform.fleet[1], **changes)


@pytest.mark.parametrize(
    ("hurt", "said"),
    [
        (lambda p: p.fleet.pop(), "1 replicas run, 2 were asked for"),
        (lambda p: changed(p, state="backoff"), "llm-1 is backoff"),
        (lambda p: changed(p, serving=False, rotation="ejected"), "llm-1 gets no work (ejected)"),
        (lambda p: changed(p, rotation="half_open"), "llm-1 gets no work (half_open)"),
        (lambda p: setattr(p.seen, "gateway", GONE), "the gateway does not run"),
        (lambda p: setattr(p.seen, "recorder", None), "the recorder does not run"),
        (lambda p: setattr(p.seen, "prometheus", GONE), "Prometheus does not run"),
        (lambda p: p.faults.update({"llm-0": {"step_factor": 4}}), "llm-0 still has engine faults"),
        (lambda p: p.busy.update({"llm-0": 3.0}), "3 requests are still in flight"),
    ],
)
def test_what_is_wrong_is_told_once_waiting_did_not_help(platform, hurt, said):
    hurt(platform)
    time = Time()
    assert calm(platform, time) == said
    assert time.at > 5.0


def test_a_fault_that_nobody_undid_is_told(platform):
    Ledger(platform.state_dir).append(LedgerRecord(1.0, "fault_begin", "f-1", "replica-hang", "llm-0"))
    assert calm(platform) == "replica-hang on llm-0 is still open"


def test_what_was_not_started_is_not_missed(platform):
    platform.seen.prometheus = None
    assert calm(platform, prometheus=None) is None
    assert calm(platform, prometheus=None, autoscale="hpa.yaml") == "the autoscaler does not run"


def test_it_is_waited_for_what_heals_by_itself(platform):
    platform.busy = {"llm-0": 2.0}
    time = Time(then=lambda: platform.busy.update({"llm-0": platform.busy["llm-0"] - 1}))
    assert calm(platform, time) is None
    assert time.at == pytest.approx(0.5)


def test_a_platform_that_cannot_be_asked_for_a_moment_may_come_back(platform):
    platform.gone = PlatformError("half a file")
    assert calm(platform, Time(then=lambda: setattr(platform, "gone", None))) is None


def test_nobody_waits_for_a_platform_that_is_gone(platform):
    platform.gone = NotUp("its supervisor is gone")
    time = Time()
    assert calm(platform, time) == "its supervisor is gone"
    assert time.at == 0.0
