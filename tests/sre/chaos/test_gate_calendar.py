"""When drills may run: wall time of a zone, clock changes included; a misread calendar is a drill on the wrong day."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.chaos.gate.calendar import Calendar, Weekly
from sre.chaos.gate.calendar_file import read_calendar
from sre.errors import BadDocument

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = """
zone: Europe/Berlin
allow:
  - {days: [mon, tue, wed, thu], from: "09:00", to: "16:00", reason: office hours}
freeze:
  - {from: 2026-12-20, to: 2027-01-07, reason: the year ends}
  - {days: [thu], from: "12:00", to: "24:00"}
"""


def berlin(text, fold=0):
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold).timestamp()


@pytest.fixture
def calendar(tmp_path):
    def read(text):
        path = tmp_path / "calendar.yaml"
        path.write_text(text)
        return read_calendar(path)

    return read


def says(calendar, start, *, minutes=2):
    at = start if isinstance(start, float) else berlin(start)
    return calendar.refusal(at, at + minutes * 60)


def test_a_drill_within_its_window_may_run(calendar):
    assert says(calendar(OFFICE), "2026-11-25 10:00") is None


def test_outside_of_it_the_next_opening_is_told(calendar):
    said = says(calendar(OFFICE), "2026-11-25 18:00")
    assert "no drill is allowed now (Wed 2026-11-25 18:00 CET)" in said
    assert "the next window opens Thu 2026-11-26 09:00 CET" in said


def test_a_drill_must_be_over_when_its_window_closes(calendar):
    said = says(calendar(OFFICE), "2026-11-25 15:59")
    assert "allowed until Wed 2026-11-25 16:00 CET" in said
    assert "may last until Wed 2026-11-25 16:01 CET" in said


def test_a_freeze_is_stronger_and_says_why(calendar):
    said = says(calendar(OFFICE), "2026-12-21 10:00")
    assert "frozen from Sun 2026-12-20 00:00 CET to Thu 2027-01-07 00:00 CET (the year ends)" in said


def test_a_drill_must_not_run_into_a_freeze(calendar):
    assert "frozen from Thu 2026-11-26 12:00" in says(calendar(OFFICE), "2026-11-26 11:59")
    assert says(calendar(OFFICE), "2026-11-26 11:57") is None


def test_only_a_freeze_allows_all_the_rest(calendar):
    only = calendar("zone: UTC\nfreeze: [{from: 2026-12-20, to: 2026-12-21}]")
    assert says(only, "2026-12-19 23:00") is None
    assert says(only, "2026-12-20 12:00") is not None


def test_a_window_over_midnight_belongs_to_the_day_it_begins(calendar):
    night = calendar('zone: Europe/Berlin\nallow: [{days: [fri], from: "22:00", to: "06:00"}]')
    assert says(night, "2026-11-27 23:59", minutes=10) is None
    assert says(night, "2026-11-28 05:00") is None
    assert says(night, "2026-11-27 05:00") is not None


def test_windows_that_touch_are_one(calendar):
    day = calendar(
        'zone: UTC\nallow: [{days: [mon], from: "00:00", to: "24:00"}, {days: [tue], from: "00:00", to: "24:00"}]'
    )
    at = datetime(2026, 11, 23, 23, 50, tzinfo=ZoneInfo("UTC")).timestamp()
    assert day.refusal(at, at + 3600) is None


def test_it_is_the_zones_wall_time_in_summer_and_winter(calendar):
    nine = calendar('zone: Europe/Berlin\nallow: [{days: [wed], from: "09:00", to: "10:00"}]')
    utc = ZoneInfo("UTC")
    assert says(nine, datetime(2026, 7, 1, 7, 30, tzinfo=utc).timestamp()) is None
    assert says(nine, datetime(2026, 11, 25, 8, 30, tzinfo=utc).timestamp()) is None
    assert says(nine, datetime(2026, 11, 25, 7, 30, tzinfo=utc).timestamp()) is not None


AUTUMN = "2026-10-25"  # at 03:00 CEST it is 02:00 CET again
SPRING = "2026-03-29"  # from 02:00 CET to 03:00 CEST


def test_an_hour_that_comes_twice_is_frozen_both_times(calendar):
    frozen = calendar(f"zone: Europe/Berlin\nfreeze: [{{from: {AUTUMN} 02:15, to: {AUTUMN} 02:45}}]")
    for fold in (0, 1):
        assert says(frozen, berlin(f"{AUTUMN} 02:30", fold)) is not None
    assert says(frozen, berlin(f"{AUTUMN} 02:50", fold=0)) is not None  # before the second 02:15
    assert says(frozen, berlin(f"{AUTUMN} 02:50", fold=1)) is None


def test_a_window_in_the_hour_that_comes_twice_is_not_taken_for_longer_than_it_is(calendar):
    allowed = calendar(f"zone: Europe/Berlin\nallow: [{{from: {AUTUMN} 01:00, to: {AUTUMN} 02:30}}]")
    assert says(allowed, berlin(f"{AUTUMN} 02:20", fold=0)) is None
    assert says(allowed, berlin(f"{AUTUMN} 02:20", fold=1)) is not None


def test_an_hour_that_does_not_exist_is_frozen_around_it(calendar):
    frozen = calendar(f"zone: Europe/Berlin\nfreeze: [{{from: {SPRING} 02:15, to: {SPRING} 02:45}}]")
    assert says(frozen, f"{SPRING} 03:20") is not None
    assert says(frozen, f"{SPRING} 04:00") is None


def test_a_window_in_the_hour_that_does_not_exist_is_none(calendar):
    allowed = calendar(f"zone: Europe/Berlin\nallow: [{{from: {SPRING} 02:15, to: {SPRING} 02:45}}]")
    assert says(allowed, f"{SPRING} 03:20") is not None


def test_a_weekly_window_in_a_changing_night_keeps_its_wall_times(calendar):
    sunday = calendar('zone: Europe/Berlin\nallow: [{days: [sun], from: "01:00", to: "06:00"}]')
    for day in (AUTUMN, SPRING, "2026-11-29"):
        assert says(sunday, f"{day} 05:30") is None
        assert says(sunday, f"{day} 06:30") is not None


@given(st.integers(min_value=0, max_value=366 * 24 * 4), st.integers(min_value=1, max_value=24 * 60))
def test_what_is_frozen_every_day_is_never_allowed(quarters, minutes):
    always = Calendar(BERLIN, freeze=(Weekly(frozenset(range(7)), 0, 24 * 60, ""),))
    at = berlin("2026-01-01 00:00") + quarters * 900
    assert always.refusal(at, at + minutes * 60) is not None


@given(st.integers(min_value=0, max_value=366 * 24 * 4))
def test_what_is_allowed_every_day_is_always_allowed(quarters):
    always = Calendar(BERLIN, allow=(Weekly(frozenset(range(7)), 0, 24 * 60, ""),))
    at = berlin("2026-01-01 00:00") + quarters * 900
    assert always.refusal(at, at + 600) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("allow: []", "zone: missing: name a time zone"),
        ("zone: Europe/Berlim\nallow: []", "no time zone"),
        ("zone: UTC\nallow: []", "so that no drill would ever be allowed"),
        ("zone: UTC\nalow: []", "did you mean `allow`?"),
        ("zone: UTC\nallow: {days: [mon]}", "is a mapping: write a list"),
        (
            "zone: UTC\nallow: [{days: [mon], from: 16:00, to: 17:00}]",
            'is 960: write a time of day in quotes, e.g. "09:00"',
        ),
        ('zone: UTC\nallow: [{days: [mon], from: "09:00"}]', "to: missing"),
        ('zone: UTC\nallow: [{days: [monday], from: "09:00", to: "24:30"}]', "did you mean `mon`?"),
        ('zone: UTC\nallow: [{days: [mon], from: "09:00", to: "24:30"}]', "'24:30'"),
        ('zone: UTC\nallow: [{days: [], from: "09:00", to: "10:00"}]', "is empty: list days"),
        ("zone: UTC\nfreeze: [{from: 2026-12-20, to: 2026-12-19}]", "before it starts"),
        ("zone: UTC\nfreeze: [{from: 2026-13-20, to: 2026-12-19}]", "write a local date or time without a zone"),
        ("zone: UTC\nfreeze: [{from: 2026-12-20T00:00Z, to: 2026-12-29}]", "without a zone"),
        ('zone: UTC\nfreeze: [{from: "09:00", to: "10:00"}]', "for every week give `days`"),
        ("- zone", "is a list"),
        ("", "holds 0 documents"),
        ("zone: [", "not YAML"),
    ],
)
def test_a_calendar_that_is_wrong_says_where_and_how_to_mend_it(calendar, text, said):
    with pytest.raises(BadDocument) as refused:
        calendar(text)
    assert said in str(refused.value)
    assert "calendar.yaml:" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_fault_is_told_at_once(calendar):
    with pytest.raises(BadDocument) as refused:
        calendar("zone: Nowhere\nallow: [{days: [mon], from: 9, to: 10}]\nfreez: []")
    assert len(refused.value.faults) == 4
