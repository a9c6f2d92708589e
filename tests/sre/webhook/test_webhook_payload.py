"""What is taken as a notification, and with what words the rest is refused."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.webhook.payload import Refusal, notification_of


def refused(body):
    with pytest.raises(Refusal) as caught:
        notification_of(body if isinstance(body, bytes) else json.dumps(body).encode())
    return caught.value.status, caught.value.reason, str(caught.value)


def test_year_one_means_not_over(told):
    (one,) = notification_of(json.dumps(told.payload(told.alert())).encode()).alerts
    assert one.ended_at is None
    assert one.started_at == pytest.approx(told.t0, abs=1e-3)


def test_a_firing_alert_has_no_end_even_when_one_is_foreseen(told):
    foreseen = {**told.alert(), "endsAt": "2999-01-01T00:00:00Z"}
    assert notification_of(json.dumps(told.payload(foreseen)).encode()).alerts[0].ended_at is None


@pytest.mark.parametrize("version", ["5", "3", "1", 4, None, "", ["4"]])
def test_another_version_is_refused_by_name(told, version):
    status, reason, text = refused(told.payload(told.alert(), version=version))
    assert (status, reason) == (422, "version")
    assert f"payload version {version!r} is not known" in text
    assert 'only version "4"' in text


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b'{"version": "4"', b'"\\ud800"', b"[" * 5000])
def test_what_is_no_json_is_400(body):
    assert refused(body)[:2] == (400, "json")


def test_what_has_another_shape_says_where(told):
    assert refused([])[:2] == (422, "shape")
    bad = told.payload({**told.alert(), "status": "gone", "startsAt": "yesterday"})
    status, _, text = refused(bad)
    assert status == 422
    assert "alerts.0.status" in text
    assert "alerts.0.startsAt" in text
    assert "alerts" in refused(told.payload())[2]
    assert "groupKey" in refused(told.payload(told.alert(), groupKey=""))[2]
    assert "groupKey" in refused(told.payload(told.alert(), groupKey=" \n"))[2]


def test_many_faults_are_counted_not_listed(told):
    text = refused(told.payload(*[{"status": "x", "labels": {}} for _ in range(50)]))[2]
    assert "and 45 more" in text


def test_text_from_outside_becomes_one_bounded_line(told):
    dirty = told.alert(annotations={"summary": "a\x00b\nc\u202e" + "x" * 9000})
    summary = notification_of(json.dumps(told.payload(dirty)).encode()).alerts[0].summary
    assert summary.startswith("a b c x")
    assert summary.isprintable()
    assert len(summary) == 4000


def test_a_long_group_key_stays_one_key_and_fits_an_index(told):
    """All labels may be grouped by, and some are long."""
    keys = [f"{{}}:{{a={'x' * 5000}{end}}}" for end in "aab"]
    first, same, other = (
        notification_of(json.dumps(told.payload(told.alert(), groupKey=key)).encode()).group_key for key in keys
    )
    assert first == same != other
    assert len(first) < 400


def test_absent_maps_and_a_missing_fingerprint_are_borne(told):
    bare = {"status": "firing", "labels": {"alertname": "A"}, "annotations": None}
    twice = [notification_of(json.dumps(told.payload(bare, groupLabels=None)).encode()).alerts[0] for _ in "ab"]
    assert twice[0].fingerprint == twice[1].fingerprint != ""
    other = notification_of(json.dumps(told.payload({**bare, "labels": {"alertname": "B"}})).encode()).alerts[0]
    assert other.fingerprint != twice[0].fingerprint


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["alerts", "groupKey", "truncatedAlerts", "receiver", "groupLabels"]), JSON))
def test_nothing_but_a_refusal_comes_of_nonsense(fields):
    with contextlib.suppress(Refusal):
        assert notification_of(json.dumps({"version": "4", "groupKey": "k", **fields}).encode()).alerts


def test_an_end_in_the_last_year_of_the_calendar_is_none(told):
    alert = {**told.alert(), "status": "resolved", "endsAt": "9999-12-31T23:59:59.999999999Z"}
    assert notification_of(json.dumps(told.payload(alert)).encode()).alerts[0].ended_at is None
