"""What does not count: read strictly, taken out once, and accounted for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import BadDocument
from sre.slo.burn import SliEvents
from sre.slo.corrections import Correction, corrected, read_corrections
from sre.slo.counters import EventCurve

TIMES = np.arange(1.0, 101)
EVENTS = SliEvents(EventCurve(TIMES, TIMES), EventCurve(TIMES, 10 * TIMES), EventCurve(TIMES, TIMES / 2))


def correction(start, end, *, slo=None, recorded_at=0.0, author="ada"):
    return Correction(start, end, slo, "maintenance", author, recorded_at)


def test_events_of_the_stretch_do_not_count():
    left, (audit,) = corrected("a", EVENTS, [correction(10, 20)], start=0, end=100)
    assert left.between(0, 100) == (90, 900)
    assert left.least_between(0, 100) == 45
    assert (audit.total, audit.bad, audit.correction.author) == (100, 10, "ada")


def test_of_overlapping_corrections_the_first_recorded_takes_the_events():
    later, first = correction(10, 20, recorded_at=2), correction(15, 30, recorded_at=1)
    left, audit = corrected("a", EVENTS, [later, first], start=0, end=100)
    assert left.between(0, 100) == (80, 800)
    assert [(one.correction, one.bad) for one in audit] == [(first, 15), (later, 5)]


def test_other_slos_and_other_times_are_not_concerned():
    others = [correction(10, 20, slo="b"), correction(200, 300), correction(-50, 0)]
    left, audit = corrected("a", EVENTS, others, start=0, end=100)
    assert (left.between(0, 100), audit) == ((100, 1000), ())
    _, audit = corrected("a", EVENTS, [correction(10, 20, slo="a"), correction(-5, 5)], start=0, end=100)
    assert [one.bad for one in audit] == [5, 10]


RANGES = st.lists(st.tuples(st.integers(-10, 110), st.integers(1, 60), st.integers(0, 5)), max_size=6)


@given(ranges=RANGES)
def test_the_audit_adds_up_to_what_is_gone(ranges):
    found = [correction(a, a + length, recorded_at=float(when)) for a, length, when in ranges]
    left, audit = corrected("a", EVENTS, found, start=0, end=100)
    gone = {t for t in range(1, 101) for one in found if one.start < t <= one.end}
    assert left.between(0, 100) == (100 - len(gone), 1000 - 10 * len(gone))
    assert sum(one.bad for one in audit) == len(gone)


GOOD = """\
corrections:
  - start: 2026-03-01T10:00:00Z
    end: 2026-03-01T12:00:00+01:00
    slo: availability
    reason: database moved, announced to all
    author: ada
    recorded_at: "2026-02-27T09:00:00Z"
  - start: 2026-03-02T10:00:00Z
    end: 2026-03-02T11:00:00Z
    slo: all
    reason: drill
    author: bob
    recorded_at: 2026-03-02T09:00:00Z
"""


def test_reads_times_with_their_zone(tmp_path):
    path = tmp_path / "corrections.yaml"
    path.write_text(GOOD)
    first, second = read_corrections(path, slos=("availability",))
    assert (first.end - first.start, first.slo, first.author) == (3600, "availability", "ada")
    assert first.where == f"{path}:2"
    assert second.slo is None


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (
            "10:00:00Z\n",
            "10:00:00\n",
            "corrections.yaml:2: corrections[0].start: is '2026-03-01T10:00:00': write a time",
        ),
        ("2026-03-01T10:00:00Z\n", "soon\n", "corrections.yaml:2: corrections[0].start: is 'soon': write a time"),
        ("12:00:00+01:00", "11:00:00+01:00", "corrections.yaml:3: corrections[0].end: is not after start"),
        ("author: ada", "autor: ada", "corrections.yaml:6: corrections[0].autor: unknown key"),
        ("author: ada", "autor: ada", "corrections.yaml:2: corrections[0].author: missing: say who"),
        (
            "slo: availability",
            "slo: latency",
            "corrections.yaml:4: corrections[0].slo: no SLO is named 'latency': use one",
        ),
        ("reason: database moved, announced to all", "reason: ''", "corrections.yaml:5: corrections[0].reason: is ''"),
        (GOOD, "corrections: none\n", "corrections.yaml:1: corrections: is 'none': write a list"),
        (GOOD, "[]\n", "corrections.yaml:1: document: is a list: write a mapping with corrections"),
        (GOOD, "", "corrections.yaml:1: document: holds 0 documents: write one"),
        (GOOD, "{}\n", "corrections.yaml:1: corrections: missing: list them"),
    ],
)
def test_faults_name_their_line_and_the_mend(tmp_path, old, new, fault):
    path = tmp_path / "corrections.yaml"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(BadDocument) as error:
        read_corrections(path, slos=("availability",))
    assert any(one.startswith(f"{tmp_path}/{fault}") for one in error.value.faults), error.value.faults


def test_all_faults_at_once(tmp_path):
    path = tmp_path / "corrections.yaml"
    path.write_text("corrections: [{start: x}, 7]\n")
    with pytest.raises(BadDocument) as error:
        read_corrections(path)
    assert len(error.value.faults) >= 7
