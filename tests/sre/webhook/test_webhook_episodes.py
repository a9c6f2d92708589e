"""Laws of episodes: order and repetition do not matter for whether an alert fires."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sre.incidents.events import AlertSeen
from sre.webhook.episodes import Episodes
from sre.webhook.model import ToldAlert

NEVER_STILL_S = 1e12


@st.composite
def histories(draw):
    """Episodes of one alert that do not overlap, the last one perhaps without an end."""
    bounds = sorted(draw(st.sets(st.integers(0, 1000), min_size=2, max_size=9)))
    return [(bounds[i], bounds[i + 1] if i + 1 < len(bounds) else None) for i in range(0, len(bounds), 2)]


def messages(history):
    for start, end in history:
        yield told(start, None)
        if end is not None:
            yield told(start, end)


def told(start, end):
    return ToldAlert("fp", "firing" if end is None else "resolved", {"alertname": "A"}, {}, start, end)


def take_all(alerts):
    episodes = Episodes()
    for alert in alerts:
        verdict = episodes.judge(alert, now=2000.0, late_s=NEVER_STILL_S)
        if verdict not in ("duplicate", "late"):
            seen = AlertSeen("A", alert.state, "fp", alert.started_at, alert.ended_at)
            episodes.take(seen, at=2000.0, written_at=2000.0)
    return episodes


@given(histories(), st.data())
def test_whether_it_fires_depends_on_what_was_told_not_on_the_order(history, data):
    shuffled = data.draw(st.permutations(list(messages(history))))
    assert take_all(shuffled).any_live == (history[-1][1] is None)


@given(histories(), st.data())
def test_everything_told_once_more_changes_nothing(history, data):
    once = list(messages(history))
    again = data.draw(st.lists(st.sampled_from(once)))
    first, second = take_all(once), take_all([*once, *again])
    assert (first.any_live, first.last_end) == (second.any_live, second.last_end)
