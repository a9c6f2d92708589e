"""What only a source can tell: retention, history, traffic."""

from __future__ import annotations

DAY = 86400.0


def test_enough_of_everything_is_fine(linting):
    assert linting.rules(source=linting.source(*linting.gateway())) == []


def test_a_period_and_windows_beyond_retention(linting):
    source = linting.source(*linting.gateway(), retention_s=2 * DAY)
    found = [one for one in linting(source=source) if one.rule == "SLO050"]
    assert {one.what for one in found} == {
        "the period is 30 d; the source keeps 2 d",
        "ticket-3d looks back 3 d; the source keeps 2 d",
    }
    assert all(one.severity == "error" for one in found)
    period = next(one for one in found if one.what.startswith("the period"))
    assert "timeWindow" in period.path


def test_a_source_that_does_not_say_how_long_it_keeps(linting):
    source = linting.source(*linting.gateway(), retention_s=None)
    assert linting.rules(source=source) == []


def test_a_file_has_history_not_retention(linting):
    source = linting.source(*linting.gateway(days=3), retention_s=3 * DAY, version=None)
    (found,) = linting(source=source)
    assert (found.rule, found.severity) == ("SLO051", "warning")
    assert "the source holds about 1.88 d" in found.what  # 30 d halved four times: exact to a factor of 2


def test_less_than_half_a_period_of_history(linting):
    source = linting.source(*linting.gateway(days=10))
    assert "the source holds about 7.5 d" in linting.only("SLO051", source=source).what
    assert "SLO051" not in linting.rules(source=linting.source(*linting.gateway(days=20)))


def test_a_tier_that_its_guard_keeps_silent_says_what_traffic_it_needs(linting):
    source = linting.source(*linting.gateway(per_hour=60))
    found = {one.what.split(":")[0]: one for one in linting(source=source) if one.rule == "SLO060"}
    # at 60 requests an hour, 14.4 x 0.001 of an hour's are 0.86 bad ones; 139 an hour make the two of the guard
    fast = found["page-1h"]
    assert fast.severity == "warning"
    assert "60.1 events an hour are 60.1 in 1 h; a burn of 14.4 makes 0.87 of them bad" in fast.what
    assert fast.mend.startswith("139 events an hour are needed")
    assert "page-1h" not in {
        one.what.split(":")[0]
        for one in linting(source=linting.source(*linting.gateway(per_hour=150)))
        if one.rule == "SLO060"
    }


def test_a_tier_with_less_traffic_than_bad_events_asked_for_never_fires(linting):
    source = linting.source(*linting.gateway(per_hour=1.5))
    found = next(one for one in linting(source=source) if one.rule == "SLO060" and one.what.startswith("page-1h"))
    assert found.severity == "error"


def test_one_failure_fires_when_the_guard_is_off(linting):
    off = (("sre/runbook", "https://example.org/r"), ("sre/min-bad-events", "1"))
    source = linting.source(*linting.gateway(per_hour=60))
    found = [one for one in linting(source=source, annotations=off) if one.rule == "SLO061"]
    assert found[0].what.startswith("page-1h: one bad event among 60.1 in 1 h is a burn of 16.6")
    assert "SLO061" not in linting.rules(source=linting.source(*linting.gateway()), annotations=off)


def test_a_binomial_test_guards_by_itself(linting):
    exact = (("sre/runbook", "https://example.org/r"), ("sre/max-p-value", "0.01"))
    source = linting.source(*linting.gateway(per_hour=60))
    assert linting.rules(source=source, annotations=exact) == []


def test_without_traffic_nothing_is_said_of_it(linting):
    source = linting.source(*linting.gateway(per_hour=0))
    assert {one for one in linting.rules(source=source) if one.startswith("SLO06")} <= {"SLO060"}
