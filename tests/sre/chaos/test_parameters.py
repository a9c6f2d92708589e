"""What a YAML file may say as a fault's parameter, and what it is told."""

import pytest

from sre.chaos.faults.capacity import AutoscalerThrash
from sre.chaos.faults.control_plane import AutoscalerDown
from sre.chaos.faults.disk import DiskFull
from sre.chaos.faults.host import ClockSkew, CpuPressure, MemoryPressure
from sre.chaos.faults.machines import SpotPreemption, ZoneLoss
from sre.chaos.faults.parameters import number, one_of, require, whole
from sre.chaos.faults.traffic import DisconnectStorm, LongPromptFlood, RetryStorm, TrafficSurge
from sre.errors import SreError

NAN = float("nan")


@pytest.mark.parametrize("value", [NAN, float("inf"), -float("inf"), True, "3", None, 0, -1, 11])
def test_a_number_outside_its_bounds_is_no_number(value):
    assert number("x_s", value, above=0, most=10) == f"x_s is {value!r}: write a number above 0 up to 10"


def test_numbers_within_their_bounds_pass():
    assert [number("x_s", value, above=0, most=10) for value in (1, 0.5, 10)] == [None, None, None]


@pytest.mark.parametrize("value", [0, 5, 1.0, True, "2", None])
def test_a_whole_number_is_neither_a_float_nor_a_switch(value):
    assert whole("n", value, least=1, most=4) == f"n is {value!r}: write a whole number from 1 to 4"


def test_every_complaint_is_told_at_once():
    with pytest.raises(SreError, match=r"^my-fault: a is 0: .*; b is 'x': write one of y, z$"):
        require("my-fault", number("a", 0, above=0), None, one_of("b", "x", ("y", "z")))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: CpuPressure(workers=10_000), "cpu-pressure: workers is 10000: write a whole number from 1 to"),
        (lambda: CpuPressure(load_percent=0), "load_percent is 0"),
        (lambda: MemoryPressure(memory_mb=1.5), "memory_mb is 1.5"),
        (lambda: DiskFull(how="rm"), "how is 'rm': write one of limit, ballast"),
        (lambda: DiskFull(victim="prometheus"), "victim is 'prometheus': write one of recorder, gateway"),
        (lambda: ClockSkew(skew_s=0.5), "skew_s is 0.5: write 2 or more, or -2 or less"),
        (lambda: ClockSkew(skew_s=NAN), "skew_s is nan"),
        (lambda: ClockSkew(skew_s="5 min"), "skew_s is '5 min'"),
        (lambda: AutoscalerDown(how="pause"), "how is 'pause'"),
        (lambda: SpotPreemption(notice_s=0), "notice_s is 0"),
        (lambda: ZoneLoss(replicas=0), "replicas is 0: write how many"),
        (lambda: ZoneLoss(replicas="llm-0"), "or a list of names"),
        (lambda: ZoneLoss(replicas=True), "replicas is True"),
        (lambda: ZoneLoss(stay_away="yes"), "stay_away is 'yes': write true or false"),
        (lambda: AutoscalerThrash(low=4, high=2), "put low below high"),
        (lambda: AutoscalerThrash(period_s=0.1), "period_s is 0.1"),
        (lambda: TrafficSurge(), "write either rate_rps .* or factor"),
        (lambda: TrafficSurge(rate_rps=5, factor=2), "write either rate_rps .* or factor"),
        (lambda: TrafficSurge(factor=1), "factor is 1: write a number above 1"),
        (lambda: TrafficSurge(rate_rps=1e6), "rate_rps is 1000000.0"),
        (lambda: LongPromptFlood(prompt_tokens=0), "prompt_tokens is 0"),
        (lambda: RetryStorm(attempts=1), "attempts is 1: write a whole number from 2"),
        (lambda: RetryStorm(timeout_s=0), "timeout_s is 0"),
        (lambda: DisconnectStorm(rate_rps=-1), "rate_rps is -1"),
    ],
)
def test_a_wrong_parameter_is_one_line_with_its_mend(make, says):
    with pytest.raises(SreError, match=says) as caught:
        make()
    assert "\n" not in str(caught.value)
