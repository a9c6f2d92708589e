"""One direction of a connection through a fault proxy: what passes comes later, in order, and all of it."""

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from serving.rehearsal.clock import run_virtually
from serving.rehearsal.line import NO_RULES, Line
from serving.rehearsal.model import NetworkRules

rules = st.builds(
    NetworkRules,
    delay_s=st.floats(0, 2),
    jitter_s=st.floats(0, 2),
    loss_ratio=st.floats(0, 0.5),
    bandwidth_bps=st.sampled_from([0.0, 8e3, 1e6]),
)


def sent(first, then, messages, *, retuned_at):
    """When which message arrived, sent 0.1 s apart; other rules hold from `retuned_at` on."""

    async def main():
        loop, arrived = asyncio.get_running_loop(), []
        line = Line(first, random.Random(1))
        loop.call_later(retuned_at, line.retune, then)
        for number, size in enumerate(messages):
            line.push(size, lambda number=number: arrived.append((loop.time(), number)), after_s=0.001)
            await asyncio.sleep(0.1)
        await asyncio.sleep(10_000)
        return arrived

    return run_virtually(main())


@given(rules, rules, st.lists(st.integers(1, 4000), max_size=12), st.floats(0, 2))
def test_nothing_is_lost_or_overtakes_and_nothing_comes_before_its_time(first, then, messages, retuned_at):
    arrived = sent(first, then, messages, retuned_at=retuned_at)
    assert [number for _, number in arrived] == list(range(len(messages)))
    assert all(at >= 0.1 * number for at, number in arrived)


def test_a_delay_shifts_every_message_by_so_much():
    arrived = sent(NetworkRules(delay_s=0.5), NO_RULES, [100] * 3, retuned_at=100)
    assert [round(at, 3) for at, _ in arrived] == [0.501, 0.601, 0.701]


def test_a_cut_holds_everything_until_it_is_over():
    arrived = sent(NetworkRules(cut=True), NO_RULES, [100] * 5, retuned_at=2.0)
    assert [round(at, 3) for at, _ in arrived] == [2.0] * 5


def test_a_narrow_way_is_busy_with_one_message_at_a_time():
    arrived = sent(NetworkRules(bandwidth_bps=8000), NO_RULES, [1000, 1000], retuned_at=100)
    assert [round(at, 3) for at, _ in arrived] == [1.001, 2.001]


def test_a_lost_segment_comes_a_retransmission_later():
    arrived = sent(NetworkRules(loss_ratio=0.5), NO_RULES, [100] * 50, retuned_at=1000)
    late = {round(at - 0.1 * number, 3) for at, number in arrived}
    assert 0.001 in late
    assert max(late) >= 0.2
