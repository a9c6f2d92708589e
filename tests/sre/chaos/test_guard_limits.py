"""What makes the guard abort, and what does not. In doubt it aborts: unknown is never good."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.chaos.guard.limits import passed_limits, stale_after_s
from sre.chaos.guard.model import BurnLimit, Count, GuardSettings, Look

BURN = BurnLimit("availability", max_burn=300, window_s=10, min_bad=5)
EVERYTHING = GuardSettings(
    burns=(BURN,), max_failed_requests=20, max_ttft_p95_s=5.0, min_healthy_replicas=2, max_failed_share=0.5
)
NAN = float("nan")


def look(**changed):
    calm = Look(
        at=100.0,
        age_s=0.5,
        burn={"availability": 0.0},
        counts={"availability": Count(0, 60)},
        requests=Count(0, 60),
        failed_since_begin=0.0,
        ttft_p95_s=0.2,
        first_tokens=60,
        healthy=3,
    )
    return replace(calm, **changed)


def reasons(settings=EVERYTHING, *, interval_s=1.0, deadline_at=1000.0, **changed):
    return passed_limits(settings, look(**changed), interval_s=interval_s, deadline_at=deadline_at)


def test_a_calm_service_goes_on():
    assert reasons() == ()


def test_a_fast_burn_aborts_with_the_numbers():
    (said,) = reasons(burn={"availability": 400.0}, counts={"availability": Count(24, 60)})
    assert said == "availability burns 400x as fast as allowed over 10 s (24 of 60 bad), max_burn is 300"


def test_a_burn_as_high_as_allowed_goes_on():
    assert reasons(burn={"availability": 300.0}, counts={"availability": Count(18, 60)}) == ()


def test_one_failure_in_low_traffic_does_not_abort():
    assert reasons(burn={"availability": 1000.0}, counts={"availability": Count(4, 4)}, requests=Count(4, 4)) == ()


def test_no_traffic_at_all_does_not_abort():
    nothing = Count(0, 0)
    assert reasons(burn={}, counts={"availability": nothing}, requests=nothing, ttft_p95_s=None, first_tokens=0) == ()


def test_half_of_the_requests_may_fail_and_not_more():
    assert reasons(requests=Count(10, 20)) == ()
    (said,) = reasons(requests=Count(11, 20))
    assert said == "55 % of the 20 requests of the last 10 s failed, max_failed_share is 0.5"


def test_a_share_of_1_is_not_watched():
    assert reasons(replace(EVERYTHING, max_failed_share=1), requests=Count(20, 20)) == ()


def test_failed_requests_are_counted_since_the_method_began():
    assert reasons(failed_since_begin=20.0) == ()
    assert "21 requests failed since the method began" in reasons(failed_since_begin=21.0)[0]


def test_a_slow_first_token_aborts_when_enough_of_them_are_slow():
    assert reasons(ttft_p95_s=9.0, first_tokens=9) == ()
    assert "is 9.00 s, max_ttft_p95_s is 5" in reasons(ttft_p95_s=9.0, first_tokens=10)[0]


def test_too_few_healthy_replicas_abort():
    assert reasons(healthy=1) == ("1 replica(s) are healthy, min_healthy_replicas is 2",)


def test_a_platform_that_does_not_answer_aborts():
    assert "no platform is up" in reasons(healthy=None, unseen="no platform is up here")[0]


def test_a_run_past_its_deadline_is_aborted():
    assert reasons(deadline_at=100.0) == ("the run is past its deadline_s",)


@pytest.mark.parametrize("age_s", [3.5, 60.0, -10.0, None, NAN, math.inf])
def test_samples_that_are_stale_missing_or_from_the_future_abort(age_s):
    (said,) = reasons(age_s=age_s)
    assert said.startswith("the guard cannot see the service")


def test_samples_that_cannot_be_read_abort_and_say_why():
    assert "the file is damaged" in reasons(age_s=None, blind="samples/1.jsonl:3: the file is damaged")[0]


def test_one_late_scrape_is_no_loss_of_metrics():
    assert reasons(age_s=2.9) == ()


def test_staleness_follows_the_scrape_interval_unless_it_is_stated():
    assert stale_after_s(GuardSettings(), 5.0) == 15.0
    assert stale_after_s(GuardSettings(stale_after_s=4.0), 5.0) == 4.0
    assert reasons(interval_s=5.0, age_s=14.0) == ()


@pytest.mark.parametrize(
    "unread",
    [
        {"counts": {}},
        {"counts": {"availability": Count(NAN, 60)}},
        {"burn": {"availability": NAN}, "counts": {"availability": Count(10, 60)}},
        {"burn": {}, "counts": {"availability": Count(10, 60)}},
        {"requests": None},
        {"requests": Count(1, NAN)},
        {"failed_since_begin": None},
        {"failed_since_begin": NAN},
        {"ttft_p95_s": None},
        {"ttft_p95_s": NAN},
    ],
)
def test_a_limit_that_cannot_be_read_counts_as_passed(unread):
    (said,) = reasons(**unread)
    assert "could not be read" in said


MAY_VANISH = replace(EVERYTHING, metrics_may_vanish=True)


def test_metrics_that_may_vanish_may_vanish():
    assert reasons(MAY_VANISH, age_s=60.0, requests=Count(60, 60)) == ()
    assert reasons(MAY_VANISH, age_s=None, blind="no samples") == ()


def test_while_they_are_there_their_limits_hold():
    assert reasons(MAY_VANISH, requests=Count(60, 60)) != ()


def test_without_metrics_the_deadline_and_the_replicas_still_hold():
    assert reasons(MAY_VANISH, age_s=None, deadline_at=99.0, healthy=1) == (
        "the run is past its deadline_s",
        "1 replica(s) are healthy, min_healthy_replicas is 2",
    )


def test_every_reason_is_given():
    assert len(reasons(requests=Count(60, 60), failed_since_begin=60.0, healthy=0, deadline_at=1.0)) == 4


numbers = st.floats(allow_nan=True, allow_infinity=True) | st.none()


@given(numbers, numbers, numbers, numbers)
def test_whatever_is_read_the_answer_is_text_and_the_ledger_gets_json(age_s, burn, failed, ttft):
    counts = {"availability": Count(10.0 if burn is None else burn, 60)}
    seen = look(
        age_s=age_s,
        burn={} if burn is None else {"availability": burn},
        counts=counts,
        requests=None if failed is None else Count(failed, 60),
        failed_since_begin=failed,
        ttft_p95_s=ttft,
    )
    for said in passed_limits(EVERYTHING, seen, interval_s=1.0, deadline_at=1000.0):
        assert "nan" not in said.replace("cannot", "")
    json.dumps(seen.readings(), allow_nan=False)


@given(st.floats(min_value=0, max_value=1), st.integers(min_value=0, max_value=1000))
def test_a_share_above_the_limit_never_goes_on(share, total):
    failed = math.floor(share * total)
    said = reasons(replace(EVERYTHING, burns=(), max_failed_requests=None), requests=Count(failed, total))
    assert bool(said) == (total >= 10 and failed * 2 > total)
