"""The waiting line: order, bounds, and who loses a place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.waiting import (
    Patience,
    Ticket,
    WaitingLine,
    has_nobody_to_wait_for,
    has_waited_enough,
    is_expired,
)


def ticket(number, priority=0, tokens=10, **more):
    return Ticket(priority, number, tokens, 0.0, **more)


def served(line):
    order = []
    while (head := line.head) is not None:
        order.append(head)
        line.leave(head)
    return order


def test_equal_priorities_are_first_come_first_served():
    line = WaitingLine(10)
    for number in (1, 2, 3):
        assert line.join(ticket(number)) is None
    assert [t.number for t in served(line)] == [1, 2, 3]


def test_a_better_priority_goes_first_whenever_it_comes():
    line = WaitingLine(10)
    for number, priority in enumerate((5, 0, 5, -1)):
        line.join(ticket(number, priority))
    assert [t.number for t in served(line)] == [3, 1, 0, 2]


def test_only_who_would_be_the_head_outranks_all():
    line = WaitingLine(10)
    assert line.outranks_all(9)
    line.join(ticket(1, priority=3))
    assert line.outranks_all(2)
    assert not line.outranks_all(3)


def test_a_full_line_sheds_its_worst_and_youngest_for_a_better_one():
    line = WaitingLine(3)
    oldest, middle, youngest = ticket(1, 5), ticket(2, 0), ticket(3, 5)
    for t in (oldest, middle, youngest):
        line.join(t)
    assert line.join(ticket(4, priority=4)) is youngest
    assert youngest not in line
    assert oldest in line


def test_a_full_line_refuses_an_equal_newcomer():
    line = WaitingLine(1)
    line.join(ticket(1))
    newcomer = ticket(2)
    assert line.join(newcomer) is newcomer
    assert newcomer not in line


def test_a_line_without_places_refuses_everybody():
    newcomer = ticket(1, priority=-9)
    assert WaitingLine(0).join(newcomer) is newcomer


def test_leaving_twice_is_told():
    line = WaitingLine(2)
    line.join(ticket(1))
    assert line.leave(ticket(1))
    assert not line.leave(ticket(1))


@pytest.mark.parametrize(("now", "expired"), [(4.9, False), (5.0, True)])
def test_a_ticket_expires_at_its_deadline(now, expired):
    assert is_expired(ticket(1, expires_at=5.0), now) is expired
    assert not is_expired(ticket(1), now)


@pytest.mark.parametrize(("now", "enough"), [(29.9, False), (30.0, True)])
def test_patience_ends(now, enough):
    assert has_waited_enough(ticket(1), Patience(30.0, 5.0), now) is enough


@pytest.mark.parametrize(
    ("since", "outage_since", "now", "hopeless"),
    [(0.0, None, 99.0, False), (0.0, 10.0, 14.9, False), (0.0, 10.0, 15.0, True), (12.0, 10.0, 15.0, False)],
)
def test_an_outage_counts_from_its_start_or_from_the_arrival(since, outage_since, now, hopeless):
    waiter = Ticket(0, 1, 10, since)
    assert has_nobody_to_wait_for(waiter, Patience(30.0, 5.0), now, outage_since=outage_since) is hopeless


@given(
    capacity=st.integers(0, 6),
    steps=st.lists(st.tuples(st.sampled_from(["join", "serve", "leave"]), st.integers(-2, 2), st.integers(0, 50))),
)
def test_the_line_holds_the_best_in_order_and_counts_their_tokens(capacity, steps):
    line, model = WaitingLine(capacity), []
    for number, (step, priority, tokens) in enumerate(steps):
        if step == "join":
            newcomer = ticket(number, priority, tokens)
            loser = line.join(newcomer)
            model = sorted([*model, newcomer], key=lambda t: (t.priority, t.number))
            assert loser is (model[-1] if len(model) > capacity else None)
            model = model[:capacity]
        elif model:
            gone = model.pop(0 if step == "serve" else tokens % len(model))
            assert line.leave(gone)
        assert line.tickets() == tuple(model)
        assert line.tokens == sum(t.tokens for t in model)
        assert len(line) == len(model) <= capacity
